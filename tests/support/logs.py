"""What is said about a whole log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256

from ledger.domain.log import canonical
from ledger.domain.log.envelope import Appended, NewEvent
from ledger.store.base import EventStore, chain_after


def outcomes(answers: Sequence[Appended]) -> list[str]:
    """Return what became of each item."""
    return [answer.outcome for answer in answers]


def append_one(store: EventStore, event: NewEvent) -> Appended:
    """Append a batch of one."""
    (answer,) = store.append([event])
    return answer


def assert_sound(store: EventStore) -> None:
    """Positions and revisions are dense, and every hash follows from the one before (I2, I3)."""
    chain = canonical.GENESIS
    revisions: dict[str, int] = {}
    recorded_at = datetime.min.replace(tzinfo=UTC)
    position = 0
    for position, event in enumerate(store.read(), start=1):
        assert event.position == position
        assert event.revision == revisions.get(event.stream, 0) + 1
        assert event.recorded_at >= recorded_at
        assert event.body_hash == sha256(event.body).digest()
        chain = chain_after(chain, event)
        assert event.chain == chain
        revisions[event.stream] = event.revision
        recorded_at = event.recorded_at
    head = store.head()
    assert (head.position, head.chain) == (position, chain)
