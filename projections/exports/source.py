"""Events to export, in order of position, as the role that may only read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import merge
from itertools import islice
from operator import attrgetter
from typing import Any, Final

from ledger.domain.errors import BadInput, SchemaMissing
from ledger.domain.log import canonical
from ledger.domain.log.envelope import Recorded
from ledger.domain.log.ids import control_stream, metrics_stream, orders_stream
from ledger.store.base import EventStore
from ledger.store.checkpoint import ledger_id
from projections.core.log import missing

PAGE_EVENTS: Final = 2000


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


@dataclass(frozen=True, slots=True)
class Source:
    """The log, of which a selection is exported; read as the role that may only read."""

    store: EventStore

    def bounded(self, wanted: Wanted) -> Wanted:
        """Return ``wanted`` with its last position filled in: by default the end that the log has now.

        Raises:
            BadInput: the log has no such positions.
        """
        end = self.store.head().position
        if end == 0:
            raise SchemaMissing("This ledger holds no event yet.", hint="Run: rollout init")
        last = end if wanted.last is None else wanted.last
        if last > end or wanted.first > last:
            raise BadInput(
                f"There are no positions {wanted.first} to {last} in the log.",
                hint=f"It ends at {end}.",
            )
        return replace(wanted, last=last)

    def chain_at(self, position: int) -> bytes:
        """Return the chain value at a position that there is, or at 0."""
        event = self.store.get(position) if position else None
        if event is None and position:
            raise missing(position)
        return event.chain if event is not None else canonical.GENESIS

    def events(self, system: str | None, first: int, last: int) -> Iterator[list[Recorded]]:
        """Yield the events of a system (None: of all) at these positions, some at once.

        Raises:
            IntegrityFailure: a position is missing.
        """
        if system is None:
            events = self._all(first, last)
        else:
            streams = control_stream(system), metrics_stream(system), orders_stream(system)
            read = (self.store.read_stream(each, up_to_position=last) for each in streams)
            merged = merge(*read, key=attrgetter("position"))
            events = (event for event in merged if event.position >= first)
        while page := list(islice(events, PAGE_EVENTS)):
            yield page

    def _all(self, first: int, last: int) -> Iterator[Recorded]:
        expected = first
        for event in self.store.read(first - 1, last):
            yield event
            expected = event.position + 1
        if expected <= last:
            raise missing(expected)

    def blobs(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Yield those of ``names`` (SHA-256 in hex) that the ledger keeps, with their bytes."""
        kept = ((name, self.store.get_blob(name)) for name in names)
        return ((name, content) for name, content in kept if content is not None)

    def ledger_id(self) -> str | None:
        """Return the id that the ledger gave itself in its first event, if it did."""
        return ledger_id(self.store)


def said(event: Recorded) -> Mapping[str, Any]:
    """Return what a body says; nothing of one that was made unreadable, of which the chain tells."""
    try:
        body = event.decoded
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return body if isinstance(body.get("actor"), dict) else {}
