"""A projector over a test's database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from psycopg import sql

from ledger.clock import SystemClock
from ledger.store.connect import PROJECTOR, open_connection
from projections.engine.runner import Projector
from projections.models.registry import tables


@contextmanager
def projector(dsn: str, report: Callable[[str], None] = lambda _: None) -> Iterator[Projector]:
    """Yield a projector over the ledger at ``dsn``."""
    made = Projector(partial(open_connection, dsn, role=PROJECTOR), SystemClock(), report)
    try:
        yield made
    finally:
        made.close()


def contents(made: Projector) -> dict[str, list[Any]]:
    """Return every row of every table, in one order."""
    found: dict[str, list[Any]] = {}
    for _, table in tables():
        query = sql.SQL("SELECT t.*::text FROM {} AS t ORDER BY 1").format(
            sql.Identifier("readmodel", table)
        )
        found[table] = made.db.execute(query).fetchall()
    return found
