"""What a store of events can do; `ledger.store.postgres` and `ledger.store.memory` both do it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from ledger.domain.errors import IntegrityFailure
from ledger.domain.log import canonical
from ledger.domain.log.envelope import Appended, NewEvent, Recorded


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the log. Position 0 and 32 zero bytes before the first event."""

    position: int
    chain: bytes
    recorded_at: datetime | None


class EventStore(Protocol):
    """An append-only, dense, hash-chained log and the blobs that its events name."""

    def append(self, events: Sequence[NewEvent], *, all_or_nothing: bool = False) -> list[Appended]:
        """Append a batch in one round trip; answer item by item, in order.

        Raises:
            LedgerUnreachable: it is not known whether anything was appended; the same ids may be sent again.
        """
        ...

    def head(self) -> Head:
        """Return the end of the log."""
        ...

    def read(self, after: int = 0, up_to: int | None = None) -> Iterator[Recorded]:
        """Yield the events after position ``after``, in order.

        Raises:
            IntegrityFailure: a position is missing. A hole is corruption, never "wait".
        """
        ...

    def read_stream(
        self, stream: str, after_revision: int = 0, up_to_position: int | None = None
    ) -> Iterator[Recorded]:
        """Yield one stream's events after a revision, in order."""
        ...

    def first_revision_since(self, stream: str, moment: datetime) -> int:
        """Return the first revision of a stream that was recorded, or happened, at ``moment`` or later.

        One more than the stream has, where there is none. Takes a logarithm of the stream's length. What
        happened after it was recorded is a rehearsal's, or of a source whose clock runs ahead.
        """
        ...

    def get(self, key: int | UUID) -> Recorded | None:
        """Return the event at a position, or of an id."""
        ...

    def known(self, event_ids: Sequence[UUID]) -> set[UUID]:
        """Return those of ``event_ids`` that the log holds, in one round trip."""
        ...

    def systems(self) -> list[str]:
        """Return the names of the systems that the log knows, sorted."""
        ...

    def put_blob(self, content: bytes) -> str:
        """Keep ``content``; return its SHA-256 in hex. Keeping the same bytes twice is one blob."""
        ...

    def put_blobs(self, contents: Iterable[bytes]) -> None:
        """Keep many, in a few round trips."""
        ...

    def get_blob(self, sha256: str) -> bytes | None:
        """Return the bytes of that hash, or None."""
        ...

    def try_lock(self, name: str) -> bool:
        """Take the lock ``name`` for this connection, at once or not at all; it ends with the connection."""
        ...

    def unlock(self, name: str) -> None:
        """Give the lock ``name`` back."""
        ...


def checked(events: Iterator[Recorded], after: int) -> Iterator[Recorded]:
    """Yield ``events`` while each follows the one before without a gap.

    Raises:
        IntegrityFailure: a position is missing.
    """
    expected = after + 1
    for event in events:
        if event.position != expected:
            raise IntegrityFailure(
                f"Position {expected} is missing from the log: the next one found is {event.position}.",
                hint="Run: rollout verify",
            )
        expected += 1
        yield event


def within_calendar(query: str) -> str:
    """Return ``query``, its first pair of times drawn to the ends of the calendar.

    A row may hold a time that Python has none for: infinity, before Christ, the year 12000.
    """
    drawn = "greatest(least({0}, '9999-01-01Z'), '0002-01-01Z')"
    both = ", ".join(drawn.format(name) for name in ("occurred_at", "recorded_at"))
    return query.replace("occurred_at, recorded_at", both, 1)


def chain_after(previous: bytes, event: Recorded) -> bytes:
    """Return the chain value that ``event`` should have after ``previous``, computed from its bytes."""
    return canonical.link(
        previous,
        canonical.leaf(
            event.position,
            event.revision,
            event.schema_version,
            event.event_id,
            event.occurred_at,
            event.recorded_at,
            canonical.body_hash(event.body),
            event.stream,
            event.type,
        ),
    )
