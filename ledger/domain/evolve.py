"""evolve(state, event) -> state: what each event means for a system. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from ledger.domain.alerts import evolve as alerts
from ledger.domain.approvals import evolve as approvals
from ledger.domain.configurations import evolve as configurations
from ledger.domain.corrections import evolve as corrections
from ledger.domain.drift import evolve as drift
from ledger.domain.folding import APPLY
from ledger.domain.gates import evolve as gates
from ledger.domain.log.envelope import Recorded
from ledger.domain.log.unreadable import POISON, explanation_of, require_readable
from ledger.domain.mitigations import evolve as mitigations
from ledger.domain.modes import evolve as modes
from ledger.domain.plans import evolve as plans
from ledger.domain.rollbacks import evolve as rollbacks
from ledger.domain.runs import evolve as runs
from ledger.domain.state import SystemState
from ledger.domain.systems import evolve as systems

# Imported for what they register.
_CAPABILITIES = (
    alerts,
    approvals,
    configurations,
    corrections,
    drift,
    gates,
    mitigations,
    modes,
    plans,
    rollbacks,
    runs,
    systems,
)


def evolve(state: SystemState, event: Recorded) -> SystemState:
    """Return ``state`` after ``event``. Types that this program does not know leave it as it is.

    One that can't be read is set aside, in `SystemState.unread`.
    """
    apply = APPLY.get(event.type)
    if apply is not None:
        try:
            require_readable(event)
            state = apply(state, event, event.data)
        except POISON as problem:
            state = corrections.set_aside(state, event, explanation_of(problem))
    return replace(state, revision=event.revision, position=event.position)


def fold(events: Iterable[Recorded], start: SystemState) -> SystemState:
    """Return ``start`` after all of ``events``."""
    for event in events:
        start = evolve(start, event)
    return start
