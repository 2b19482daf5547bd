"""Evidence: recorded with what it was gathered for, and asked for before exposure is raised (I8)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from ledger.domain import events
from ledger.domain.decision import Decision, require_registered
from ledger.domain.errors import BadInput, GateClosed, Inconclusive, Refused, UnknownName
from ledger.domain.gates.state import Judged, JudgedPreflight
from ledger.domain.gates.verdicts import Verdict, waiver_for
from ledger.domain.log.ids import Actor, ActorKind
from ledger.domain.plans.state import PlannedPhase, PresentPhase
from ledger.domain.state import SystemState
from ledger.domain.values.durations import duration_text
from ledger.domain.values.moments import iso

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
        told = f"{what} needs a GO, and the last preflight is NO_GO{failed_in_words(last)}."
        raise GateClosed(told, hint=f"rollout preflight show {state.system} has all; then {run}")
    if last.fingerprint != state.fingerprint:
        raise GateClosed(
            f"{what} needs a GO for the configuration in force, and the last preflight was made for another.",
            hint=run,
        )
    if last.profile != state.profile_fingerprint:
        raise GateClosed(
            f"{what} needs a GO for the plan in force, and the last preflight was made for another.",
            hint=run,
        )
    _require_fresh(what, "preflight", last, max_age_seconds, now, run)


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
            f"The exit gate of {name} judged another configuration than the one in force.",
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
        return f"all that is asked of {name} is to last {_span(plan.min_seconds)}, and it has"
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
            f"{phase.name} has lasted {_span(lasted)} of the {_span(plan.min_seconds)} that the plan "
            "wants.",
            hint=f"rollout status {state.system} shows how long it still takes",
        )


def _require_fresh(
    what: str, kind: str, last: Judged, max_age_seconds: int, now: datetime, run: str
) -> None:
    age = (now - datetime.fromisoformat(last.at)).total_seconds()
    # One from the future is no evidence either: a clock was set back.
    if not 0 <= age <= max_age_seconds:
        raise GateClosed(
            f"{what} needs a {kind} not older than {_span(max_age_seconds)}, and the last is "
            f"{_span(age)} old.",
            hint=run,
        )


def waive(
    state: SystemState,
    waiver: str,
    *,
    subject: str,
    until: datetime,
    longest: timedelta,
    break_glass: bool,
    actor: Actor,
    reason: str | None,
    now: datetime,
) -> Decision:
    """Let something pass for a while: by a person, for a reason, until a time.

    Raises:
        Refused: no person asks for it, or no reason is given, or it would last longer than ``longest``.
        BadInput: the time has passed already.
    """
    require_registered(state)
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
            f"{_span((until - now).total_seconds())}.",
            hint=f"Say --until {most} or less, and renew it then; or set waivers: longest in the plan",
        )
    waived = events.GateWaived(
        waiver=waiver, subject=subject, until=iso(until), break_glass=break_glass
    )
    return Decision((waived,))


def revoke(state: SystemState, waiver: str) -> Decision:
    """End a waiver before its time."""
    require_registered(state)
    if waiver not in state.waivers:
        raise UnknownName(
            f"{state.system} has no waiver {waiver!r}.",
            hint=f"rollout gate show {state.system} shows them",
        )
    return Decision((events.WaiverRevoked(waiver=waiver),))


def _span(seconds: float) -> str:
    return duration_text(timedelta(seconds=int(seconds)), parts=2)
