"""rollout init, doctor, version, completion."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable

import click

from cli import options
from cli.output import Output, say
from cli.wiring import Runtime, pass_runtime
from ledger.domain.errors import LedgerError
from ledger.service.setup import PROGRAM_VERSION


@click.command()
@options.output
@pass_runtime
def init(runtime: Runtime, output: Output) -> None:
    """Make the ledger, or bring it up to this version. Safe to repeat.

    \b
    Example:
      ROLLOUT_DSN=postgresql://admin@db/ledger rollout init
    """
    from ledger.service.setup import create_ledger
    from ledger.store import migrate
    from ledger.store.postgres import PostgresStore

    migrate.upgrade(runtime.dsn)
    store = PostgresStore(runtime.dsn)
    made = create_ledger(runtime.recorder_for(store), runtime.origin())
    runtime.catch_up()
    head = store.head()
    store.close()
    record = {
        "outcome": "made" if made else "ready",
        "migration": migrate.HEAD,
        "position": head.position,
    }
    output.record(
        record, "the ledger was made" if made else f"skipped (already there, at #{head.position})"
    )


@click.command()
@options.output
@pass_runtime
def doctor(runtime: Runtime, output: Output) -> None:
    """Tell what is in use, and whether it works. Exit 9 when the ledger can't be reached.

    \b
    Example:
      rollout doctor -o json
    """
    from ledger.store.dsn import redact

    settings = runtime.settings
    findings: dict[str, object] = {
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
        "waiting_in_spool": lambda: len(runtime.ledger_without_draining.spool.read().records),
        "secret_key": runtime.secret_key_id,
    }
    failed: LedgerError | None = None
    for name, check in checks.items():
        try:
            findings[name] = check()
        except LedgerError as problem:
            findings[name] = f"PROBLEM: {problem.message}"
            failed = failed or problem
    output.record(findings)
    if failed is not None:
        raise failed
    say("everything that is needed works")


@click.command()
def version() -> None:
    """Tell the version.

    \b
    Example:
      rollout version
    """
    click.echo(
        f"rollout-ledger {PROGRAM_VERSION} (Python {platform.python_version()}, {sys.platform})"
    )


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the tab completion script for SHELL.

    \b
    Example:
      eval "$(rollout completion bash)"
    """
    from click.shell_completion import get_completion_class

    from cli.main import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise LedgerError(f"There is no completion for {shell}.")
    click.echo(kind(cli, {}, "rollout", "_ROLLOUT_COMPLETE").source())
