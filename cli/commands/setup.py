"""rollout init, doctor, version, completion."""

from __future__ import annotations

import platform
import sys

import click
from click.shell_completion import get_completion_class

from cli import options
from cli.call import Call, command
from cli.output import Output, say
from ledger.domain.errors import LedgerError
from ledger.service.core.creation import PROGRAM_VERSION, create_ledger
from ledger.store import migrate
from ledger.store.postgres import PostgresStore
from runtime.health import findings


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
    found, failed = findings(call.runtime)
    call.output.record(found)
    if failed is not None:
        raise failed
    say("everything that is needed works")


def version_text() -> str:
    """Return the program's version, and what it runs on."""
    return f"rollout-ledger {PROGRAM_VERSION} (Python {platform.python_version()}, {sys.platform})"


@click.command()
@options.output
def version(output: Output) -> None:
    """Tell the version, and what it runs on.

    \b
    Example:
      rollout version
    """
    output.record(
        {
            "version": PROGRAM_VERSION,
            "python": platform.python_version(),
            "platform": sys.platform,
        },
        version_text(),
    )


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
