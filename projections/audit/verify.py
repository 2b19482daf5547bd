"""The third verifier: the chain recomputed by DuckDB's SQL alone. See docs/hash-layout.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from projections.audit.log_reader import GENESIS
from projections.audit.texts import sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BATCH_EVENTS: Final = 500_000


@dataclass(frozen=True, slots=True)
class BadPosition:
    """The first position at which the replica is not what was recorded, and why it can't be."""

    position: int
    problem: str


def first_bad_position(
    connection: DuckDBPyConnection,
    *,
    after: int = 0,
    before: bytes = GENESIS,
    up_to: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> BadPosition | None:
    """Recompute the chain of the replica from position ``after`` + 1, and return the first bad position.

    ``before`` is the chain value at ``after``; ``up_to`` is the last position (by default the replica's);
    a position beyond the replica's end is missing. ``progress`` gets the position reached and the last one.
    """
    if up_to is None:
        row = connection.execute("SELECT coalesce(max(position), 0) FROM log.event").fetchone()
        up_to = int(row[0]) if row else 0
    for first in range(after + 1, up_to + 1, BATCH_EVENTS):
        through = min(first + BATCH_EVENTS - 1, up_to)
        bad = connection.execute(
            sql("verify.sql"), {"first": first, "last": through, "before": before}
        ).fetchone()
        if bad is not None:
            return BadPosition(*bad)
        query = "SELECT chain FROM log.event WHERE position = $1"
        row = connection.execute(query, [through]).fetchone()
        if row is None:
            (reached,) = connection.execute(
                "SELECT coalesce(max(position), $1 - 1) FROM log.event WHERE position BETWEEN $1 AND $2",
                [first, through],
            ).fetchone() or (first - 1,)
            return BadPosition(int(reached) + 1, "a row is missing")
        before = bytes(row[0])
        if progress is not None:
            progress(through, up_to)
    return None
