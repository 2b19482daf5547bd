"""rollout report canary."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from cli import reporting
from cli.call import Call, system_command
from ledger.domain.decision import require_registered
from ledger.domain.state import SystemState
from ledger.folders import check_free
from ledger.profiles.phases import Phase
from ledger.profiles.plan import Plan
from ledger.service.core.plan_in_force import plan_of
from ledger.service.gates import evaluation
from projections.core.base import Db
from projections.queries import as_of
from projections.reports import canary as model
from projections.reports.canary import Judged
from projections.reports.window import window_of
from projections.reports.words import Words
from runtime.reports import Made
from runtime.wiring import Runtime


@system_command("canary")
@click.option("--run-tag", metavar="TAG", help="The run that it is about: its tag (the last run that "
              "had it), or '#POSITION' of its start. Default: the present phase, from when it was entered; "
              "without one, the last run.")  # fmt: skip
@reporting.out
@reporting.lang
@reporting.replace
def canary(call: Call, run_tag: str | None, out: Path, words: Words, replace: bool) -> None:
    """Write the acceptance report of a canary: service levels, slices, calibration, a recommendation.

    It says INCONCLUSIVE where too little was observed, and what is missing. The exit code is 0 whatever
    the verdict: `rollout gate eval` is what opens a gate.

    Example:
      rollout report canary ofi-cvd --run-tag 20251022_T+0_canary_v1 --out reports/T+0 --lang zh
    """
    check_free(out, model.names(), replace=replace)
    now = call.now()
    state = call.state()
    require_known(state)
    db = call.readmodel
    progress, done = call.runtime.progress("report"), 0

    def step() -> None:
        nonlocal done
        done += 1
        progress(done, model.STEPS + 1)

    with db.transaction():
        # What is appended meanwhile must not be in one part of the report and not in another.
        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        judged = _judged(call.runtime, db, state, run_tag, now)
        made = model.collect(db, judged, now=now, by=call.actor.name)
    step()
    files = model.files(made, words, step)
    wise = made.recommendation
    reporting.hand_out(
        call.runtime,
        Made(made.provenance, files),
        words,
        out,
        call.output,
        replaced=replace,
        facts={
            "verdict": made.verdict,
            "recommendation": wise.action,
            "approval": wise.approval,
            "samples": made.samples,
        },
        human=f"{made.verdict}: {words(f'canary.verdict.{made.verdict}')}",
    )


def require_known(state: SystemState) -> None:
    """Raise unless the ledger knows the system.

    Raises:
        UnknownName: it does not.
    """
    require_registered(state)


def _judged(
    runtime: Runtime, db: Db, today: SystemState, run_tag: str | None, now: datetime
) -> Judged:
    """Put the gate of then to the evidence of then."""
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
