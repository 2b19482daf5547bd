"""A rollout as a tree: the phase and how far it is, its gate, what waits, what was let pass, who watches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from ledger.domain.approvals.decide import missing, stale
from ledger.domain.approvals.state import ApprovalRequest
from ledger.domain.gates.decide import failed_in_words
from ledger.domain.gates.state import Judged
from ledger.domain.gates.verdicts import standing_waivers
from ledger.domain.plans.rollout_status import rollout_status
from ledger.domain.plans.state import PlanInForce, PresentPhase
from ledger.domain.state import SystemState
from ledger.domain.values.durations import seconds_text
from ledger.domain.values.moments import from_iso, iso
from projections.words.sentences import short
from runtime.rollout_status import Sign
from runtime.times import ago, shown

BAR_WIDTH: Final = 12
VERDICT_MARKS: Final = {"GO": "✔", "WAIVED": "✔", "NO_GO": "✖", "INCONCLUSIVE": "?"}


def rollout_lines(
    state: SystemState, now: datetime, sign: Sign, judged_with: str = ""
) -> list[tuple[str, str]]:
    """Return (label, text) of each line; the children of the phase hang on it.

    ``judged_with`` says by what the last preflight departed from the plan.
    """
    if state.profile is None:
        return [*_alerts(state, now), *_others(state, now, sign)]
    profile = state.profile
    status = rollout_status(state, now)
    named = f"{profile.name} ({short(profile.fingerprint)}): {status}"
    lines = [("plan", f"{named}  {_path(state, profile)}".rstrip())]
    children = [*_gates(state, now, judged_with), *_alerts(state, now), *_others(state, now, sign)]
    if state.phase is not None:
        lines.append(("phase", _phase(profile, state.phase, now)))
    hung = [
        (label, f"{'└─' if last else '├─'} {text}")
        for (label, text), last in zip(
            children, [False] * (len(children) - 1) + [True], strict=False
        )
    ]
    return lines + hung


def _phase(profile: PlanInForce, phase: PresentPhase, now: datetime) -> str:
    until = from_iso(phase.left_at) if phase.left_at is not None else now
    lasted = (until - from_iso(phase.since)).total_seconds()
    needed = next((plan.min_seconds for plan in profile.phases if plan.name == phase.name), 0)
    bar = ""
    if needed:
        done = min(BAR_WIDTH, int(BAR_WIDTH * lasted / needed))
        bar = f" / {seconds_text(needed)} {'▓' * done}{'░' * (BAR_WIDTH - done)}"
    held = f", held by {phase.held_by}" if phase.status == "held" else ""
    limits = ", ".join(f"{key} ≤ {value}" for key, value in phase.limits.items())
    scope = "; ".join(f"{key}: {', '.join(values)}" for key, values in phase.scope.items())
    bounds = "; ".join(filter(None, (limits, scope)))
    over = f", {phase.status}" if phase.is_over else ""
    return f"{phase.name} {seconds_text(lasted)}{bar}{held}{over}" + (
        f"  ({bounds})" if bounds else ""
    )


def _path(state: SystemState, profile: PlanInForce) -> str:
    """Return the phases in their order: those that were left forward, the present one, those to come."""
    marks = (
        (phase.name, "✔" if phase.name in state.phases_done else
         "●" if phase.name == state.phase_name else "○")
        for phase in profile.phases
    )  # fmt: skip
    return " → ".join(f"{mark} {name}" for name, mark in marks)


def _gates(state: SystemState, now: datetime, judged_with: str) -> Iterator[tuple[str, str]]:
    gate = state.gates.get(state.phase_name or "")
    if gate is not None:
        counts = " ".join(
            f"{mark} {gate.counts.get(result, 0)}"
            for result, mark in (("pass", "✔"), ("fail", "✖"), ("inconclusive", "?"))
        )
        yield "gate", f"{_verdict(state, gate, now)}  {counts}"
    if state.preflight is not None:
        last = state.preflight
        departed = f", {judged_with}" if judged_with else ""
        yield "preflight", f"{_verdict(state, last, now)}{departed}{failed_in_words(last)}"
    for name, waiver in standing_waivers(state, now).items():
        until = shown(from_iso(waiver.until))
        yield "waiver", f"! {name}: {waiver.subject} until {until} by {waiver.by}: {waiver.reason}"
    for name, asked in _last_of_each(state.approvals).items():
        lacking = ", ".join(f"{n} × {role}" for role, n in missing(asked).items())
        why = stale(state, asked, now)
        standing = (
            why.replace("_", " ") if why else (f"missing {lacking}" if lacking else "approved")
        )
        yield "approval", f"{name} {asked.subject}: {standing}"


def _verdict(state: SystemState, last: Judged, now: datetime) -> str:
    """Return a verdict, when it was, and whether it is about what is in force."""
    other = ""
    if last.fingerprint != state.fingerprint:
        other = ", for another configuration than the one in force"
    elif last.profile != state.profile_fingerprint:
        other = ", by another plan than the one in force"
    mark = "!" if other else VERDICT_MARKS[last.verdict]
    return f"{mark} {last.verdict} {ago(from_iso(last.at), now)}{other}"


def _last_of_each(approvals: Mapping[str, ApprovalRequest]) -> dict[str, ApprovalRequest]:
    """Return the last request on each subject: those before it are over."""
    by_subject = {asked.subject: name for name, asked in approvals.items()}
    return {name: approvals[name] for name in by_subject.values()}


def _alerts(state: SystemState, now: datetime) -> Iterator[tuple[str, str]]:
    for key, alert in state.pending.items():
        held = (now - from_iso(alert.active_since)).total_seconds()
        frozen = ", its clock stands still: no data" if key in state.no_data else ""
        yield "pending", f"◔ {key} {alert.severity}, for {seconds_text(held)}{frozen}"
    for key, since in state.no_data.items():
        if key not in state.pending:
            yield "no data", f"? {key} since {ago(from_iso(since), now)}"


def _others(state: SystemState, now: datetime, sign: Sign) -> Iterator[tuple[str, str]]:
    for each in state.mitigations.values():
        target = f" of {each.target}" if each.target else ""
        until = shown(from_iso(each.until))
        yield "mitigation", f"↓ {each.mitigation}{target}, {each.status}, until {until}"
    for name, silence in state.silences.items():
        if silence.until > iso(now):
            what = ", ".join(f"{key}={value}" for key, value in silence.matchers.items())
            until = shown(from_iso(silence.until))
            yield "silence", f"{name}: {what} until {until} by {silence.by}"
    for name, failure in state.failing.items():
        yield "failing", f"✖ {name}: {failure.explanation}"
    if state.run is not None:
        run = state.run
        yield (
            "run",
            f"{run.run} {run.status}, since {ago(from_iso(run.since), now)} on {run.host}",
        )
    if state.watch is not None:
        watch = state.watch
        by = f"by process {watch.pid} on {watch.host}, since {ago(from_iso(watch.since), now)}"
        if sign.silent_seconds is not None:
            by = f"✖ nobody watches: no sign of life for {seconds_text(sign.silent_seconds)} ({by})"
        yield "watch", by
