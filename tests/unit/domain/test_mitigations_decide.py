"""Mitigations, as tables: given what was recorded, when somebody asks, tells or lifts, then what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.errors import ReasonRequired, Refused, UnknownName, UnknownSystem
from ledger.domain.log.event import Event
from ledger.domain.log.ids import Actor
from ledger.domain.mitigations import decide as mitigations
from ledger.domain.mitigations.decide import PlannedMitigation
from ledger.domain.operations import MitigateOperation
from ledger.domain.state import SystemState, operation_of
from ledger.domain.values.moments import iso
from tests.support.fakes import FrozenClock
from tests.support.tables import ANN, OPERATION, RULE, Case, Refuses, Skips, Told, When, fold, table

FILE = "/srv/bot/mitigations.json"
SYSTEM = (
    events.SystemRegistered(
        environment="production", actuators=events.Actuators(mitigation_file=FILE)
    ),
)
UNTOLD = events.SystemRegistered(environment="production", actuators=events.Actuators())
START = FrozenClock().now()
CALM = PlannedMitigation("calm", "pause_calibration", expires=timedelta(minutes=10))
LIGHTER = PlannedMitigation("lighter", "down_weight", "{{ $labels.slice }}", factor=0.5)
HOLD = PlannedMitigation("hold", "lock", "direction")
SMALLER = PlannedMitigation("smaller", "override", "size", change=-4, safer="lower")


def until(seconds: float) -> str:
    """The time so many seconds after the story began."""
    return iso(START + timedelta(seconds=seconds))


def requested(name: str = "calm", *, ends: float = 601, alert: str | None = None) -> Event:
    return events.MitigationRequested(
        mitigation=name, kind="pause_calibration", until=until(ends), alert=alert
    )


def applied(name: str = "calm") -> Event:
    return events.MitigationApplied(mitigation=name, path=FILE)


def lifted(name: str = "calm", how: str = "expired") -> Event:
    return events.MitigationLifted.model_validate({"mitigation": name, "how": how})


def opened(incident: str, alert: str | None) -> Event:
    return events.IncidentOpened(incident=incident, title="t", severity="critical", alert=alert)


def ask(
    planned: PlannedMitigation = CALM,
    *,
    target: str = "",
    labels: Mapping[str, str] | None = None,
    configured: str | None = None,
    alert: str | None = None,
) -> When:
    def when(state: SystemState, now: datetime) -> Decision:
        return mitigations.request(
            state, planned, target=target, labels=labels or {}, alert=alert,
            configured=configured, now=now,
        )  # fmt: skip

    return when


def written(*keys: str) -> When:
    def when(state: SystemState, now: datetime) -> Decision:
        return mitigations.file_written(state, keys, now, FILE)

    return when


def failed(*keys: str) -> When:
    return lambda state, _now: mitigations.file_not_written(state, keys, "disk full")


def lift(key: str = "calm", actor: Actor = ANN, reason: str | None = "over") -> When:
    return lambda state, _now: mitigations.lift(state, key, actor=actor, reason=reason)


IN_FORCE = (*SYSTEM, Told(requested(), operation=OPERATION), applied())
INCIDENTS = (opened("INC-1", "EceHigh"), opened("INC-2", None))

ASKED = [
    Case("an unknown system", (), ask(), Refuses(UnknownSystem, "no system 'bot'")),
    Case(
        "no file is registered", (UNTOLD,), ask(),
        Refuses(Refused, "no file for that is registered"),
    ),
    Case("asked for", SYSTEM, ask(), (requested(),)),
    Case("for an alert", SYSTEM, ask(alert="EceHigh"), (requested(alert="EceHigh"),)),
    Case("in force already", IN_FORCE, ask(), Skips("in force already, until")),
    Case(
        "its time is over", IN_FORCE, ask(), (requested(ends=1203),),
        later=timedelta(minutes=10),
    ),
    Case("asked for, and not told yet", (*SYSTEM, requested()), ask(), (requested(ends=602),)),
    Case(
        "a target without its label", SYSTEM, ask(LIGHTER), Refuses(Refused, "there is no label slice")
    ),
    Case(
        "a target with its label", SYSTEM, ask(LIGHTER, target="tokyo", labels={"slice": "tokyo"}),
        (
            events.MitigationRequested(
                mitigation="lighter", kind="down_weight", target="tokyo", factor="0.5",
                until=until(3601),
            ),
        ),
    ),
]  # fmt: skip

TELLING = [
    Case("written", (*SYSTEM, requested()), written("calm"), (applied(),)),
    Case(
        "asked for by another since: theirs to write", (*SYSTEM, requested(), requested("hold")),
        written("calm"), (applied(),),
    ),
    Case("written again", IN_FORCE, written("calm"), ()),
    Case(
        "over by now", (*SYSTEM, requested(ends=3), applied(), requested("hold", ends=5)),
        written("hold"), (lifted(), applied("hold")),
    ),
    Case(
        "the incident of its alert", (*SYSTEM, *INCIDENTS, requested(alert="EceHigh")), written("calm"),
        (applied(), events.IncidentMitigated(incident="INC-1", action="calm")),
    ),
    Case("of no alert, so of no incident", (*SYSTEM, *INCIDENTS, requested()), written("calm"), (applied(),)),
    Case(
        "an incident that is over",
        (*SYSTEM, *INCIDENTS, events.IncidentResolved(incident="INC-1"), requested(alert="EceHigh")),
        written("calm"), (applied(),),
    ),
    Case(
        "the file could not be written", (*IN_FORCE, requested("hold")), failed("calm", "hold"),
        (events.MitigationFailed(mitigation="hold", explanation="disk full"),),
    ),
]  # fmt: skip

LIFTING = [
    Case("an unknown system", (), lift(), Refuses(UnknownSystem, "no system 'bot'")),
    Case("by hand", IN_FORCE, lift(), (lifted(how="manual"),)),
    Case("without a reason", IN_FORCE, lift(reason=None), Refuses(ReasonRequired, "needs a reason")),
    Case("a rule takes no protection away", IN_FORCE, lift(actor=RULE), Refuses(Refused, "never raises")),
    Case("not in force", IN_FORCE, lift("clam"), Refuses(UnknownName, "no mitigation 'clam'")),
]  # fmt: skip


@table([*ASKED, *TELLING, *LIFTING])
def test_mitigations(case: Case) -> None:
    case.holds()


@pytest.mark.parametrize(
    ("planned", "configured", "then"),
    [
        (HOLD, '"long"', '"long"'),
        (HOLD, None, None),
        (replace(HOLD, value="short"), '"long"', '"short"'),
        (SMALLER, "9", "5"),
        (SMALLER, '"9"', "5"),
        (replace(SMALLER, min=6), "9", "6"),
        (replace(SMALLER, change=4), "9", "13 would raise"),
        (replace(SMALLER, change=4, max=8), "9", "8"),
        (replace(SMALLER, change=0), "9", "9"),
        (replace(SMALLER, change=-4, safer="higher"), "9", "5 would raise"),
        (replace(SMALLER, change=4, safer="higher"), "9", "13"),
        (replace(SMALLER, change=4, min=1, max=20, safer="either"), "9", "13"),
        (replace(SMALLER, change=None, value=4), "9", "4"),
        (replace(SMALLER, change=None, value=12), "9", "12 would raise"),
        (replace(SMALLER, change=None, value="small"), '"big"', '"small"'),
        (SMALLER, None, "is not set"),
        (SMALLER, '"big"', "can't be told what is safer"),
    ],
)
def test_the_value_on_the_safer_side(
    planned: PlannedMitigation, configured: str | None, then: str | None
) -> None:
    """I9: what would raise the exposure is refused, and so is what can't be compared."""
    state, now = fold(SYSTEM)
    when = ask(planned, target=planned.template, configured=configured)
    if then is not None and " " in then:
        with pytest.raises(Refused, match=then):
            when(state, now)
        return
    (event,) = when(state, now).events
    assert event.payload().get("value") == then


def test_what_was_begun_ends_with_its_outcome_whoever_records_it() -> None:
    """I12: the file holds them all, so who writes it may tell of what another had begun."""
    second = UUID(int=2)
    begun = (
        *SYSTEM,
        Told(requested(), operation=OPERATION),
        Told(requested("hold"), operation=second),
    )
    state, _ = fold(begun)
    assert operation_of(state, OPERATION, MitigateOperation).intent.key == "calm"
    for outcome in (
        applied(),
        lifted(),
        events.MitigationFailed(mitigation="calm", explanation="x"),
    ):
        state, _ = fold((*begun, Told(outcome, operation=second)))
        assert list(state.operations) == [str(second)]


def test_what_the_first_release_recorded_belongs_to_no_operation() -> None:
    """Then a mitigation was no operation: whoever comes next tells the system of it all the same."""
    state, now = fold((*SYSTEM, requested()))
    assert state.operations == {}
    assert not mitigations.settled(state, now)


def test_a_person_who_mitigates_has_not_decided_on_the_mode() -> None:
    """I9: a rule that fires before it still acts."""
    state, _ = fold((*SYSTEM, Told(requested(), operation=OPERATION)))
    assert state.human_position == 0
