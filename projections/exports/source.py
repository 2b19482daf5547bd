"""Events to export, in order of position, as the role that may only read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ledger.domain.errors import BadInput, IntegrityFailure, SchemaMissing
from ledger.domain.log import canonical
from ledger.domain.log.envelope import Recorded
from ledger.domain.log.ids import control_stream, metrics_stream, orders_stream
from ledger.store.connect import AUDITOR, open_connection

PAGE_EVENTS: Final = 2000
NAMES_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events to export. What is not given does not count."""

    system: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Both by ``occurred_at``; ``until`` is the first moment that is left out."""
    first: int = 1
    last: int | None = None
    """Positions, both included."""

    @property
    def whole(self) -> bool:
        """True if nothing is left out up to ``last``."""
        return self == Wanted(last=self.last)

    def has(self, event: Recorded) -> bool:
        """Tell whether an event of the system is within the times and positions."""
        return (
            event.position >= self.first
            and (self.since is None or event.occurred_at >= self.since)
            and (self.until is None or event.occurred_at < self.until)
        )


class Source:
    """A connection to the log that can only read it."""

    def __init__(self, dsn: str) -> None:
        """Connect.

        Raises:
            LedgerUnreachable, SchemaMissing: and why.
        """
        self._connection: Final = open_connection(dsn, role=AUDITOR)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def bounded(self, wanted: Wanted) -> Wanted:
        """Return ``wanted`` with its last position filled in: by default the end that the log has now.

        Raises:
            BadInput: the log has no such positions.
        """
        row = self._connection.execute("SELECT max(position) FROM ledger.event").fetchone()
        end = int(row[0] or 0) if row else 0
        if end == 0:
            raise SchemaMissing("This ledger holds no event yet.", hint="Run: rollout init")
        last = end if wanted.last is None else wanted.last
        if last > end or wanted.first > last:
            raise BadInput(
                f"There are no positions {wanted.first} to {last} in the log.",
                hint=f"It ends at {end}.",
            )
        return Wanted(wanted.system, wanted.since, wanted.until, wanted.first, last)

    def chain_at(self, position: int) -> bytes:
        """Return the chain value at a position that there is, or at 0."""
        if position == 0:
            return canonical.GENESIS
        row = self._connection.execute(
            "SELECT chain FROM ledger.event WHERE position = %s", [position]
        ).fetchone()
        if row is None:
            raise _hole(position)
        return bytes(row[0])

    def events(self, system: str | None, first: int, last: int) -> Iterator[list[Recorded]]:
        """Yield the events of a system (None: of all) at these positions, some at once.

        Raises:
            IntegrityFailure: a position is missing.
        """
        streams = None
        if system is not None:
            streams = [control_stream(system), metrics_stream(system), orders_stream(system)]
        query = (
            "SELECT position, revision, schema_version, event_id, occurred_at, recorded_at, stream, type, "
            "body, body_hash, chain FROM ledger.event WHERE position > %(after)s AND position <= %(last)s "
            "AND (%(streams)s::text[] IS NULL OR stream = ANY (%(streams)s)) ORDER BY position LIMIT %(page)s"
        )
        after = first - 1
        while after < last:
            values = {"after": after, "last": last, "streams": streams, "page": PAGE_EVENTS}
            with self._connection.cursor(binary=True) as cursor:
                page = [Recorded(*row) for row in cursor.execute(query, values)]
            if streams is None:
                for expected, event in enumerate(page, after + 1):
                    if event.position != expected:
                        raise _hole(expected)
                if len(page) < min(PAGE_EVENTS, last - after):
                    raise _hole(after + len(page) + 1)
            elif not page:
                return
            yield page
            after = page[-1].position

    def blobs(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Yield those of ``names`` (SHA-256 in hex) that the ledger keeps, with their bytes."""
        query = "SELECT encode(sha256, 'hex'), bytes FROM ledger.blob WHERE sha256 = ANY (%s)"
        for begin in range(0, len(names), NAMES_AT_ONCE):
            keys = [bytes.fromhex(name) for name in names[begin : begin + NAMES_AT_ONCE]]
            with self._connection.cursor(binary=True) as cursor:
                for name, content in cursor.execute(query, [keys]):
                    yield str(name), bytes(content)

    def ledger_id(self) -> str | None:
        """Return the id that the ledger gave itself in its first event, if it did."""
        first = next(self.events(None, 1, 1))[0]
        if first.type != "LedgerCreated":
            return None
        ledger = said(first).get("data", {}).get("ledger_id")
        return str(ledger) if ledger else None


def said(event: Recorded) -> Mapping[str, Any]:
    """Return what a body says; nothing of one that was made unreadable, of which the chain tells."""
    try:
        body = event.decoded
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return body if isinstance(body.get("actor"), dict) else {}


def _hole(position: int) -> IntegrityFailure:
    return IntegrityFailure(
        f"Position {position} is missing from the log.", hint="Run: rollout verify"
    )
