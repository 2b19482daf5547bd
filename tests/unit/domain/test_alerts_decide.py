"""Alerts and incidents by hand, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from ledger.domain import events
from ledger.domain.alerts import decide as alerts
from ledger.domain.alerts.events import Rule
from ledger.domain.decision import Decision
from ledger.domain.errors import BadInput, ReasonRequired, Refused, UnknownName, UnknownSystem
from ledger.domain.log.event import Event
from ledger.domain.log.ids import Actor
from ledger.domain.state import SystemState
from ledger.domain.values.moments import iso
from tests.support.fakes import FrozenClock
from tests.support.tables import (
    ANN,
    OPERATION,
    REGISTERED,
    RULE,
    SERVICE,
    Case,
    Refuses,
    Skips,
    Told,
    When,
    fold,
    switched,
    table,
)

LABELS = {"slice": "tokyo"}


def fire(severity: str = "critical", alert: str = "EceHigh", message: str = "ECE 0.2") -> When:
    def when(state: SystemState, _now: datetime) -> Decision:
        return alerts.fire(
            state, alert, severity=severity, message=message, labels=LABELS, incident="INC-2"
        )

    return when


def fired(severity: str = "critical", alert: str = "EceHigh", message: str = "ECE 0.2") -> Event:
    return events.AlertFired.model_validate(
        {"alert": alert, "severity": severity, "message": message, "labels": LABELS}
    )


def opened(
    incident: str = "INC-2", alert: str | None = "EceHigh", title: str = "EceHigh: ECE 0.2"
) -> Event:
    return events.IncidentOpened(incident=incident, title=title, severity="critical", alert=alert)


def moved(status: alerts.IncidentStep, resolution: str = "") -> When:
    return lambda state, _now: alerts.move_incident(state, "INC-1", status, resolution=resolution)


ACKED = events.IncidentAcknowledged(incident="INC-1")
EASED = events.IncidentMitigated(incident="INC-1", action="pause")
SOLVED = events.IncidentResolved(incident="INC-1")
CLOSED = events.IncidentClosed(incident="INC-1")
SYSTEM = (REGISTERED,)
WARNED = (REGISTERED, fired("warning"))
FIRES = (REGISTERED, fired(), opened("INC-1"))
SEEN = (*FIRES, Told(events.AlertAcknowledged(alert="EceHigh"), who="bob"))
OVER = (*FIRES, events.AlertResolved(alert="EceHigh", how="manual"))


def silence(
    actor: Actor = ANN, reason: str | None = "maintenance", matchers: Mapping[str, str] = LABELS
) -> When:
    def when(state: SystemState, now: datetime) -> Decision:
        return alerts.silence(
            state, matchers, until=now + timedelta(hours=1), holds_actions=True, actor=actor,
            reason=reason,
        )  # fmt: skip

    return when


def silenced(name: str, seconds: float) -> Event:
    """A silence that ends so many seconds after the story began."""
    until = iso(FrozenClock().now() + timedelta(seconds=seconds))
    return events.AlertSilenced(silence=name, matchers=LABELS, until=until, holds_actions=True)


def ended(name: str, how: str = "expired") -> Event:
    return events.SilenceLifted.model_validate({"silence": name, "how": how})


def expired(state: SystemState, now: datetime) -> Decision:
    return alerts.expired_silences(state, now)


def twins(state: SystemState, _now: datetime) -> Decision:
    return alerts.twin_incidents(state)


RULED = events.AlertFired.model_validate(
    {
        "alert": "Slow", "severity": "critical", "message": "m",
        "rule": Rule(name="Slow", expr="x > 1", action="pause", argument="halt"),
    }
)  # fmt: skip
MITIGATED = RULED.model_copy(
    update={"rule": Rule(name="Slow", expr="x > 1", action="mitigate", argument="calm")}
)
TOLD_ONLY = RULED.model_copy(update={"rule": Rule(name="Slow", expr="x > 1", action="notify")})


def acted(outcome: str = "done", action: str = "pause") -> Event:
    return events.AlertActionTaken.model_validate(
        {"alert": "Slow", "action": action, "outcome": outcome}
    )


@pytest.mark.parametrize(
    ("given", "awaits"),
    [
        ((RULED,), True),
        ((RULED, acted()), False),
        ((RULED, acted("skipped")), False),
        ((RULED, acted("failed")), True),
        ((MITIGATED, acted("failed", "mitigate")), False),
        ((MITIGATED,), True),
        ((TOLD_ONLY,), False),
    ],
)
def test_whether_a_rule_has_to_act(given: tuple[Event, ...], awaits: bool) -> None:
    """I9: once an alert, again where it failed; and not at all where the rule only tells."""
    state, _ = fold((REGISTERED, *given))
    assert alerts.awaits_action(state.alerts["Slow"]) is awaits


BY_HAND = events.ModeSwitchRequested(to_mode="real", actuators=())
AGAIN = (RULED, acted(), events.AlertResolved(alert="Slow", how="condition_cleared"), RULED)


@pytest.mark.parametrize(
    ("given", "later_seconds", "why"),
    [
        ((RULED,), 0, None),
        ((RULED, BY_HAND), 0, "a person has decided since it fired"),
        ((BY_HAND, RULED), 0, None),
        (AGAIN, 0, "cools down until"),
        (AGAIN, 57, "cools down until"),
        (AGAIN, 58, None),
        (AGAIN, -3, None),
    ],
)
def test_why_a_rule_does_not_act(
    given: tuple[Event, ...], later_seconds: int, why: str | None
) -> None:
    """I9: never against a person, and not again and again; a clock that was set back tells nothing."""
    state, now = fold((REGISTERED, *(Told(one, operation=OPERATION) for one in given)))
    minute, at = timedelta(minutes=1), now + timedelta(seconds=later_seconds)
    why_not = alerts.why_not_to_act(state, state.alerts["Slow"], minute, at)
    assert (why_not is None) if why is None else (why_not is not None and why in why_not)


ROLLED = RULED.model_copy(update={"rule": Rule(name="Slow", expr="x > 1", action="rollback")})
LIVE, HALTED = switched("real"), switched("paused", "halt")
ENDING_SOON = events.AlertClearingBegun(alert="Slow", clear_since="2025-11-20T03:00:00.000000Z")


@pytest.mark.parametrize(
    ("given", "later_seconds", "fires_on", "has_to_pause"),
    [
        ((LIVE, ROLLED, acted(action="rollback")), 60, True, True),
        ((LIVE, ROLLED, acted(action="rollback")), 59, False, True),
        ((LIVE, ROLLED, acted(action="rollback"), ENDING_SOON), 90, False, True),
        ((LIVE, ROLLED, acted(action="rollback"), BY_HAND), 90, True, False),
        ((LIVE, ROLLED, acted("skipped", "rollback")), 90, True, True),
        ((LIVE, ROLLED, acted("skipped", "rollback"), BY_HAND), 90, False, False),
        ((LIVE, ROLLED, acted("failed", "rollback")), 90, False, True),
        ((LIVE, ROLLED), 90, False, True),
        ((LIVE, RULED, acted(), HALTED), 90, True, False),
        ((HALTED, RULED, acted("skipped")), 90, False, False),
        ((LIVE, MITIGATED, acted(action="mitigate")), 90, True, False),
        ((LIVE, TOLD_ONLY, acted(action="notify")), 90, False, False),
        ((LIVE, *AGAIN, acted("skipped")), 56, False, True),
        ((LIVE, *AGAIN, acted("skipped")), 57, True, True),
    ],
)
def test_what_did_not_help_is_followed_by_a_pause(
    given: tuple[Event, ...], later_seconds: int, fires_on: bool, has_to_pause: bool
) -> None:
    """I9: an alert that fires a minute after its rule has acted; never against a person."""
    state, now = fold((REGISTERED, *(Told(one, operation=OPERATION) for one in given)))
    alert, at = state.alerts["Slow"], now + timedelta(seconds=later_seconds)
    assert alerts.fires_on(state, alert, timedelta(minutes=1), at) is fires_on
    assert alerts.has_to_pause(state, alert) is has_to_pause


TWO_SILENCES = (REGISTERED, silenced("S-2", 3), silenced("S-3", 4))
TWICE = (*FIRES, opened("INC-2"), opened("INC-3", "Other"))
SILENCES = [
    Case("an unknown system", (), silence(), Refuses(UnknownSystem, "no system 'bot'")),
    Case("named after its place", SYSTEM, silence(), (silenced("S-2", 3601),)),
    Case("by a rule", SYSTEM, silence(RULE), Refuses(ReasonRequired, "needs a person")),
    Case("by a service", SYSTEM, silence(SERVICE), Refuses(ReasonRequired, "needs a person")),
    Case("without a reason", SYSTEM, silence(reason=None), Refuses(ReasonRequired, "and a reason")),
    Case("with a blank one", SYSTEM, silence(reason=" "), Refuses(ReasonRequired, "and a reason")),
    Case("of everything", SYSTEM, silence(matchers={}), Refuses(BadInput, "of everything is none")),
    Case("lifted", TWO_SILENCES, lambda s, _: alerts.lift_silence(s, "S-3"), (ended("S-3", "manual"),)),
    Case("lifted, and not there", TWO_SILENCES, lambda s, _: alerts.lift_silence(s, "S-9"),
         Refuses(UnknownName, "has no silence 'S-9'")),
    Case("one is over", TWO_SILENCES, expired, (ended("S-2"),)),
    Case("none is over", SYSTEM, expired, ()),
    Case("an incident that was opened twice", TWICE, twins,
         (events.IncidentResolved(incident="INC-2", resolution="opened twice: see INC-1"),)),
    Case("the first is over: no twin", (*TWICE, SOLVED), twins, ()),
]  # fmt: skip


@table(SILENCES)
def test_silences(case: Case) -> None:
    """I8, I11: by a person, for a reason, until a time; and what the watch ends by itself."""
    case.holds()


FIRING = [
    Case("an unknown system", (), fire(), Refuses(UnknownSystem, "no system 'bot'")),
    Case("a warning", SYSTEM, fire("warning"), (fired("warning"),)),
    Case("an info", SYSTEM, fire("info"), (fired("info"),)),
    Case("a critical one", SYSTEM, fire(), (fired(), opened())),
    Case(
        "a critical one without a word",
        SYSTEM,
        fire(message=""),
        (fired(message=""), opened(title="EceHigh")),
    ),
    Case("again", FIRES, fire(), Skips("EceHigh is firing already, since 2025-11-20T03:00:02")),
    Case("a warning that becomes critical", WARNED, fire(), (fired(), opened())),
    Case("a critical one that becomes a warning", FIRES, fire("warning"), (fired("warning"),)),
    Case(
        "another one",
        FIRES,
        fire(alert="Lag"),
        (
            fired(alert="Lag"),
            opened(alert="Lag", title="Lag: ECE 0.2"),
        ),
    ),
    Case("again, while its incident is open", OVER, fire(), (fired(),)),
    Case("again, while that is mitigated", (*OVER, EASED), fire(), (fired(),)),
    Case("again, once that is resolved", (*OVER, SOLVED), fire(), (fired(), opened())),
    Case("again, once that is closed", (*OVER, SOLVED, CLOSED), fire(), (fired(), opened())),
]
ENDING = [
    Case(
        "acknowledged, with its incident",
        FIRES,
        lambda s, _: alerts.acknowledge(s, "EceHigh"),
        (events.AlertAcknowledged(alert="EceHigh"), ACKED),
    ),
    Case(
        "its incident is mitigated already",
        (*FIRES, EASED),
        lambda s, _: alerts.acknowledge(s, "EceHigh"),
        (events.AlertAcknowledged(alert="EceHigh"),),
    ),
    Case(
        "acknowledged twice",
        SEEN,
        lambda s, _: alerts.acknowledge(s, "EceHigh"),
        Skips("was acknowledged already, by bob"),
    ),
    Case(
        "acknowledged, and not there",
        OVER,
        lambda s, _: alerts.acknowledge(s, "EceHigh"),
        Refuses(UnknownName, "has no open alert 'EceHigh'"),
    ),
    Case(
        "resolved by hand",
        FIRES,
        lambda s, _: alerts.resolve(s, "EceHigh"),
        (events.AlertResolved(alert="EceHigh", how="manual"),),
    ),
    Case(
        "resolved twice",
        OVER,
        lambda s, _: alerts.resolve(s, "EceHigh"),
        Refuses(UnknownName, "has no open alert 'EceHigh'"),
    ),
]
STAGES = {
    "open": FIRES,
    "acknowledged": (*FIRES, ACKED),
    "mitigated": (*FIRES, EASED),
    "resolved": (*FIRES, SOLVED),
}
STEPS: Mapping[alerts.IncidentStep, Event] = {
    "acknowledged": ACKED, "resolved": SOLVED, "closed": CLOSED,
}  # fmt: skip
ALLOWED = {
    "open": {"acknowledged", "resolved"},
    "acknowledged": {"resolved"},
    "mitigated": {"acknowledged", "resolved"},
    "resolved": {"closed"},
}


def step(before: str, after: alerts.IncidentStep) -> Case:
    when = moved(after)
    if before == after:
        return Case(f"{before} again", STAGES[before], when, Skips(f"INC-1 is {after} already"))
    if after in ALLOWED[before]:
        return Case(f"{before} to {after}", STAGES[before], when, (STEPS[after],))
    no = Refuses(Refused, f"INC-1 is {before}: it can't become {after}.")
    return Case(f"not {before} to {after}", STAGES[before], when, no)


MOVING = [
    *(step(before, after) for before in STAGES for after in STEPS),
    Case(
        "a closed one",
        (*FIRES, SOLVED, CLOSED),
        moved("closed"),
        Refuses(UnknownName, "has no incident 'INC-1' that is not closed"),
    ),
    Case(
        "resolved by a fix",
        FIRES,
        moved("resolved", "the feed is back"),
        (events.IncidentResolved(incident="INC-1", resolution="the feed is back"),),
    ),
    Case(
        "a note",
        STAGES["resolved"],
        lambda s, _: alerts.note_incident(s, "INC-1", "three fills"),
        (events.IncidentNoted(incident="INC-1", note="three fills"),),
    ),
    Case(
        "a note on nothing",
        SYSTEM,
        lambda s, _: alerts.note_incident(s, "INC-1", "three fills"),
        Refuses(UnknownName, "has no incident 'INC-1'"),
    ),
    Case(
        "opened by hand",
        SYSTEM,
        lambda s, _: alerts.open_incident(s, "INC-2", title="odd fills", severity="critical"),
        (opened(alert=None, title="odd fills"),),
    ),
]


@table(FIRING)
def test_raising_an_alert(case: Case) -> None:
    """I16: once while it fires; a critical one has an incident, and one only while that stands open."""
    case.holds()


@table(ENDING)
def test_acknowledging_and_resolving(case: Case) -> None:
    """I11, I16: what fires, and once."""
    case.holds()


@table(MOVING)
def test_an_incident_goes_one_way(case: Case) -> None:
    """open, acknowledged, mitigated, resolved, closed; and closed is closed."""
    case.holds()


def test_what_lowers_exposure_mitigates_what_stands_open() -> None:
    """The incidents that are open or acknowledged; not those that were mitigated or resolved before."""
    stages: list[Event] = [REGISTERED, *(opened(f"INC-{number}", None) for number in range(1, 5))]
    stages += [
        events.IncidentAcknowledged(incident="INC-2"),
        events.IncidentMitigated(incident="INC-3", action="pause"),
        events.IncidentResolved(incident="INC-4"),
    ]
    state, _ = fold(stages)
    assert alerts.mitigated_by(state, "rollback") == (
        events.IncidentMitigated(incident="INC-1", action="rollback"),
        events.IncidentMitigated(incident="INC-2", action="rollback"),
    )
