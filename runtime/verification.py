"""Whom a verification asks: the log as whoever may read it, and DuckDB over the replica as an engine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from ledger.domain.errors import LedgerUnreachable
from ledger.store import migrate
from ledger.store.chain_scan import Stretch
from ledger.store.connect import AUDITOR, WRITER
from ledger.store.postgres import PostgresStore
from ledger.store.verify import Engine
from ledger.store.verify_engines import Recomputed, Tell
from projections.audit.replica import replica_path
from projections.audit.shut_in import open_for_reading
from projections.audit.sync import sync
from projections.audit.verify import first_bad_position
from runtime.wiring import Runtime


def for_reading(runtime: Runtime) -> tuple[str, str]:
    """Return the ledger's conninfo and the role to read it as: an auditor's login need not be a writer's.

    Raises:
        LedgerUnreachable, SchemaMissing, SchemaNewer: it can't be used, and what to do.
    """
    if runtime.settings.dsn is None:
        return runtime.store_dsn, AUDITOR
    dsn = runtime.dsn
    try:
        with closing(PostgresStore(dsn, role=AUDITOR)) as store:
            migrate.check(store.schema_revision())
    except LedgerUnreachable as error:
        if "may not act as" not in error.message:
            raise
        return runtime.store_dsn, WRITER
    return dsn, AUDITOR


def by_duckdb(home: Path) -> Engine:
    """Return the engine that recomputes the replica in ``home``, brought up to the end of the log first."""

    def engine(dsn: str, _role: str, stretches: Sequence[Stretch], tell: Tell) -> Recomputed:
        sync(dsn, home)
        after = stretches[0].first - 1
        with open_for_reading(replica_path(home)) as replica:
            bad = first_bad_position(
                replica,
                after=after,
                before=stretches[0].before,
                up_to=stretches[-1].last,
                progress=lambda position, _: tell(position - after),
            )
        return Recomputed(bad=bad.position if bad else None)

    return engine
