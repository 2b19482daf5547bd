"""Phases, as tables: entered in order, left forward on evidence, held and aborted by anybody."""

from __future__ import annotations

from datetime import datetime, timedelta

from ledger.domain import events
from ledger.domain.configurations.state import PhaseMove
from ledger.domain.decision import Decision
from ledger.domain.errors import (
    ApprovalNeeded,
    BadInput,
    GateClosed,
    Inconclusive,
    ReasonRequired,
    Refused,
    UnknownName,
    UnknownSystem,
)
from ledger.domain.log.event import Event
from ledger.domain.log.ids import Actor
from ledger.domain.plans import decide as plans
from ledger.domain.state import SystemState
from tests.support.tables import (
    ANN,
    ONE,
    OTHER_PLAN,
    PLAN,
    REGISTERED,
    RULE,
    SERVICE,
    THREE,
    TWO,
    Case,
    Refuses,
    Skips,
    Told,
    When,
    adopted,
    applied,
    fold,
    kept,
    preflight,
    quarantined,
    table,
    waived,
)

FAR = "2099-01-01T00:00:00.000000Z"
HOUR = timedelta(hours=1)
QUORUM = events.Quorum(roles={"ops": 1}, expires_seconds=86400)
SHADOW = events.PlannedPhase(name="shadow", mode="mock", min_seconds=3600, gated=True)
MICRO = events.PlannedPhase(
    name="micro", mode="real", min_seconds=60, preflight_seconds=1800, approvals=QUORUM
)
SCALED = events.PlannedPhase(name="scaled", mode="real")
LIMITS, SCOPE = {"size": "2"}, {"symbols": ("BTC", "ETH")}


def enter(name: str, by: Actor = ANN) -> When:
    def when(state: SystemState, now: datetime) -> Decision:
        return plans.enter(state, name, by, now, limits=LIMITS, scope=SCOPE)

    return when


def advance(by: Actor = ANN) -> When:
    def when(state: SystemState, now: datetime) -> Decision:
        return plans.advance(state, by, now, limits=LIMITS, scope=SCOPE)

    return when


def scope(by: Actor = ANN, **covers: tuple[str, ...]) -> When:
    def when(state: SystemState, _now: datetime) -> Decision:
        return plans.change_scope(state, covers, by)

    return when


def entered(name: str, glass: str | None = None) -> Event:
    return events.PhaseEntered(phase=name, limits=LIMITS, scope=SCOPE, break_glass=glass)


def left(name: str, to: str | None = None, gate: int | None = None) -> Event:
    return events.PhaseAdvanced(from_phase=name, to_phase=to, gate_position=gate)


def judged(
    phase: str, verdict: str = "GO", fingerprint: str | None = ONE, profile: str = PLAN
) -> Event:
    return events.GateEvaluated.model_validate(
        {
            "phase": phase,
            "verdict": verdict,
            "fingerprint": fingerprint,
            "profile": profile,
            "criteria": (),
        }
    )


def asked(subject: str, fingerprint: str = ONE) -> Event:
    return events.ApprovalRequested(
        request="A-1",
        subject=subject,
        roles={"ops": 1},
        fingerprint=fingerprint,
        profile=PLAN,
        expires_at=FAR,
    )


GRANTED = Told(events.ApprovalGranted(request="A-1", role="ops", signed_on="2025-11-20"), who="bob")
PLANNED = (REGISTERED, applied(ONE), adopted(SHADOW, MICRO, SCALED))
IN_SHADOW = (*PLANNED, entered("shadow"))
IN_MICRO = (*IN_SHADOW, left("shadow", "micro"), entered("micro"))
IN_SCALED = (*IN_MICRO, left("micro", "scaled"), entered("scaled"))
HELD = (*IN_SHADOW, events.PhaseHeld(phase="shadow"))
ABORTED = (*IN_SHADOW, events.PhaseAborted(phase="shadow"))
COMPLETED = (*IN_SCALED, left("scaled"))
READY = (preflight(), asked("phase:micro"), GRANTED)


def long_ago(*given: Event | Told) -> list[Event | Told]:
    """The phase was entered an hour before the rest."""
    return [Told(entered("shadow"), ago_seconds=3600) if one == entered("shadow") else one
            for one in given]  # fmt: skip


ENTERING = [
    Case("an unknown system", (), enter("shadow"), Refuses(UnknownSystem, "no system 'bot'")),
    Case("no plan", (REGISTERED,), enter("shadow"), Refuses(UnknownName, "has no rollout plan")),
    Case("not in the plan", PLANNED, enter("shdow"), Refuses(UnknownName, "has no phase 'shdow'")),
    Case("the first", PLANNED, enter("shadow"), (entered("shadow"),)),
    Case("a rule", PLANNED, enter("shadow", RULE), Refuses(Refused, "never raises exposure")),
    Case("a service", PLANNED, enter("shadow", SERVICE), (entered("shadow"),)),
    Case("twice", IN_SHADOW, enter("shadow"), Skips("bot is in shadow already, since 2025-11-20")),
    Case(
        "the second, before the first was left",
        IN_SHADOW,
        enter("micro"),
        Refuses(Refused, "micro comes after shadow, and that has not been left forward."),
    ),
    Case(
        "the third, of which one is missing",
        (*IN_SHADOW, left("shadow")),
        enter("scaled"),
        Refuses(Refused, "scaled comes after micro"),
    ),
    Case(
        "the next one, without what it wants",
        (*IN_SHADOW, left("shadow")),
        enter("micro"),
        Refuses(Inconclusive, "the phase micro needs a preflight, and none was run."),
    ),
    Case(
        "the next one, without a yes",
        (*IN_SHADOW, left("shadow"), preflight()),
        enter("micro"),
        Refuses(ApprovalNeeded, "phase:micro of bot needs approval (ops), and nobody has asked"),
    ),
    Case(
        "a yes to another configuration",
        (*IN_SHADOW, left("shadow"), preflight(), asked("phase:micro", TWO), GRANTED),
        enter("micro"),
        Refuses(ApprovalNeeded, "the configuration has changed since it was given"),
    ),
    Case(
        "with all of it", (*IN_SHADOW, left("shadow"), *READY), enter("micro"), (entered("micro"),)
    ),
    Case(
        "the glass is broken for it",
        (*IN_SHADOW, left("shadow"), waived("break-glass:phase:micro", FAR)),
        enter("micro"),
        (entered("micro", "W-1"),),
    ),
    Case("an earlier one again", IN_SCALED, enter("shadow"), (entered("shadow"),)),
    Case("an earlier one, by a rule", IN_SCALED, enter("micro", RULE), (entered("micro"),)),
    Case(
        "after going back, the way forward is to be gone anew",
        (*IN_SCALED, entered("shadow")),
        enter("scaled"),
        Refuses(Refused, "scaled comes after shadow"),
    ),
    Case("the same, after an abort", ABORTED, enter("shadow"), (entered("shadow"),)),
    Case("the last, once completed", COMPLETED, enter("scaled"), (entered("scaled"),)),
]
LEAVING = [
    Case("in no phase", PLANNED, advance(), Refuses(Refused, "has not begun: it is in no phase")),
    Case("aborted", ABORTED, advance(), Refuses(Refused, "is aborted: it is in no phase")),
    Case("completed", COMPLETED, advance(), Refuses(Refused, "is completed: it is in no phase")),
    Case("a rule", IN_SHADOW, advance(RULE), Refuses(Refused, "the next phase: a rule never")),
    Case("held", HELD, advance(), Refuses(Refused, "shadow is held by ann: ann's reason.")),
    Case(
        "too early",
        (*IN_SHADOW, judged("shadow")),
        advance(),
        Refuses(Inconclusive, "shadow has lasted 59m59s of the 1h that the plan wants."),
        later=HOUR - timedelta(seconds=2),
    ),
    Case(
        "never judged",
        IN_SHADOW,
        advance(),
        Refuses(Inconclusive, "was not evaluated in this stay"),
        later=HOUR,
    ),
    Case(
        "judged in an earlier stay",
        (*IN_SHADOW, judged("shadow"), events.PhaseAborted(phase="shadow"), entered("shadow")),
        advance(),
        Refuses(Inconclusive, "was not evaluated in this stay"),
        later=HOUR,
    ),
    Case(
        "NO_GO",
        (*IN_SHADOW, judged("shadow", "NO_GO")),
        advance(),
        Refuses(GateClosed, "The exit gate of shadow says NO_GO."),
        later=HOUR,
    ),
    Case(
        "INCONCLUSIVE",
        (*IN_SHADOW, judged("shadow", "INCONCLUSIVE")),
        advance(),
        Refuses(Inconclusive, "could not tell"),
        later=HOUR,
    ),
    Case(
        "of another configuration",
        (*IN_SHADOW, judged("shadow", fingerprint=TWO)),
        advance(),
        Refuses(GateClosed, "judged another configuration"),
        later=HOUR,
    ),
    Case(
        "by another plan",
        (*IN_SHADOW, judged("shadow", profile=OTHER_PLAN)),
        advance(),
        Refuses(GateClosed, "judged by another plan"),
        later=HOUR,
    ),
    Case(
        "too old",
        (*IN_SHADOW, judged("shadow"), *READY),
        advance(),
        Refuses(GateClosed, "leaving shadow needs a verdict not older than 1h"),
        later=HOUR,
    ),
    Case(
        "a GO, and the next one wants a preflight",
        (*IN_SHADOW, judged("shadow")),
        advance(),
        Refuses(Inconclusive, "the phase micro needs a preflight"),
        later=HOUR,
    ),
    Case(
        "a GO, and all that the next one wants",
        long_ago(*IN_SHADOW, judged("shadow"), *READY),
        advance(),
        (left("shadow", "micro", 5), entered("micro")),
    ),
    Case(
        "a waived one",
        long_ago(*IN_SHADOW, judged("shadow", "WAIVED"), *READY),
        advance(),
        (left("shadow", "micro", 5), entered("micro")),
    ),
    Case(
        "the glass is broken for it, and not for the next",
        (*IN_SHADOW, waived("break-glass:phase:shadow", FAR)),
        advance(),
        Refuses(Inconclusive, "the phase micro needs a preflight"),
    ),
    Case(
        "the glass is broken for it",
        (*IN_SHADOW, waived("break-glass:phase:shadow", FAR), *READY),
        advance(),
        (left("shadow", "micro"), entered("micro", "W-1")),
    ),
    Case(
        "no criteria, and not long enough",
        IN_MICRO,
        advance(),
        Refuses(Inconclusive, "micro has lasted 0s of the 1m"),
    ),
    Case(
        "no criteria but to last",
        IN_MICRO,
        advance(),
        (left("micro", "scaled"), entered("scaled")),
        later=timedelta(seconds=60),
    ),
    Case("the last one", IN_SCALED, advance(), (left("scaled"),)),
    Case(
        "nothing is asked of it, nor before the next: nothing to go by",
        (REGISTERED, adopted(SCALED, events.PlannedPhase(name="all")), entered("scaled")),
        advance(),
        Refuses(Inconclusive, "The plan asks nothing of scaled, and nothing before all"),
    ),
    Case(
        "nothing is asked of it, but before the next",
        (REGISTERED, applied(ONE), adopted(SCALED, MICRO), entered("scaled"), *READY),
        advance(),
        (left("scaled", "micro"), entered("micro")),
    ),
]
STAYING = [
    Case("hold", IN_SHADOW, lambda s, _: plans.hold(s), (events.PhaseHeld(phase="shadow"),)),
    Case("held already", HELD, lambda s, _: plans.hold(s), Skips("held already, by ann")),
    Case("hold nothing", PLANNED, lambda s, _: plans.hold(s), Refuses(Refused, "in no phase")),
    Case(
        "release",
        HELD,
        lambda s, _: plans.release(s, ANN),
        (events.PhaseReleased(phase="shadow"),),
    ),
    Case("not held", IN_SHADOW, lambda s, _: plans.release(s, ANN), Skips("shadow is not held")),
    Case(
        "released by a rule",
        HELD,
        lambda s, _: plans.release(s, RULE),
        Refuses(Refused, "releasing a hold: a rule never raises exposure"),
    ),
    Case("abort", HELD, lambda s, _: plans.abort(s), (events.PhaseAborted(phase="shadow"),)),
    Case("abort twice", ABORTED, lambda s, _: plans.abort(s), Refuses(Refused, "is aborted")),
    Case("the same scope", IN_SHADOW, scope(symbols=("BTC", "ETH")), Skips("covers already")),
    Case(
        "a narrower scope, by a rule",
        IN_SHADOW,
        scope(RULE, symbols=("BTC",)),
        (
            events.ScopeChanged(
                phase="shadow",
                before={"symbols": ("BTC", "ETH")},
                after={"symbols": ("BTC",)},
            ),
        ),
    ),
    Case(
        "a wider one, by a rule",
        IN_SHADOW,
        scope(RULE, symbols=("BTC", "ETH", "ADA")),
        Refuses(Refused, "a wider scope: a rule never raises exposure"),
    ),
    Case(
        "as many, but another one, by a rule",
        IN_SHADOW,
        scope(RULE, symbols=("BTC", "ADA")),
        Refuses(Refused, "a wider scope"),
    ),
    Case(
        "of another kind, by a rule",
        IN_SHADOW,
        scope(RULE, symbols=("BTC", "ETH"), slices=("tokyo",)),
        Refuses(Refused, "a wider scope"),
    ),
]


def adopt(
    fingerprint: str = PLAN, environment: str = "production", reason: str | None = "scale"
) -> When:
    plan = events.ProfileAdopted(profile="plan", fingerprint=fingerprint, phases=(), guards={})
    return lambda state, _now: plans.adopt(
        state, plan, environment=environment, file="plan.yaml", reason=reason
    )


ADOPTING = [
    Case("an unknown system", (), adopt(), Refuses(UnknownSystem, "no system 'bot'")),
    Case("the first needs no reason", (REGISTERED,), adopt(reason=None), (adopted(),)),
    Case("for another environment", (REGISTERED,), adopt(environment="staging"),
         Refuses(BadInput, "plan.yaml is for staging, and bot is registered as production")),
    Case("the same again", (REGISTERED, adopted()), adopt(reason=None), Skips("is the plan already")),
    Case("another", (REGISTERED, adopted()), adopt(OTHER_PLAN), (adopted(fingerprint=OTHER_PLAN),)),
    Case("another, and nobody says why", (REGISTERED, adopted()), adopt(OTHER_PLAN, reason=None),
         Refuses(ReasonRequired, "takes the place of another plan")),
    Case("back to the first", (REGISTERED, adopted(), adopted(fingerprint=OTHER_PLAN)), adopt(),
         (adopted(),)),
]  # fmt: skip


@table(ADOPTING)
def test_adopting_a_plan(case: Case) -> None:
    """I9, I11: the next plan may take guards away, so somebody says why; the same again is nothing."""
    case.holds()


@table(ENTERING)
def test_entering_a_phase(case: Case) -> None:
    """I8, I9, I34: in order, on evidence; back is free, for rules too."""
    case.holds()


@table(LEAVING)
def test_leaving_a_phase_forward(case: Case) -> None:
    """I8: its gate's GO, in this stay, for what runs, fresh; and what the next one wants."""
    case.holds()


@table(STAYING)
def test_holding_releasing_aborting_and_covering(case: Case) -> None:
    """I9, I16: what keeps or lowers is free; a rule never lets go of a hold, nor widens a scope."""
    case.holds()


def overlaid(*more: Event) -> SystemState:
    """In micro, whose overlay made TWO of ONE; then ``more``."""
    move = events.PhaseEntered(phase="micro", before=ONE)
    before = (*IN_SHADOW, kept(ONE), kept(TWO), left("shadow", "micro"), applied(TWO), move)
    return fold((*before, *more))[0]


def test_an_abort_puts_back_what_the_overlay_took_the_place_of() -> None:
    """I10, I34: unless somebody has put another one in force since, or that one did harm."""
    assert plans.to_put_back(overlaid()) == ONE
    assert plans.to_put_back(overlaid(applied(THREE))) is None
    assert plans.to_put_back(overlaid(quarantined(ONE))) is None
    assert plans.to_put_back(fold(IN_SHADOW)[0]) is None


def test_a_move_ends_where_it_was_decided_unless_somebody_has_decided_otherwise() -> None:
    """I12: the intent to enter a phase is finished after a crash, once, and not over a later decision."""
    move = PhaseMove(phase="micro", left_forward="shadow", limits=LIMITS, scope=SCOPE)
    state, _ = fold(IN_SHADOW)
    begun = state.position + 1
    advanced, entering = plans.moved(state, move, begun)
    assert advanced == left("shadow", "micro")
    assert entering.payload() == {**entered("micro").payload(), "before": ONE}
    held, _ = fold(HELD)
    assert plans.moved(held, move, begun + 1) == ()
    later, _ = fold((*IN_SHADOW, events.PhaseAborted(phase="shadow"), entered("shadow")))
    assert plans.moved(later, move, begun) == ()
    back = PhaseMove(phase="shadow", limits=LIMITS, scope=SCOPE)
    scaled, _ = fold(IN_SCALED)
    assert plans.moved(scaled, back, scaled.position + 1) == (entered("shadow"),)


def test_what_enter_and_advance_decide_is_what_the_move_says() -> None:
    """The intent holds all of the decision: nothing is decided anew when it is finished."""
    decided = Decision((left("shadow", "micro", 5), entered("micro", "W-1")))
    assert plans.move_of(decided) == events.PhaseMove(
        phase="micro",
        left_forward="shadow",
        gate_position=5,
        limits=LIMITS,
        scope=SCOPE,
        break_glass="W-1",
    )


def test_how_much_longer_a_phase_has_to_last() -> None:
    """I8: counted from when it was entered; never below nothing."""
    state, now = fold(IN_SHADOW)
    assert plans.remaining_seconds(state, now + timedelta(minutes=20)) == 2400
    assert plans.remaining_seconds(state, now + 2 * HOUR) == 0
