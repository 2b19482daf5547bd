"""evolve(state, event) -> state: what each event means for a system. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ledger.domain import _evolve_control, _evolve_rollouts
from ledger.domain.alerts import evolve as alerts
from ledger.domain.folding import APPLY
from ledger.domain.log.envelope import Recorded
from ledger.domain.state import SystemState, replace

_MEANINGS = (alerts, _evolve_control, _evolve_rollouts)  # imported for what they register


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
