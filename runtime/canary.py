"""What a canary's report is about: the gate of then, and the evidence of then."""

from __future__ import annotations

from datetime import datetime

from ledger.domain.state import SystemState
from ledger.profiles.phases import Phase
from ledger.profiles.plan import Plan
from ledger.service.core.plan_in_force import plan_of
from ledger.service.gates import evaluation
from projections.core.base import Db
from projections.queries import as_of
from projections.reports.canary import Judged
from projections.reports.window import window_of
from runtime.wiring import Runtime


def judged_canary(
    runtime: Runtime, db: Db, today: SystemState, run_tag: str | None, now: datetime
) -> Judged:
    """Judge the evidence of then by the gate of then."""
    window = window_of(db, today, run_tag, now)
    then = today
    if window.ended:
        then = as_of.state_at(db, today.system, as_of.Moment(time=window.until))
    plan = plan_of(runtime.ledger, then) if then.profile is not None else None
    phase, in_phase = _phase(plan, then)
    criteria = (
        evaluation.judged(runtime.ledger, then, phase, window.since, window.until)
        if phase is not None
        else ()
    )
    return Judged(window, then, today, plan, phase, in_phase, criteria)


def _phase(plan: Plan | None, then: SystemState) -> tuple[Phase | None, bool]:
    """Return the phase that the system was in, or else the first with criteria; and which of the two."""
    if plan is None:
        return None, False
    present = plan.profile.phase(then.phase.name) if then.phase is not None else None
    if present is not None:
        return present, True
    return next((phase for phase in plan.profile.phases if phase.success), None), False
