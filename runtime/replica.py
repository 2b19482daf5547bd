"""The audit replica as a front end uses it: brought up to the end of the log, and opened to be asked."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ledger.domain.errors import LedgerUnreachable, OperationInProgress
from ledger.store.home import ensure_home
from projections.audit import replica, shut_in
from projections.audit.ask import Questioner
from projections.audit.log_reader import Head
from projections.audit.replica import replica_path
from projections.audit.sync import sync
from runtime.wiring import Runtime


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
        progress = runtime.progress("copying the log")
        done = sync(runtime.dsn, home, rebuild=rebuild, progress=progress)
    except (LedgerUnreachable, OperationInProgress) as error:
        if rebuild or not replica_path(home).exists():
            raise
        runtime.say(f"note: {error.message}")
        return False
    if done.set_aside is not None:
        runtime.say(f"The old replica did not agree with the log; it is kept as {done.set_aside}")
    if done.rebuilt:
        runtime.say(f"The replica was built anew: {done.added:,} events")
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


def standing(head: Head) -> str:
    """Return how far the replica is, for people."""
    if head.recorded_at is None:
        return "0, before the first event"
    return f"{head.position:,}, recorded at {head.recorded_at:%Y-%m-%d %H:%M:%SZ}"
