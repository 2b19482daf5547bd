"""Switching modes, as tables: given what was recorded, when somebody switches, then what."""

from __future__ import annotations

from datetime import datetime, timedelta

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.errors import (
    ApprovalNeeded,
    BadInput,
    GateClosed,
    Inconclusive,
    Refused,
    StaleRevision,
    UnknownSystem,
)
from ledger.domain.log.event import Event
from ledger.domain.log.ids import Actor
from ledger.domain.modes.decide import raises, refusal, request
from ledger.domain.state import SystemState
from ledger.domain.values.actuation import Observed, Reading
from ledger.domain.values.modes import Mode, PauseKind
from tests.support.tables import (
    ANN,
    ONE,
    OPERATION,
    OTHER_PLAN,
    PLAN,
    REGISTERED,
    RULE,
    SERVICE,
    TWO,
    Case,
    Refuses,
    Skips,
    Told,
    When,
    adopted,
    applied,
    fold,
    preflight,
    switched,
    table,
    waived,
)

FAR, PAST = "2099-01-01T00:00:00.000000Z", "2000-01-01T00:00:00.000000Z"
HALT, REDUCE, DRAIN = PauseKind.HALT, PauseKind.REDUCE_ONLY, PauseKind.DRAIN


def seen(mode: Mode | None, kind: PauseKind | None = None, problem: str | None = None) -> Reading:
    return Reading("control_file", mode, kind, problem)


def to(
    target: Mode,
    kind: PauseKind | None = None,
    *,
    yes: Actor | None = ANN,
    world: tuple[Reading, ...] | None = None,
) -> When:
    def when(state: SystemState, now: datetime) -> Decision:
        return request(
            state, target, kind, actuators=("control_file",),
            observed=None if world is None else Observed(world), said_yes=yes, now=now,
        )  # fmt: skip

    return when


def asked(
    mode: str, kind: str | None = None, *, before: str | None = None, before_kind: str | None = None,
    glass: str | None = None,
) -> tuple[Event, ...]:  # fmt: skip
    return (
        events.ModeSwitchRequested.model_validate(
            {
                "from_mode": before, "from_kind": before_kind, "to_mode": mode, "to_kind": kind,
                "actuators": ("control_file",), "break_glass": glass,
            }
        ),
    )  # fmt: skip


def rejected(mode: str, before: str | None, kind: str | None, why: str) -> tuple[Event, ...]:
    return (
        events.ModeSwitchRejected.model_validate(
            {"from_mode": before, "from_kind": kind, "to_mode": mode, "explanation": why}
        ),
    )


MOCK = (REGISTERED, switched("mock"))
REAL = (*MOCK, switched("real"))
HALTED = (*REAL, switched("paused", "halt"))
UNDER_WAY = Told(
    events.ModeSwitchRequested(to_mode="mock", actuators=("control_file",)), operation=OPERATION
)
DRIFT = events.DriftDetected.model_validate(
    {"subject": "mode", "expected": "mock", "found": "real"}
)

RULES = [
    Case("an unknown system", (), to(Mode.MOCK), Refuses(UnknownSystem, "no system 'bot'")),
    Case("the first switch is to mock", (REGISTERED,), to(Mode.MOCK), asked("mock")),
    Case(
        "never straight to real",
        (REGISTERED,),
        to(Mode.REAL),
        rejected(
            "real", None, None, "bot was never switched: it can't be switched straight to real."
        ),
    ),
    Case("mock to real", MOCK, to(Mode.REAL), asked("real", before="mock")),
    Case(
        "real to mock, nobody says yes", REAL, to(Mode.MOCK, yes=None), asked("mock", before="real")
    ),
    Case(
        "a pause is a halt", REAL, to(Mode.PAUSED, yes=None), asked("paused", "halt", before="real")
    ),
    Case(
        "a pause that was never switched",
        (REGISTERED,),
        to(Mode.PAUSED, yes=None),
        asked("paused", "halt"),
    ),
    Case(
        "a pause by a rule",
        REAL,
        to(Mode.PAUSED, DRAIN, yes=RULE),
        asked("paused", "drain", before="real"),
    ),
    Case(
        "another kind of pause, though less strict",
        HALTED,
        to(Mode.PAUSED, REDUCE, yes=None),
        asked("paused", "reduce_only", before="paused", before_kind="halt"),
    ),
    Case(
        "paused to real",
        HALTED,
        to(Mode.REAL),
        rejected("real", "paused", "halt", "bot is paused: it can't be switched straight to real."),
    ),
    Case(
        "paused to mock", HALTED, to(Mode.MOCK), asked("mock", before="paused", before_kind="halt")
    ),
    Case(
        "a kind for a mode that is no pause",
        REAL,
        to(Mode.MOCK, HALT),
        Refuses(BadInput, "is no pause"),
    ),
]

NOTHING_TO_DO = [
    Case("it is in mock", MOCK, to(Mode.MOCK), Skips("already mock, since 2025-11-20T03:00:02")),
    Case(
        "it is paused, which is a halt", HALTED, to(Mode.PAUSED, HALT), Skips("already paused/halt")
    ),
    Case(
        "the world says so too",
        MOCK,
        to(Mode.MOCK, world=(seen(Mode.MOCK),)),
        Skips("already mock"),
    ),
    Case(
        "a source that names no kind does not contradict one",
        HALTED,
        to(Mode.PAUSED, HALT, world=(seen(Mode.PAUSED),)),
        Skips("already"),
    ),
    Case(
        "the world says otherwise",
        REAL,
        to(Mode.REAL, world=(seen(Mode.MOCK),)),
        asked("real", before="real"),
    ),
    Case(
        "one source of two can't tell",
        MOCK,
        to(Mode.MOCK, world=(seen(Mode.MOCK), seen(None, problem="it is gone"))),
        asked("mock", before="mock"),
    ),
    Case("a switch is under way", (*MOCK, UNDER_WAY), to(Mode.MOCK), asked("mock", before="mock")),
    Case("the mode drifted", (*MOCK, DRIFT), to(Mode.MOCK), asked("mock", before="mock")),
]

YES = [
    Case(
        "mock to real without a yes",
        MOCK,
        to(Mode.REAL, yes=None),
        Refuses(StaleRevision, "nobody said yes"),
    ),
    Case(
        "paused to mock without a yes",
        HALTED,
        to(Mode.MOCK, yes=None),
        Refuses(StaleRevision, "nobody said yes"),
    ),
    Case(
        "the first mode without a yes",
        (REGISTERED,),
        to(Mode.MOCK, yes=None),
        Refuses(StaleRevision, "nobody said"),
    ),
    Case(
        "mock to real by a rule",
        MOCK,
        to(Mode.REAL, yes=RULE),
        Refuses(Refused, "a rule never raises exposure"),
    ),
    Case(
        "mock to real by a service", MOCK, to(Mode.REAL, yes=SERVICE), asked("real", before="mock")
    ),
    Case(
        "paused by hand meanwhile: real to mock raises, then",
        REAL,
        to(Mode.MOCK, yes=None, world=(seen(Mode.PAUSED, HALT),)),
        Refuses(StaleRevision, "nobody said yes"),
    ),
    Case(
        "one of two sources is less exposed",
        REAL,
        to(Mode.MOCK, yes=None, world=(seen(Mode.REAL), seen(Mode.PAUSED, DRAIN))),
        Refuses(StaleRevision, "nobody said yes"),
    ),
    Case(
        "who can't tell says nothing",
        REAL,
        to(Mode.MOCK, yes=None, world=(seen(None, problem="gone"),)),
        asked("mock", before="real"),
    ),
    Case(
        "a pause never needs one, whatever the world says",
        HALTED,
        to(Mode.PAUSED, REDUCE, yes=None, world=(seen(Mode.PAUSED, DRAIN),)),
        asked("paused", "reduce_only", before="paused", before_kind="halt"),
    ),
]

GUARD = events.ModeGuard(
    preflight_seconds=1800, approvals=events.Quorum(roles={"ops": 1}, expires_seconds=86400)
)
GUARDED = (*MOCK, applied(ONE), adopted(real=GUARD))
REQUESTED = Told(
    events.ApprovalRequested(
        request="A-1", subject="mode:real", roles={"ops": 1}, fingerprint=ONE,
        profile=PLAN, expires_at=FAR,
    ),
    who="ann",
)  # fmt: skip
GRANTED = Told(events.ApprovalGranted(request="A-1", role="ops", signed_on="2025-11-20"), who="bob")
APPROVED = (*GUARDED, REQUESTED, GRANTED)

GUARDS = [
    Case(
        "no preflight",
        APPROVED,
        to(Mode.REAL),
        Refuses(Inconclusive, "needs a preflight, and none was run"),
    ),
    Case(
        "one that says no",
        (*APPROVED, preflight("NO_GO", ONE, PLAN, "disk")),
        to(Mode.REAL),
        Refuses(GateClosed, "the last preflight is NO_GO: disk."),
    ),
    Case(
        "one that could not tell",
        (*APPROVED, preflight("INCONCLUSIVE")),
        to(Mode.REAL),
        Refuses(Inconclusive, "could not tell"),
    ),
    Case(
        "one for another configuration",
        (*APPROVED, preflight(fingerprint=TWO)),
        to(Mode.REAL),
        Refuses(
            GateClosed, "the configuration in force, and the last preflight was made for another"
        ),
    ),
    Case(
        "one by another plan",
        (*APPROVED, preflight(profile=OTHER_PLAN)),
        to(Mode.REAL),
        Refuses(GateClosed, "the plan in force, and the last preflight was made for another"),
    ),
    Case("a fresh GO", (*APPROVED, preflight()), to(Mode.REAL), asked("real", before="mock")),
    Case(
        "a waived one",
        (*APPROVED, preflight("WAIVED")),
        to(Mode.REAL),
        asked("real", before="mock"),
    ),
    Case(
        "one of exactly that age",
        (*APPROVED, preflight()),
        to(Mode.REAL),
        asked("real", before="mock"),
        later=timedelta(seconds=1800),
    ),
    Case(
        "one that is a second older",
        (*APPROVED, preflight()),
        to(Mode.REAL),
        Refuses(GateClosed, "not older than 30m"),
        later=timedelta(seconds=1801),
    ),
    Case(
        "one from the future",
        (*APPROVED, preflight()),
        to(Mode.REAL),
        Refuses(GateClosed, "not older than"),
        later=timedelta(seconds=-1),
    ),
    Case(
        "nobody was asked",
        (*GUARDED, preflight()),
        to(Mode.REAL),
        Refuses(ApprovalNeeded, "nobody has asked for it"),
    ),
    Case(
        "nobody has said yes",
        (*GUARDED, REQUESTED, preflight()),
        to(Mode.REAL),
        Refuses(ApprovalNeeded, "still needs the yes of ops"),
    ),
    Case(
        "a pause needs nothing of it",
        GUARDED,
        to(Mode.PAUSED, yes=None),
        asked("paused", "halt", before="mock"),
    ),
    Case(
        "nor does going down",
        (*GUARDED, switched("real")),
        to(Mode.MOCK, yes=None),
        asked("mock", before="real"),
    ),
    Case(
        "the glass is broken",
        (*GUARDED, waived("break-glass:mode:real", FAR, break_glass=True)),
        to(Mode.REAL),
        asked("real", before="mock", glass="W-1"),
    ),
    Case(
        "a broken glass still needs a person",
        (*GUARDED, waived("break-glass:mode:real", FAR)),
        to(Mode.REAL, yes=RULE),
        Refuses(Refused, "a rule never raises exposure"),
    ),
    Case(
        "its time is over",
        (*GUARDED, waived("break-glass:mode:real", PAST)),
        to(Mode.REAL),
        Refuses(Inconclusive, "none was run"),
    ),
    Case(
        "the glass of another mode",
        (*GUARDED, waived("break-glass:mode:mock", FAR)),
        to(Mode.REAL),
        Refuses(Inconclusive, "none was run"),
    ),
    Case(
        "a mode that the plan does not guard",
        (*HALTED, adopted(real=GUARD)),
        to(Mode.MOCK),
        asked("mock", before="paused", before_kind="halt"),
    ),
]


@table(RULES)
def test_the_rules_of_modes(case: Case) -> None:
    """Seed 001: start in mock, to real only from mock; a refusal goes into the record."""
    case.holds()


@table(NOTHING_TO_DO)
def test_what_is_so_already_is_skipped(case: Case) -> None:
    """I16, I31: only where ledger and world both say so, and nothing is under way."""
    case.holds()


@table(YES)
def test_more_exposure_wants_somebody_s_yes(case: Case) -> None:
    """I9, I34: against what the ledger says and against what stands in the world."""
    case.holds()


@table(GUARDS)
def test_the_guards_of_the_plan(case: Case) -> None:
    """I8: a fresh GO for this configuration and this plan, and the yes of whom it names."""
    case.holds()


def test_what_is_refused_raises_nothing() -> None:
    """A switch that the rules refuse asks nobody for a yes."""
    halted, _ = fold(HALTED)
    assert not raises(halted, Mode.REAL, None, None)
    assert raises(halted, Mode.MOCK, None, None)
    assert "straight to real" in refusal(halted, Mode.REAL).message


def fires(severity: str = "critical", action: str = "pause") -> Event:
    return events.AlertFired.model_validate(
        {"alert": "Rejects", "severity": severity, "message": "m",
         "rule": {"name": "Rejects", "expr": "x > 1", "action": action}}
    )  # fmt: skip


def held(until: str, *, holds_actions: bool = True) -> Event:
    return events.AlertSilenced(
        silence="S-1", matchers={"alert": "Rejects"}, until=until, holds_actions=holds_actions
    )


PAUSED_INSTEAD = events.AlertActionTaken(alert="Rejects", action="pause", outcome="done")
ENDED = events.AlertResolved(alert="Rejects", how="condition_cleared")
ENDING = events.AlertClearingBegun(alert="Rejects", clear_since=PAST)
FIRING = Refuses(Refused, "The critical alert Rejects of bot is firing, and its rule pauses.")
LIVE = asked("real", before="mock")
SHADOW = adopted(events.PlannedPhase(name="shadow", mode="mock"), events.PlannedPhase(name="live"))


def entered(phase: str) -> Event:
    return events.PhaseEntered(phase=phase)


def kills(phase: str) -> Event:
    return events.AlertFired.model_validate(
        {"alert": f"kill:{phase}/x", "severity": "critical", "message": "m",
         "rule": {"name": f"kill:{phase}/x", "expr": "x > 1", "action": "pause"}}
    )  # fmt: skip


CAUSES = [
    Case("its cause persists", (*MOCK, fires()), to(Mode.REAL), FIRING),
    Case("to mock all the same", (REGISTERED, fires()), to(Mode.MOCK), asked("mock")),
    Case("a warning keeps nobody", (*MOCK, fires("warning")), to(Mode.REAL), LIVE),
    Case("nor what only tells", (*MOCK, fires(action="notify")), to(Mode.REAL), LIVE),
    Case("nor a rollback", (*MOCK, fires(action="rollback")), to(Mode.REAL), LIVE),
    Case("a rollback that became a pause", (*MOCK, fires(action="rollback"), PAUSED_INSTEAD),
         to(Mode.REAL), FIRING),
    Case("one of an earlier firing",
         (*MOCK, fires(action="rollback"), PAUSED_INSTEAD, ENDED, fires(action="rollback")),
         to(Mode.REAL), LIVE),
    Case("its cause is gone", (*MOCK, fires(), ENDED), to(Mode.REAL), LIVE),
    Case("and it fires a while longer", (*MOCK, fires(), ENDING), to(Mode.REAL), LIVE),
    Case("a person holds what rules do", (*MOCK, fires(), held(FAR)), to(Mode.REAL), LIVE),
    Case("and did", (*MOCK, fires(), held(PAST)), to(Mode.REAL), FIRING),
    Case("and holds only the telling", (*MOCK, fires(), held(FAR, holds_actions=False)),
         to(Mode.REAL), FIRING),
    Case("the glass is broken",
         (*MOCK, fires(), waived("break-glass:mode:real", FAR, break_glass=True)),
         to(Mode.REAL), asked("real", before="mock", glass="W-1")),
    Case("a kill criterion of this phase", (*MOCK, SHADOW, entered("live"), kills("live")),
         to(Mode.REAL), Refuses(Refused, "The critical alert kill:live/x of bot is firing")),
    Case("and of one that was left", (*MOCK, SHADOW, entered("live"), kills("liv")),
         to(Mode.REAL), LIVE),
    Case("a phase that is run in mock", (*MOCK, SHADOW, entered("shadow")), to(Mode.REAL),
         Refuses(Refused, "bot is in the phase shadow, which the plan has run in mock.")),
    Case("one that says nothing of it", (*MOCK, SHADOW, entered("live")), to(Mode.REAL), LIVE),
    Case("one that was aborted",
         (*MOCK, SHADOW, entered("shadow"), events.PhaseAborted(phase="shadow")),
         to(Mode.REAL), LIVE),
]  # fmt: skip


@table(CAUSES)
def test_real_waits_until_the_cause_of_a_pause_is_gone(case: Case) -> None:
    """I9, I31: and for the phase that the plan runs in real; a person who says so goes on all the same."""
    case.holds()
