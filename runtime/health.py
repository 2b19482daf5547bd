"""Whether what a front end needs works: the database, the log and what guards it, the roles, the key."""

from __future__ import annotations

import platform
from collections.abc import Callable

from ledger.domain.errors import IntegrityFailure, LedgerError
from ledger.service.configurations.registration import adopted_key, require_key
from ledger.service.core.creation import PROGRAM_VERSION
from ledger.store.dsn import redact
from ledger.store.guards import UNGUARDED, missing_guards
from runtime.wiring import Runtime


def findings(runtime: Runtime) -> tuple[dict[str, object], LedgerError | None]:
    """Return what is in use and how each part stands, by name; and the first thing that does not work."""
    settings = runtime.settings
    found: dict[str, object] = {
        "version": PROGRAM_VERSION,
        "python": platform.python_version(),
        "home": str(settings.home),
        "actor": f"{settings.actor.kind}:{settings.actor.id}",
        "database": "embedded" if settings.dsn is None else "given",
    }
    checks: dict[str, Callable[[], object]] = {
        "dsn": lambda: redact(runtime.dsn),
        "server": runtime.server_version,
        "migration": lambda: runtime.store.schema_revision(),  # noqa: PLW0108 -- opens the store late
        "head": lambda: runtime.store.head().position,
        "restore": lambda: runtime.store.require_whole(),  # noqa: PLW0108 -- as above
        "waiting_in_spool": lambda: len(runtime.ledger_without_draining.spool.read().records),
        "guards": lambda: _guards(runtime),
        "roles": lambda: _roles(runtime),
        "secret_key": lambda: _secret_key(runtime),
    }
    failed: LedgerError | None = None
    for name, check in checks.items():
        try:
            found[name] = check()
        except LedgerError as problem:
            found[name] = f"PROBLEM: {problem.message}"
            failed = failed or problem
    return found, failed


def _guards(runtime: Runtime) -> str:
    """Return that what guards the log stands.

    Raises:
        IntegrityFailure: it does not, all of it.
    """
    if missing := missing_guards(runtime.store.connection):
        raise IntegrityFailure(
            f"The ledger is not guarded as it was made to be: {'; '.join(missing)}.", hint=UNGUARDED
        )
    return "in place"


def _roles(runtime: Runtime) -> str:
    """Return which of the ledger's roles this login may take, and what it can't do without the others."""
    needed_for = {
        "ledger_writer": "append",
        "ledger_projector": "status, log, blame",
        "ledger_auditor": "sql",
    }
    held = runtime.store.connection.execute(
        "SELECT name FROM unnest(%s::text[]) AS name WHERE pg_has_role(session_user, name, 'MEMBER')",
        [list(needed_for)],
    ).fetchall()
    names = [str(name) for (name,) in held]
    lacking = [f"{role} (for {use})" for role, use in needed_for.items() if role not in names]
    return ", ".join(names) + (f"; not {', '.join(lacking)}" if lacking else "")


def _secret_key(runtime: Runtime) -> str | None:
    """Return the id of this machine's key for secrets; insist that it is the ledger's, if both have one."""
    mine, (adopted, _) = runtime.secret_key_id(), adopted_key(runtime.store)
    if adopted is None:
        return mine
    if mine is None:
        return f"none here; the ledger's is {adopted}: copy secret.key from the machine that has it"
    require_key(adopted, mine, runtime.settings.home)
    return mine
