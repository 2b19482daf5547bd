"""What is wrong at a bad position, told from the rows around it. Slow, and asked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import Connection

from ledger.domain.errors import LedgerError
from ledger.domain.log import canonical
from ledger.domain.log.envelope import Recorded
from ledger.store.base import chain_after
from ledger.store.postgres import PostgresStore


@dataclass(frozen=True, slots=True)
class Problem:
    """The first bad position, and why it is bad."""

    position: int
    kind: str
    """missing | cut_off | swapped | body | chain | columns | format | revision | blob | rewritten |
    other_ledger"""
    sentence: str


def diagnose(store: PostgresStore, position: int, before: bytes) -> Problem:
    """Return what is wrong at ``position``, where ``before`` is the chain value that should precede it."""
    try:
        event = store.get(position)
    except LedgerError:  # a time that no program of ours could have written
        return _not_as_recorded(position)
    if event is None:
        following = _one(
            store, "SELECT min(position) FROM ledger.event WHERE position > %s", position
        )
        if following is None:
            return Problem(position, "cut_off", f"The log ends before position {position}.")
        return Problem(
            position, "missing",
            f"The event at position {position} is missing; the next one is at {following}.",
        )  # fmt: skip
    if None in vars(event).values():
        return _not_as_recorded(position)
    format_ = _one(store, "SELECT format FROM ledger.event WHERE position = %s", position)
    if format_ != canonical.FORMAT:
        return Problem(
            position, "format",
            f"The event at position {position} has the unknown format {format_}.",
        )  # fmt: skip
    expected = chain_after(before, event)
    if expected == event.chain and canonical.body_hash(event.body) == event.body_hash:
        return Problem(
            position, "revision",
            f"The event at position {position} is revision {event.revision} of {event.stream}, "
            "which does not follow the one before.",
        )  # fmt: skip
    return _changed(store, event, before, expected)


def _changed(store: PostgresStore, event: Recorded, before: bytes, expected: bytes) -> Problem:
    position = event.position
    belongs = _where_it_stands(store.connection, event, before)
    if belongs is not None:
        return Problem(
            position, "swapped",
            f"The event that belongs at position {position} stands at position {belongs}: "
            "two rows were swapped, or one was moved.",
        )  # fmt: skip
    if canonical.body_hash(event.body) != event.body_hash:
        return Problem(
            position, "body", f"The body at position {position} is not the one that was recorded."
        )
    if _follows(store, position + 1, expected):
        return Problem(
            position, "chain",
            f"The hash at position {position} was changed; what it stands for was not.",
        )  # fmt: skip
    return _not_as_recorded(position)


def _follows(store: PostgresStore, position: int, before: bytes) -> bool:
    """Tell whether the event at ``position`` is as it was recorded after ``before``."""
    try:
        event = store.get(position)
    except LedgerError:
        return False
    return (
        event is not None
        and None not in vars(event).values()
        and chain_after(before, event) == event.chain
    )


def _not_as_recorded(position: int) -> Problem:
    return Problem(
        position, "columns",
        f"The event at position {position} is not the one that was recorded: its stream, type, times, "
        "id, revision, or its body together with its hash were changed.",
    )  # fmt: skip


# The row whose content, put at this position, gives a chain value that is stored: its own, if it was
# moved with it, or the one at this position, if only the content was moved.
_ELSEWHERE: LiteralString = """
    SELECT e.position FROM ledger.event AS e
        WHERE e.position <> %(position)s
          AND sha256('\\x02'::bytea || %(before)s || ledger.leaf(
              e.format, %(position)s, e.revision, e.schema_version, e.event_id, e.occurred_at, e.recorded_at,
              sha256(e.body), e.stream, e.type)) IN (e.chain, %(chain)s)
        LIMIT 1
"""


def _where_it_stands(
    connection: Connection[tuple[Any, ...]], event: Recorded, before: bytes
) -> int | None:
    binds = {"position": event.position, "before": before, "chain": event.chain}
    row = connection.execute(_ELSEWHERE, binds).fetchone()
    return int(row[0]) if row is not None else None


def _one(store: PostgresStore, query: LiteralString, position: int) -> Any:
    row = store.connection.execute(query, [position]).fetchone()
    return row[0] if row is not None else None
