"""From a backup, or an export, back into an empty ledger: the same log, to the same chain value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Protocol

from ledger import fail_points
from ledger.domain.errors import IntegrityFailure, Refused
from ledger.domain.log import canonical
from ledger.domain.log.envelope import Recorded
from ledger.store.base import chain_after
from ledger.store.checkpoint import Checkpoint
from ledger.store.restore import Restorer

EVENTS_AT_ONCE = 1000
Progress = Callable[[int, int], None]


class Source(Protocol):
    """A whole log outside of a database."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def last(self) -> int:
        """Its last position."""
        ...

    @property
    def chain(self) -> bytes:
        """The chain value at `last`."""
        ...

    def blobs(self) -> Iterator[bytes]:
        """Yield the bytes that its events name."""
        ...

    def events(self, after: int = 0) -> Iterator[Recorded]:
        """Yield its events after a position."""
        ...


def inspect(source: Source, checkpoint: Checkpoint | None, tell: Progress) -> None:
    """Recompute the chain of ``source`` and hold it against a checkpoint, before anything is changed.

    Raises:
        IntegrityFailure: it is not what was recorded; names the first bad position.
        Refused: it is another log than the checkpoint's, or ends before it, or can't be decrypted.
    """
    if source.last < 1:
        raise Refused(f"{source.name} holds no event.", hint="There is nothing to restore.")
    chain, position = canonical.GENESIS, 0
    for position, event in enumerate(source.events(), start=1):
        chain = chain_after(chain, event)
        if event.position != position or event.chain != chain:
            raise IntegrityFailure(
                f"{source.name}: position {position} is not what was recorded; nothing was changed.",
                hint="Use another backup or export.",
            )
        if checkpoint is not None and position == checkpoint.position and chain != checkpoint.chain:
            raise IntegrityFailure(
                f"{source.name}: at position {position} it is not the log of the checkpoint.",
                hint="Use another backup; nothing was changed.",
            )
        if position % EVENTS_AT_ONCE == 0 or position == source.last:
            tell(position, source.last)
    if position != source.last or chain != source.chain:
        raise IntegrityFailure(
            f"{source.name}: the log ends at position {position}, not as it says at {source.last}.",
            hint="Use another backup or export; nothing was changed.",
        )
    if checkpoint is not None and checkpoint.position > source.last:
        raise Refused(
            f"{source.name} ends at position {source.last}, and the checkpoint is of {checkpoint.position}.",
            hint="Use a newer backup, or an older checkpoint.",
        )


def restore(restorer: Restorer, source: Source, tell: Progress) -> bool:
    """Put all of ``source`` into the ledger, or the rest of it. Returns whether anything was to be done.

    Raises:
        Refused: the ledger holds something else.
        IntegrityFailure: an event is not what was recorded; it did not get in.
    """
    reached = restorer.begin(source.last, source.chain)
    if reached == source.last:
        return False
    if reached == 0:
        blobs = source.blobs()
        while batch := list(islice(blobs, EVENTS_AT_ONCE)):
            restorer.put_blobs(batch)
        fail_points.reach("restore.after_blobs")
    events = source.events(reached)
    while batch := list(islice(events, EVENTS_AT_ONCE)):
        reached = restorer.put(batch)
        tell(reached, source.last)
        fail_points.reach("restore.after_batch")
    if reached != source.last:
        raise IntegrityFailure(f"{source.name} ends at position {reached}, not at {source.last}.")
    return True
