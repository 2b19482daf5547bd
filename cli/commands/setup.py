"""rollout init, doctor, version, completion."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable

import click
from click.shell_completion import get_completion_class

from cli.call import Call, command
from cli.output import say
from ledger.domain.errors import IntegrityFailure, LedgerError
from ledger.service.configurations.registration import adopted_key, require_key
from ledger.service.core.creation import PROGRAM_VERSION, create_ledger
from ledger.store import migrate
from ledger.store.dsn import redact
from ledger.store.guards import UNGUARDED, missing_guards
from ledger.store.postgres import PostgresStore
from runtime.wiring import Runtime


@command("init")
def init(call: Call) -> None:
    """Make the ledger, or bring it up to this version. Safe to repeat.

    Example:
      ROLLOUT_DSN=postgresql://admin@db/ledger rollout init
    """
    call.runtime.makes_ledger = True
    migrate.upgrade(call.runtime.dsn)
    store = PostgresStore(call.runtime.dsn)
    made = create_ledger(call.runtime.recorder_for(store), call.origin)
    call.runtime.catch_up()
    head = store.head()
    store.close()
    record = {
        "outcome": "made" if made else "ready",
        "migration": migrate.HEAD,
        "position": head.position,
    }
    call.output.record(
        record, "the ledger was made" if made else f"skipped (already there, at #{head.position})"
    )


@command("doctor")
def doctor(call: Call) -> None:
    """Tell what is in use, and whether it works. Exit 9 when the ledger can't be reached.

    Example:
      rollout doctor -o json
    """
    settings = call.runtime.settings
    findings: dict[str, object] = {
        "version": PROGRAM_VERSION,
        "python": platform.python_version(),
        "home": str(settings.home),
        "actor": f"{settings.actor.kind}:{settings.actor.id}",
        "database": "embedded" if settings.dsn is None else "given",
    }
    checks: dict[str, Callable[[], object]] = {
        "dsn": lambda: redact(call.runtime.dsn),
        "server": call.runtime.server_version,
        "migration": lambda: call.runtime.store.schema_revision(),  # noqa: PLW0108 -- opens the store late
        "head": lambda: call.runtime.store.head().position,
        "restore": lambda: call.runtime.store.require_whole(),  # noqa: PLW0108 -- as above
        "waiting_in_spool": lambda: len(call.runtime.ledger_without_draining.spool.read().records),
        "guards": lambda: _guards(call.runtime),
        "roles": lambda: _roles(call.runtime),
        "secret_key": lambda: _secret_key(call.runtime),
    }
    failed: LedgerError | None = None
    for name, check in checks.items():
        try:
            findings[name] = check()
        except LedgerError as problem:
            findings[name] = f"PROBLEM: {problem.message}"
            failed = failed or problem
    call.output.record(findings)
    if failed is not None:
        raise failed
    say("everything that is needed works")


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


def version_text() -> str:
    """Return the program's version, and what it runs on."""
    return f"rollout-ledger {PROGRAM_VERSION} (Python {platform.python_version()}, {sys.platform})"


@click.command()
def version() -> None:
    """Tell the version.

    \b
    Example:
      rollout version
    """
    click.echo(version_text())


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the tab completion script for SHELL.

    \b
    Example:
      eval "$(rollout completion bash)"
    """
    root = click.get_current_context().find_root().command
    kind = get_completion_class(shell)
    if kind is None:
        raise LedgerError(f"There is no completion for {shell}.")
    click.echo(kind(root, {}, "rollout", "_ROLLOUT_COMPLETE").source())
