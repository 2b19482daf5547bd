"""evolve(state, event) -> state: what each event means for a system. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ledger.domain.envelope import Recorded
from ledger.domain.evolve import alerts, control, rollouts
from ledger.domain.evolve.folding import APPLY
from ledger.domain.state import SystemState, replace

_MEANINGS = (alerts, control, rollouts)  # imported for what they register


def evolve(state: SystemState, event: Recorded) -> SystemState:
    """Return ``state`` after ``event``. Types that this program does not know leave it as it is."""
    apply = APPLY.get(event.type)
    if apply is not None:
        state = apply(state, event, event.data)
    return replace(state, revision=event.revision, position=event.position)


def fold(events: Iterable[Recorded], start: SystemState) -> SystemState:
    """Return ``start`` after all of ``events``."""
    for event in events:
        start = evolve(start, event)
    return start
