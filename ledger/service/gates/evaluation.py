"""Exit gates: a phase's success criteria, put to what was recorded (I8)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final, Literal

from ledger.alerts import window_verdict
from ledger.alerts.promql import Expression, compile_expression
from ledger.alerts.series import SeriesStore
from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.gates import decide as gates
from ledger.domain.gates.verdicts import of_criteria, waiver_for
from ledger.domain.plans import decide as phases
from ledger.domain.state import SystemState
from ledger.domain.values.durations import seconds_text
from ledger.domain.values.moments import from_iso, shifted
from ledger.profiles.phases import Criterion, Phase
from ledger.service.core import sampling
from ledger.service.core.plan_in_force import plan_of
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger

RANK: Final = {"info": 0, "warning": 1, "critical": 2}
Result = Literal["pass", "warn", "fail", "inconclusive"]


def evaluate(
    ledger: Ledger, system: str, origin: Origin
) -> tuple[events.GateEvaluated, int] | Decision:
    """Put the exit gate of the present phase to what was recorded, and append what it says.

    Returns the event and its position; for a phase without criteria, which has no gate to evaluate, a
    skipped decision that says by what it may be left.

    Raises:
        UnknownName, Refused: the system has no plan, or is in no phase.
        Inconclusive: the phase has no criteria, and may not be left (see `gates.left_by`).
    """
    state = ledger.load(system)
    present = phases.present_phase(state)
    plan = plan_of(ledger, state)
    phase = plan.profile.phase(present.name)
    if phase is None:
        phases.planned(state, present.name)
        raise AssertionError  # planned() has told that the plan has no such phase
    now = ledger.recorder.clock.now()
    planned = phases.planned(state, phase.name)
    if not planned.gated:
        following = phases.next_phase(state)
        return Decision(skipped=gates.left_by(state, present, planned, following, now))
    criteria = judged(ledger, state, phase, from_iso(present.since), now)
    evaluated = events.GateEvaluated(
        phase=phase.name,
        verdict=of_criteria(criteria).value,
        fingerprint=state.fingerprint,
        profile=plan.fingerprint,
        criteria=criteria,
        waivers=tuple(sorted({one.waived_by for one in criteria if one.waived_by is not None})),
    )
    after, _ = ledger.recorder.decide(system, lambda _: Decision((evaluated,)), origin)
    return evaluated, after.gates[phase.name].position


def judged(
    ledger: Ledger, state: SystemState, phase: Phase, since: datetime, until: datetime
) -> tuple[events.CriterionResult, ...]:
    """Return what was recorded in [since, until] says of each criterion of ``phase``; appends nothing.

    ``state`` is the system as it was at ``until``.
    """
    evidence = _Evidence(ledger, state, phase, since, until)
    return tuple(evidence.judged(one) for one in phase.success)


class _Evidence:
    """What was recorded of a system since a phase began."""

    def __init__(
        self, ledger: Ledger, state: SystemState, phase: Phase, since: datetime, now: datetime
    ) -> None:
        self._state = state
        self._phase = phase
        self._now = now
        self._since = since
        self._series = SeriesStore()
        seen: dict[str, set[float]] = {}
        compiled = {
            one.name: compile_expression(one.expr, f"{phase.name}/{one.name}")
            for one in phase.success
            if one.expr is not None
        }
        self._compiled: Mapping[str, Expression] = compiled
        reach = max((one.reach_seconds for one in compiled.values()), default=0.0)
        start = min((self._start(one) for one in phase.success), default=now)
        for sample in sampling.read_samples(
            ledger.recorder.store, state.system, shifted(start, -timedelta(seconds=reach)), now
        ):
            at = sample.at.timestamp()
            self._series.add(sample.metric, sample.labels, at, sample.number)
            seen.setdefault(sample.metric, set()).add(at)
        # What was measured first may have been recorded last: files are brought in in any order.
        self._times = {metric: sorted(times) for metric, times in seen.items()}

    def _over(self, criterion: Criterion) -> timedelta:
        return criterion.over or self._phase.min_duration

    def _start(self, criterion: Criterion) -> datetime:
        return max(self._since, self._now - self._over(criterion))

    def judged(self, criterion: Criterion) -> events.CriterionResult:
        """Return what the evidence says of one criterion."""
        needed = int(self._over(criterion).total_seconds())
        expression = self._compiled.get(criterion.name)
        if expression is not None:
            metrics = expression.metrics
            result, measured, samples, detail = self._expression(criterion, expression)
        else:
            metrics = frozenset(self._times)
            result, measured, detail = self._events(criterion)
            samples = sum(len(self._within(metric, criterion)) for metric in metrics)
        # Every metric of an expression has to be seen; that nothing happened, by any of them.
        least = min if expression is not None else max
        observed = least((self._observed(criterion, metric) for metric in metrics), default=0)
        newest = least((self._newest(criterion, metric) for metric in metrics), default=0.0)
        if result == "pass" and observed + self._gaps_allowed(criterion, newest) < needed:
            result = "inconclusive"
            detail = f"{seconds_text(observed)} of {seconds_text(needed)} were observed"
        elif result == "pass" and samples < criterion.min_samples:
            result = "inconclusive"
            detail = f"{samples} of {criterion.min_samples} samples"
        subject = f"criterion:{self._phase.name}/{criterion.name}"
        return events.CriterionResult(
            name=criterion.name,
            result=result,
            measured=measured,
            threshold=_threshold(criterion),
            samples=samples,
            observed_seconds=observed,
            needed_seconds=needed,
            detail=detail,
            waived_by=waiver_for(self._state, subject, self._now) if result != "pass" else None,
        )

    def _within(self, metric: str, criterion: Criterion) -> list[float]:
        start = self._start(criterion).timestamp()
        return [at for at in self._times.get(metric, []) if at >= start]

    def _observed(self, criterion: Criterion, metric: str) -> int:
        """Return for how many seconds there were samples, gaps longer than allowed left out."""
        times = self._within(metric, criterion)
        allowed = criterion.max_gap.total_seconds()
        edges = [self._start(criterion).timestamp(), *times, self._now.timestamp()]
        if not times:
            return 0
        gaps = (two - one for one, two in pairwise(edges))
        return int(sum(gap for gap in gaps if gap <= allowed))

    def _newest(self, criterion: Criterion, metric: str) -> float:
        return max(self._within(metric, criterion), default=0.0)

    def _gaps_allowed(self, criterion: Criterion, newest: float) -> float:
        """Return how many seconds may lie in gaps: none while the time is not full, or a gap is not over."""
        begun, over = self._start(criterion), self._over(criterion)
        blind = self._now.timestamp() - newest
        if self._now - begun < over or blind > criterion.max_gap.total_seconds():
            return 0.0
        return criterion.gaps_allowed * over.total_seconds()

    def _expression(
        self, criterion: Criterion, expression: Expression
    ) -> tuple[Result, str, int, str]:
        asked = window_verdict.Asked(
            self._start(criterion).timestamp(),
            self._now.timestamp(),
            criterion.every.total_seconds(),
            criterion.max_gap.total_seconds(),
            criterion.failures_allowed,
            criterion.gaps_allowed,
        )
        answer = window_verdict.judged(expression, self._series, asked)
        samples = sum(len(self._within(metric, criterion)) for metric in expression.metrics)
        return answer.result, answer.measured, samples, answer.detail

    def _events(self, criterion: Criterion) -> tuple[Result, str, str]:
        start = self._start(criterion)
        if criterion.no_crashes:
            last, what = self._state.last_crash_at, "crash"
            open_ = []
        else:
            least = RANK[str(criterion.no_alerts)]
            what = f"{criterion.no_alerts} alert"
            open_ = [k for k, a in self._state.alerts.items() if RANK[a.severity] >= least]
            last = self._state.last_alert_at.get(str(criterion.no_alerts))
        if open_:
            return "fail", ", ".join(open_), f"open: {', '.join(open_)}"
        if last is not None and from_iso(last) >= start:
            return "fail", last, f"the last {what} was at {last}"
        return "pass", f"last {what}: {last or 'none'}", ""


def _threshold(criterion: Criterion) -> str:
    if criterion.expr is not None:
        return criterion.expr
    return "no crash" if criterion.no_crashes else f"no {criterion.no_alerts} alert"


def observed_text(criterion: Mapping[str, Any]) -> str:
    """Return how much was observed of how much is needed: ``8m of 1d``."""
    return f"{seconds_text(criterion['observed_seconds'])} of {seconds_text(criterion['needed_seconds'])}"
