"""What a phase asks of the configuration, as tables: given what is in force, whether it lets it pass."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.errors import DriftFound, GateClosed, StaleRevision
from ledger.domain.log.event import Event
from ledger.domain.plans import configuration, decide as plans
from ledger.domain.state import SystemState
from ledger.domain.values.fingerprints import Plain
from ledger.profiles.phases import Phase
from tests.support.tables import (
    ONE,
    REGISTERED,
    THREE,
    TWO,
    Case,
    Refuses,
    When,
    adopted,
    applied,
    kept,
    quarantined,
    table,
)

SHADOW = events.PlannedPhase(name="shadow", mode="mock", min_seconds=0)
MICRO = events.PlannedPhase(name="micro", mode="real", min_seconds=0)
PLANNED = (REGISTERED, kept(ONE), kept(TWO), applied(ONE), adopted(SHADOW, MICRO))
IN_SHADOW = (*PLANNED, events.PhaseEntered(phase="shadow"))
LEFT = events.PhaseAdvanced(from_phase="shadow", to_phase="micro")
IN_MICRO = (*IN_SHADOW, LEFT, applied(TWO), events.PhaseEntered(phase="micro", before=ONE))
SAID = {"size": "5", "quoted": '"5.0"', "pair": '"BTC"', "live": "false", "text": '"nan"'}


def phase(exposure: Mapping[str, Plain] | None = None, **overlay: Plain) -> Phase:
    return Phase.model_validate(
        {"name": "micro", "exposure": dict(exposure or {}), "overlay": overlay}
    )


def allowed(asking: Phase, *texts: str) -> When:
    def when(state: SystemState, _now: datetime) -> Decision:
        configuration.require_allowed(state.system, asking, SAID, texts)
        assert not configuration.breaches(asking, SAID, texts)
        return Decision()

    return when


def closed(sentence: str) -> Refuses:
    return Refuses(GateClosed, f"The configuration is not that of micro: {sentence}.")


ALLOWED = [
    Case("asks nothing", PLANNED, allowed(phase()), ()),
    Case("at its most", PLANNED, allowed(phase({"size": 5})), ()),
    Case("above", PLANNED, allowed(phase({"size": 4.9})),
         closed("size is 5, more than the 4.9 of this phase")),
    Case("a number in quotes", PLANNED, allowed(phase({"quoted": 5})), ()),
    Case("above, in quotes", PLANNED, allowed(phase({"quoted": 4})),
         closed('quoted is "5.0", more than the 4 of this phase')),
    Case("not set", PLANNED, allowed(phase({"most": 5})), closed("most is not set, and has to be at most 5")),
    Case("no number", PLANNED, allowed(phase({"pair": 5})), closed('pair is "BTC", and has to be at most 5')),
    Case("a number that compares with none", PLANNED, allowed(phase({"text": 5})),
         closed('text is "nan", and has to be at most 5')),
    Case("another text", PLANNED, allowed(phase({"pair": "ETH"})),
         closed('pair is "BTC", and this phase has "ETH"')),
    Case("yes and no are no numbers", PLANNED, allowed(phase({"live": True})),
         closed("live is false, and this phase has true")),
    Case("its overlay stands there", PLANNED, allowed(phase(size=5, pair="BTC")), ()),
    Case("less than its overlay", PLANNED, allowed(phase(size=6)), closed("size is 5, and this phase has 6")),
    Case("a text, where there are others", PLANNED, allowed(phase(text="nan", quoted=5.0)),
         closed('quoted is "5.0", and this phase has 5')),
    Case("two at once", PLANNED, allowed(phase({"size": 1}, live=True)),
         closed("live is false, and this phase has true; size is 5, more than the 1 of this phase")),
]  # fmt: skip


@table(ALLOWED)
def test_what_a_phase_lets_pass(case: Case) -> None:
    """I8: a number is at most its limit, the rest is as asked; what can't be told is no pass."""
    case.holds()


def test_an_overlay_is_laid_where_all_of_it_is_said() -> None:
    """A `.env` says a number by its text."""
    assert configuration.is_laid_over(phase(a=5), {"a": '"5"'}, {"a"})
    assert not configuration.is_laid_over(phase(a=5, b=1), {"a": "5"}, ())


def in_force(asking: Phase | None, expected: str | None = None) -> When:
    def when(state: SystemState, _now: datetime) -> Decision:
        assert configuration.in_force_for(state, asking) == expected
        return Decision()

    return when


def as_recorded(in_place: str | None) -> When:
    def when(state: SystemState, _now: datetime) -> Decision:
        configuration.require_as_recorded(state, phase(size=5), in_place)
        return Decision()

    return when


def went_on(name: str | None) -> When:
    def when(state: SystemState, _now: datetime) -> Decision:
        plans.require_next(state, name)
        return Decision()

    return when


def aborts(before: str) -> When:
    return lambda state, _now: plans.abort_from(state, before)


BY_HAND = Refuses(
    DriftFound, "micro sets keys of the configuration, and the files of bot were changed"
)
MEANWHILE = Refuses(StaleRevision, "The rollout of bot went on meanwhile.")
OTHER_IN_FORCE = Refuses(
    StaleRevision, "Somebody has put something else in force in bot meanwhile."
)
NOTHING: tuple[Event, ...] = ()
LOOKED_AT = [
    Case("the last phase is left", PLANNED, in_force(None), NOTHING),
    Case("a phase that asks nothing", (REGISTERED,), in_force(phase()), NOTHING),
    Case("limits", PLANNED, in_force(phase({"size": 5}), ONE), NOTHING),
    Case("an overlay", PLANNED, in_force(phase(size=5), ONE), NOTHING),
    Case("limits, and nothing is in force", (REGISTERED,), in_force(phase({"size": 5})),
         Refuses(GateClosed, "micro has limits, and bot has no configuration in force.")),
    Case("the files are what is in force", PLANNED, as_recorded(ONE), NOTHING),
    Case("they were changed by hand", PLANNED, as_recorded(TWO), BY_HAND),
    Case("they can't be told", PLANNED, as_recorded(None), BY_HAND),
    Case("neither can be told", (REGISTERED,), as_recorded(None), BY_HAND),
    Case("the next is as looked up", IN_SHADOW, went_on("micro"), NOTHING),
    Case("the last is as looked up", IN_MICRO, went_on(None), NOTHING),
    Case("somebody advanced meanwhile", IN_MICRO, went_on("micro"), MEANWHILE),
    Case("somebody went back meanwhile", IN_SHADOW, went_on(None), MEANWHILE),
    Case("aborted, to put back", IN_MICRO, aborts(ONE), (events.PhaseAborted(phase="micro"),)),
    Case("another to put back", IN_MICRO, aborts(THREE), OTHER_IN_FORCE),
    Case("another is in force", (*IN_MICRO, applied(THREE)), aborts(ONE), OTHER_IN_FORCE),
    Case("it did harm meanwhile", (*IN_MICRO, quarantined(ONE)), aborts(ONE), OTHER_IN_FORCE),
]  # fmt: skip


@table(LOOKED_AT)
def test_what_was_looked_at_is_so_still(case: Case) -> None:
    """I8, I10: what stands by hand is laid under nothing; who acts on what has changed is told so."""
    case.holds()
