"""rollout server status, stop."""

from __future__ import annotations

import click

from cli.call import Call, command
from ledger.domain.errors import Refused
from ledger.store.embedded import EmbeddedPostgres


@click.group()
def server() -> None:
    """Look after the embedded PostgreSQL, which stays up between commands."""


@command("status", server)
def status(call: Call) -> None:
    """Tell whether the embedded PostgreSQL of this home is up, and where it lies. Starts nothing.

    Example:
      rollout server status
    """
    seen = _embedded(call).status()
    call.output.record(
        {
            "state": seen.state.value,
            "pid": seen.pid,
            "data": str(seen.data),
            "log": str(seen.log),
            "version": seen.major_version,
        }
    )


@command("stop", server)
def stop(call: Call) -> None:
    """Stop the embedded PostgreSQL of this home. The next command that needs it starts it again.

    What others have under way there is rolled back, and a watch goes on without the ledger.

    Example:
      rollout server stop
    """
    embedded = _embedded(call)
    stopped = embedded.stop()
    call.output.record(
        {"outcome": "stopped" if stopped else "skipped", "data": str(embedded.files.data)},
        f"PostgreSQL in {embedded.files.folder} is stopped"
        if stopped
        else f"skipped (no PostgreSQL is up in {embedded.files.folder})",
    )


def _embedded(call: Call) -> EmbeddedPostgres:
    """Return the server of the home.

    Raises:
        Refused: the ledger lies in another database, which is not ours to stop.
    """
    if call.runtime.settings.dsn is not None:
        raise Refused(
            "The ledger lies in the database that ROLLOUT_DSN names: that server is not this program's.",
            hint="Without ROLLOUT_DSN, the command looks after the embedded one.",
        )
    return EmbeddedPostgres(call.runtime.settings.home)
