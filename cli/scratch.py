"""Where a backup is restored for a try, and what the read models come to there."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial

from cli.output import say
from cli.wiring import Runtime
from ledger.service.backups.metadata import TableDigest
from ledger.store.connect import PROJECTOR, open_connection
from ledger.store.embedded import EmbeddedPostgres, ServerState
from projections.backups.digests import digests
from projections.runner import Projector


@contextmanager
def scratch_dsn(runtime: Runtime, *, embedded: bool) -> Generator[str]:
    """Yield the conninfo of the server that gets the scratch database.

    The embedded one, where it is not the ledger's own, is stopped again if it was not up before.

    Raises:
        LedgerUnreachable: it can't be reached, or not be started.
    """
    if not embedded or runtime.settings.dsn is None:
        yield runtime.dsn
        return
    server = EmbeddedPostgres(runtime.settings.home)
    was_up = server.status().state is ServerState.RUNNING
    try:
        yield server.ensure_running()
    finally:
        if not was_up:
            server.stop()


def read_models(runtime: Runtime, dsn: str) -> tuple[int, Sequence[TableDigest]]:
    """Build the read models of the ledger at ``dsn``; return their position, and what is in them."""
    projector = Projector(partial(open_connection, dsn, role=PROJECTOR), runtime.clock, report=say)
    try:
        projector.catch_up()
        position, found = digests(projector.db)
    finally:
        projector.close()
    return position, [TableDigest.model_validate(asdict(each)) for each in found]
