"""Evidence: recorded with what it was gathered for, and asked for before exposure is raised (I8)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from ledger.domain import events
from ledger.domain.decision import Decision, require_registered
from ledger.domain.errors import BadInput, GateClosed, Inconclusive, Refused, UnknownName
from ledger.domain.gates.state import Judged, JudgedPreflight
from ledger.domain.gates.verdicts import Verdict, standing_waivers, waiver_for
from ledger.domain.log.ids import Actor, ActorKind
from ledger.domain.plans.state import PlannedPhase, PresentPhase
from ledger.domain.state import SystemState
from ledger.domain.values.durations import duration_text, seconds_text
from ledger.domain.values.moments import iso
from ledger.domain.values.spelling import did_you_mean

GATE_SECONDS: Final = 3600
"""How long an exit gate's GO holds: what happened since is no part of it."""
FAILED_NAMED: Final = 4
"""Of so many checks the names are told in a sentence."""


def require_preflight(state: SystemState, what: str, max_age_seconds: int, now: datetime) -> None:
    """Raise unless there is a fresh GO that was made for this configuration and this plan.

    Raises:
        GateClosed: the last one says no, or was made for something else, or is too old.
        Inconclusive: the last one could not tell, or there is none.
    """
    last = state.preflight
    run = f"rollout preflight run {state.system}"
    if last is None:
        raise Inconclusive(f"{what} needs a preflight, and none was run.", hint=run)
    verdict = Verdict(last.verdict)
    if verdict is Verdict.INCONCLUSIVE:
        raise Inconclusive(f"{what} needs a GO, and the last preflight could not tell.", hint=run)
    if not verdict.opens:
        message = f"{what} needs a GO, and the last preflight is NO_GO{failed_in_words(last)}."
        raise GateClosed(message, hint=f"rollout preflight show {state.system} has all; then {run}")
    if last.fingerprint != state.fingerprint:
        raise GateClosed(
            f"{what} needs a GO for the configuration in force, and the last preflight was made for "
            f"another{_otherwise_made(state, last.fingerprint)}.",
            hint=run,
        )
    if last.profile != state.profile_fingerprint:
        raise GateClosed(
            f"{what} needs a GO for the plan in force, and the last preflight was made for another.",
            hint=run,
        )
    _require_fresh(what, "preflight", last, max_age_seconds, now, run)


def _otherwise_made(state: SystemState, fingerprint: str | None) -> str:
    """Say so where two versions of the canonical form made a fingerprint and the one in force."""
    one, other = state.configs.get(fingerprint or ""), state.configs.get(state.fingerprint or "")
    if one is None or other is None or one.canonical_form == other.canonical_form:
        return ""
    return (
        f", by its fingerprint: that is of version {one.canonical_form} of the canonical form, the one in "
        f"force of version {other.canonical_form}, and they may say the same"
    )


def failed_in_words(preflight: JudgedPreflight) -> str:
    """Return the gravest of the checks that failed, and how many there are besides."""
    checks = preflight.failed
    more = f" and {len(checks) - FAILED_NAMED} more" if len(checks) > FAILED_NAMED else ""
    return f": {', '.join(checks[:FAILED_NAMED])}{more}" if checks else ""


def require_gate(
    state: SystemState,
    phase: PresentPhase,
    plan: PlannedPhase,
    following: PlannedPhase | None,
    now: datetime,
) -> None:
    """Raise unless the exit gate of the present phase said GO, in this stay, for what runs.

    ``plan`` is what the plan says of the phase, ``following`` what it says of the next one.

    Raises:
        GateClosed: it said no, or it judged something else.
        Inconclusive: it could not tell, was never asked, or the phase has not lasted long enough, or
            nothing is asked of it.
    """
    if not plan.gated:
        left_by(state, phase, plan, following, now)
        return
    _require_lasting(state, phase, plan, now)
    name = phase.name
    evaluate = f"rollout gate eval {state.system}"
    last = state.gates.get(name)
    if last is None or last.position < phase.position:
        raise Inconclusive(
            f"The exit gate of {name} was not evaluated in this stay.", hint=evaluate
        )
    verdict = Verdict(last.verdict)
    if verdict is Verdict.INCONCLUSIVE:
        raise Inconclusive(f"The exit gate of {name} could not tell.", hint=evaluate)
    if not verdict.opens:
        raise GateClosed(f"The exit gate of {name} says NO_GO.", hint=evaluate)
    if last.fingerprint != state.fingerprint:
        raise GateClosed(
            f"The exit gate of {name} judged another configuration than the one in force"
            f"{_otherwise_made(state, last.fingerprint)}.",
            hint=evaluate,
        )
    if last.profile != state.profile_fingerprint:
        raise GateClosed(f"The exit gate of {name} judged by another plan.", hint=evaluate)
    _require_fresh(f"leaving {name}", "verdict", last, GATE_SECONDS, now, evaluate)


def left_by(
    state: SystemState,
    phase: PresentPhase,
    plan: PlannedPhase,
    following: PlannedPhase | None,
    now: datetime,
) -> str:
    """Return by what a phase without success criteria may be left: `gate eval` and `phase advance` go by it.

    Raises:
        Inconclusive: it has not lasted long enough, or the plan asks for nothing at all, so there is no
            evidence (I8).
    """
    name = phase.name
    glass = waiver_for(state, f"break-glass:phase:{name}", now)
    if glass is not None:
        return f"the glass is broken for {name}, by {glass}"
    _require_lasting(state, phase, plan, now)
    if following is None:
        return f"{name} is the last phase, and no criteria are asked of it"
    if plan.min_seconds:
        return (
            f"all that is asked of {name} is to last {seconds_text(plan.min_seconds)}, and it has"
        )
    entry = ["a preflight"] if following.preflight_seconds is not None else []
    if following.approvals is not None and following.approvals.roles:
        entry.append(f"the approval of {', '.join(following.approvals.roles)}")
    if entry:
        return f"no criteria are asked of {name}; {following.name} needs {' and '.join(entry)}"
    raise Inconclusive(
        f"The plan asks nothing of {name}, and nothing before {following.name}: nothing to go by.",
        hint=f"Say under success in the plan what {name} has to show; or: "
        f"rollout gate waive {state.system} phase:{name} --break-glass --until 1h --reason …",
    )


def _require_lasting(
    state: SystemState, phase: PresentPhase, plan: PlannedPhase, now: datetime
) -> None:
    lasted = (now - datetime.fromisoformat(phase.since)).total_seconds()
    if lasted < plan.min_seconds:
        raise Inconclusive(
            f"{phase.name} has lasted {seconds_text(lasted)} of the {seconds_text(plan.min_seconds)} "
            "that the plan wants.",
            hint=f"rollout status {state.system} shows how long it still takes",
        )


def _require_fresh(
    what: str, kind: str, last: Judged, max_age_seconds: int, now: datetime, run: str
) -> None:
    age = (now - datetime.fromisoformat(last.at)).total_seconds()
    # One from the future is no evidence either: a clock was set back.
    if not 0 <= age <= max_age_seconds:
        raise GateClosed(
            f"{what} needs a {kind} not older than {seconds_text(max_age_seconds)}, and the last is "
            f"{seconds_text(age)} old.",
            hint=run,
        )


WAIVED_AXES: Final = ("check", "criterion")
BROKEN_AXES: Final = ("mode", "phase")
"""What is passed by breaking the glass only."""


def require_waivable(
    state: SystemState,
    subject: str,
    *,
    break_glass: bool,
    subjects: Collection[str],
    now: datetime,
) -> None:
    """Raise unless the plan has ``subject`` among its ``subjects``, and to waive it could change a verdict.

    Raises:
        BadInput: it is no subject, or is passed the other way.
        UnknownName: the plan has no such check, criterion, mode or phase: nothing would pass.
        Refused: it is a criterion of another phase than the present one, or the last that shows anything.
    """
    require_registered(state)
    axis, _, name = subject.partition(":")
    if not name or axis not in {*WAIVED_AXES, *BROKEN_AXES}:
        raise BadInput(f"{subject!r} can't be waived.", hint="check:NAME, criterion:PHASE/NAME, …")
    if (axis in BROKEN_AXES) != break_glass:
        raise BadInput(
            f"{subject} is passed by breaking the glass, and a check or a criterion by a waiver.",
            hint="Add --break-glass" if axis in BROKEN_AXES else "Leave --break-glass out",
        )
    if subject not in subjects:
        alike = [each for each in subjects if each.partition(":")[0] == axis]
        raise UnknownName(
            f"The plan of {state.system} has nothing that {subject!r} could let pass.",
            hint=did_you_mean(subject, alike)
            or f"It has: {', '.join(alike) or 'none of that kind'}",
        )
    if axis == "criterion":
        _require_effect(state, subject, subjects, now)


def _require_effect(
    state: SystemState, subject: str, subjects: Collection[str], now: datetime
) -> None:
    """Raise where a waiver of a criterion could change no verdict: it would only look like a way on."""
    name = subject.partition(":")[2]
    phase = name.partition("/")[0]
    if state.phase is None or state.phase.name != phase:
        present = f"in {state.phase.name}" if state.phase is not None else "in no phase"
        raise Refused(
            f"{state.system} is {present}: the gate of {phase} is not asked now, so nothing is waived.",
            hint=f"Waive it when {phase} is the present phase.",
        )
    waived = {one.subject for one in standing_waivers(state, now).values()} | {subject}
    if waived.issuperset(each for each in subjects if each.startswith(f"criterion:{phase}/")):
        raise Refused(
            f"With {name} waived no criterion of {phase} would be left, and no evidence is no pass.",
            hint=f"rollout gate waive {state.system} phase:{phase} --break-glass --until 1h --reason …",
        )


def waive(
    state: SystemState,
    subject: str,
    *,
    break_glass: bool,
    subjects: Collection[str],
    until: datetime,
    longest: timedelta,
    actor: Actor,
    reason: str | None,
    now: datetime,
) -> Decision:
    """Waive a subject of the plan: by a person, for a reason, until a time.

    Raises:
        Refused: no person asks for it, or no reason is given, or it would last longer than ``longest``,
            or it could change no verdict.
        BadInput, UnknownName: the time has passed already, or the plan has no such thing.
    """
    require_waivable(state, subject, break_glass=break_glass, subjects=subjects, now=now)
    if actor.kind is not ActorKind.HUMAN:
        raise Refused(f"{actor.name} is no person, and only a person can waive anything.")
    if not reason:
        raise Refused("A waiver needs a reason.", hint="Say why: --reason …")
    if until <= now:
        raise BadInput(f"A waiver until {iso(until)} would be over already.")
    if until - now > longest:
        most = duration_text(longest, parts=2)
        raise Refused(
            f"By the plan a waiver lasts {most} at most, and this one would last "
            f"{seconds_text((until - now).total_seconds())}.",
            hint=f"Say --until {most} or less, and renew it then; or set waivers: longest in the plan",
        )
    waived = events.GateWaived(
        # Named after its place in the log, which no other has.
        waiver=f"W-{state.revision + 1}",
        subject=f"break-glass:{subject}" if break_glass else subject,
        until=iso(until),
        break_glass=break_glass,
    )
    return Decision((waived,))


def require_go(state: SystemState, verdict: Verdict) -> None:
    """Raise unless the preflight that was just run lets a run start.

    Raises:
        Inconclusive: it could not tell.
        GateClosed: it says no.
    """
    if verdict is Verdict.INCONCLUSIVE:
        raise Inconclusive("The preflight could not tell: nothing was started.")
    if not verdict.opens:
        raise GateClosed(
            "The preflight says NO_GO: nothing was started.",
            hint=f"rollout preflight show {state.system}",
        )


def revoke(state: SystemState, waiver: str) -> Decision:
    """Revoke a waiver before its time."""
    require_registered(state)
    if waiver not in state.waivers:
        raise UnknownName(
            f"{state.system} has no waiver {waiver!r}.",
            hint=f"rollout gate show {state.system} shows them",
        )
    return Decision((events.WaiverRevoked(waiver=waiver),))
