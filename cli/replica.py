"""The audit replica as commands use it: brought up to the log, opened, asked, answered."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from cli.output import say
from cli.progress import Progress
from cli.rows import show_table, write_rows
from cli.wiring import Runtime
from ledger.domain.errors import BadInput, LedgerUnreachable, OperationInProgress
from ledger.store.home import ensure_home
from projections.audit import replica, shut_in
from projections.audit.ask import Questioner
from projections.audit.replica import replica_path
from projections.audit.sync import sync

if TYPE_CHECKING:
    from projections.audit.ask import Parameters
    from projections.audit.log_reader import Head


def bring_up(runtime: Runtime, *, rebuild: bool = False, no_sync: bool = False) -> bool:
    """Bring the replica up to the end of the log; return whether it is there.

    Where that is not possible, an older replica serves, and the reason is told.

    Raises:
        IntegrityFailure: the replica and the log disagree.
        LedgerUnreachable, OperationInProgress: and there is no replica, or a rebuild was asked for.
    """

    home = runtime.settings.home
    if no_sync:
        return False
    ensure_home(home)
    try:
        if runtime.settings.dsn is None:
            _ = runtime.store  # The embedded ledger is started, and made, without being asked.
        progress = Progress("copying the log", runtime.clock)
        done = sync(runtime.dsn, home, rebuild=rebuild, progress=progress)
    except (LedgerUnreachable, OperationInProgress) as error:
        if rebuild or not replica_path(home).exists():
            raise
        say(f"note: {error.message}", colour="yellow")
        return False
    if done.set_aside is not None:
        say(
            f"The old replica did not agree with the log; it is kept as {done.set_aside}",
            colour="yellow",
        )
    if done.rebuilt:
        say(f"The replica was built anew: {done.added:,} events")
    return True


@contextmanager
def questioner(
    runtime: Runtime, timeout_seconds: float, *, may_write: Path | None = None
) -> Generator[tuple[Questioner, Head]]:
    """Open the replica to ask it; with it comes the last event that it holds."""

    path = replica.replica_path(runtime.settings.home)
    with shut_in.open_for_reading(path, may_write=may_write, clock=runtime.clock) as connection:
        with replica.told(path):
            head = replica.head(connection)
        yield Questioner(connection, timeout_seconds=timeout_seconds), head


def answer(
    asked: Questioner,
    head: Head,
    text: str,
    parameters: Parameters,
    *,
    form: str,
    stream: TextIO,
    parquet: Path | None = None,
) -> None:
    """Ask one or several statements, all checked before the first is run; write what comes of it."""

    statements = asked.statements(text)
    wanted = {name for statement in statements for name in statement.named_parameters}
    for name in parameters.keys() - wanted:
        raise BadInput(
            f"The SQL has no ${name}.", hint=f"It has: {', '.join(sorted(wanted)) or 'none'}"
        )
    if len(statements) > 1 and form not in {"table", "jsonl"}:
        raise BadInput(
            f"{form} holds one result, and these are {len(statements)} statements.",
            hint="Ask them one by one, or with -o jsonl.",
        )
    for statement in statements:
        if parquet is not None:
            asked.write_parquet(statement, parameters, parquet)
        elif form == "table":
            count = show_table(asked.ask(statement, parameters))
            say(f"{count:,} {'row' if count == 1 else 'rows'}, as of position {standing(head)}")
        else:
            write_rows(asked.ask(statement, parameters), form, stream)


def standing(head: Head) -> str:
    """Return how far the replica is, for people."""
    if head.recorded_at is None:
        return "0, before the first event"
    return f"{head.position:,}, recorded at {head.recorded_at:%Y-%m-%d %H:%M:%SZ}"
