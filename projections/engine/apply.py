"""Giving a part of the log to every projection, and naming the event that one of them can't take."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import errors

from ledger.domain.errors import InvariantViolated
from ledger.domain.log.envelope import Recorded
from ledger.domain.log.unreadable import POISON, stand_in
from projections.core import log
from projections.core.base import Db, Part, Projection, Step
from projections.models.registry import PROJECTIONS
from projections.models.system_state import STREAM_PREFIX, SystemStates


class Applier:
    """One run over the log: the projections, with what they remember from part to part."""

    def __init__(self) -> None:
        self._states = SystemStates()
        self._all: list[Projection] = [
            self._states if kind is SystemStates else kind() for kind in PROJECTIONS
        ]
        self._takers: dict[str, tuple[Projection, ...]] = {}
        self._of_all_streams = tuple(p for p in self._all if p.types is None)

    def apply(self, db: Db, part: Part, events: Sequence[Recorded]) -> None:
        """Apply ``events``, those of ``part``, and write what came of them.

        What stands in for an event that can't be read goes to those who take every type; an event that
        only one projection can't take, since its data are not what its type promises, is nothing to that one.

        Raises:
            InvariantViolated: a projection can't take a sound event; names both. Nothing may be committed.
        """
        self._prepare(db, [log.writable(event) for event in events])
        for event in events:
            step = self._states.step(event)
            type_ = step.event.type
            takers = self._takers.get(type_) or self._find_takers(type_)
            for taker in takers if step.after is not None else self._of_all_streams:
                try:
                    taker.apply(step)
                except POISON as error:
                    if _is_sound(event):
                        raise poisoned(taker, event, error) from error
                    if taker.types is None:
                        taker.apply(Step(stand_in(event, error), step.before, step.after))
        for projection in self._all:
            try:
                projection.write(db, part)
            except (errors.DataError, errors.IntegrityError) as error:
                raise InvariantViolated(
                    f"The projection {projection.name} can't write what positions {part.after + 1} to "
                    f"{part.up_to} gave: {error.diag.message_primary}.",
                    hint="The read model stays where it was.",
                ) from error

    def settle(self, db: Db, position: int) -> None:
        """Have the projections work out what hangs on more than one event, up to ``position``."""
        for projection in self._all:
            projection.settle(db, position)

    def _find_takers(self, type_: str) -> tuple[Projection, ...]:
        takers = tuple(p for p in self._all if p.types is None or type_ in p.types)
        self._takers[type_] = takers
        return takers

    def _prepare(self, db: Db, events: Sequence[Recorded]) -> None:
        by_type: dict[str, list[Recorded]] = {}
        for event in events:
            if event.stream.startswith(STREAM_PREFIX):
                by_type.setdefault(event.type, []).append(event)
        for projection in self._all:
            if projection.types is None or projection is self._states:
                wanted = events
            else:
                wanted = [event for type_ in projection.types for event in by_type.get(type_, ())]
            try:
                if wanted:
                    projection.prepare(db, wanted)
            except POISON:
                for event in wanted:  # once more, one by one, to find out which it was
                    try:
                        projection.prepare(db, [event])
                    except POISON as error:
                        if _is_sound(event):
                            raise poisoned(projection, event, error) from error


def _is_sound(event: Recorded) -> bool:
    from ledger.domain.corrections.sound import sound  # loads a model for every type of event

    return sound(event) is event


def poisoned(projection: Projection, event: Recorded, error: Exception) -> InvariantViolated:
    """Return the error that names the event which ``projection`` can't take."""
    return InvariantViolated(
        f"The projection {projection.name} can't apply position {event.position} ({event.type}): "
        f"{type(error).__name__} {error}.",
        hint=f"Look at it with: rollout show {event.position}. The read model stays where it was.",
    )
