"""Who is not told: Alertmanager's matchers and inhibitions, silences, and what is shown of them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from ledger.alerts.muting import Inhibition, flags, inhibited_by, inhibitions
from ledger.domain.alerts.silencing import silenced_by
from ledger.domain.alerts.state import (
    Alert,
    ChannelTold,
    FiredRule,
    PendingAlert,
    SeverityName,
    Silence,
)
from ledger.domain.state import SystemState
from ledger.domain.values.moments import iso
from tests.support.fakes import START

LATER = iso(START + timedelta(hours=1))


def alert(name: str, severity: SeverityName = "warning", **labels: str) -> Alert:
    rule = FiredRule(action="notify", expr="x > 1", for_seconds=0, name=name)
    return Alert(
        severity=severity, message="", since=iso(START), position=1, labels=labels, rule=rule
    )


def silence(matchers: dict[str, str], *, holds_actions: bool = False) -> Silence:
    return Silence(
        matchers=matchers, until=LATER, holds_actions=holds_actions, by="ann", reason=None
    )


def state(**alerts: Alert) -> SystemState:
    return SystemState("bot", alerts=alerts)


def changes(of: SystemState, *rules: Inhibition) -> list[tuple[str, str, str | None]]:
    found = [(event.type, event.payload()) for event in inhibitions(of, rules)]
    return [(type_, data["alert"], data.get("by")) for type_, data in found]


def inhibition(source: list[str], target: list[str], *equal: str) -> Inhibition:
    return Inhibition(source_matchers=tuple(source), target_matchers=tuple(target), equal=equal)


@pytest.mark.parametrize(
    ("matcher", "matches"),
    [
        ('alertname="Slow"', True),
        ("alertname = Slow", True),
        ('severity!="critical"', True),
        ('slice=~"tok.*"', True),
        ('slice=~"tok"', False),
        ('slice!~"lon.*|ny"', True),
        ('system="bot"', True),
        ('nothing=""', True),
        ('nothing!=""', False),
    ],
)
def test_matchers_are_alertmanagers(matcher: str, matches: bool) -> None:
    """A regular expression matches as a whole; a label that is not there is empty."""
    both = state(Down=alert("Down"), Slow=alert("Slow", slice="tokyo"))
    found = changes(both, inhibition(['alertname="Down"'], [matcher, 'alertname!="Down"']))
    assert found == ([("AlertInhibited", "Slow", "Down")] if matches else [])


@pytest.mark.parametrize("matcher", ["", "severity", 'severity=~"("', "severity => x", '="x"'])
def test_a_matcher_that_is_none_is_refused(matcher: str) -> None:
    with pytest.raises(ValidationError):
        inhibition([matcher], ['severity="info"'])
    with pytest.raises(ValidationError):
        inhibition([], ['severity="info"'])


def test_labels_that_have_to_be_equal() -> None:
    """One that neither has is not the same: there, Alertmanager would mute everything."""
    rule = inhibition(["alertname=Down"], ["alertname=Slow"], "exchange")
    assert changes(state(Down=alert("Down"), Slow=alert("Slow")), rule) == []
    apart = state(Down=alert("Down", exchange="okx"), Slow=alert("Slow", exchange="deribit"))
    assert changes(apart, rule) == []
    same = state(Down=alert("Down", exchange="okx"), Slow=alert("Slow", exchange="okx"))
    assert changes(same, rule) == [("AlertInhibited", "Slow", "Down")]


def test_two_of_a_kind_do_not_mute_each_other() -> None:
    """Else of two critical alerts nobody would be told of either."""
    rule = inhibition(["severity=critical"], ["severity=~critical|warning"])
    three = state(A=alert("A", "critical"), B=alert("B", "critical"), C=alert("C"))
    assert changes(three, rule) == [("AlertInhibited", "C", "A")]


def test_rules_that_mute_in_a_circle_leave_one_to_be_told() -> None:
    """Else three alerts that each point at the next would be three that nobody hears of."""
    names = ("A", "B", "C")
    circle = [inhibition([f"alertname={a}"], [f"alertname={b}"]) for a, b in ("AB", "BC", "CA")]
    found = changes(state(**{name: alert(name) for name in names}), *circle)
    assert [(type_, name) for type_, name, _ in found] == [
        ("AlertInhibited", "A"), ("AlertInhibited", "B"),
    ]  # fmt: skip
    muted = {
        "A": replace(alert("A"), inhibited_by="C"), "B": replace(alert("B"), inhibited_by="A"),
        "C": alert("C"),
    }  # fmt: skip
    assert changes(state(**muted), *circle) == []


def test_it_ends_with_its_source_and_is_said_once() -> None:
    rule = inhibition(["alertname=Down"], ["alertname=Slow"])
    muted = replace(alert("Slow"), inhibited_by="Down")
    both = state(Down=alert("Down"), Slow=muted)
    assert changes(both, rule) == []
    assert inhibited_by(both, "Slow") == "Down"
    alone = state(Slow=muted)
    assert inhibited_by(alone, "Slow") is None
    assert changes(alone, rule) == [("InhibitionLifted", "Slow", None)]
    assert changes(both) == [("InhibitionLifted", "Slow", None)]


@pytest.mark.parametrize(
    ("matchers", "matches"),
    [
        ({"alert": "Slow"}, True),
        ({"alert": 'Slow{slice="tokyo"}'}, True),
        ({"slice": "tokyo"}, True),
        ({"severity": "warning", "slice": "tokyo"}, True),
        ({"severity": "warning", "slice": "ny"}, False),
        ({"alert": "Slo"}, False),
    ],
)
def test_a_silence_is_for_a_name_or_for_labels(matchers: dict[str, str], matches: bool) -> None:
    """It ends by itself, and holds actions only where it says so."""
    name = 'Slow{slice="tokyo"}'
    quiet = SystemState(
        "bot", alerts={name: alert("Slow", slice="tokyo")}, silences={"S-1": silence(matchers)}
    )
    assert (silenced_by(quiet, name, START) == "S-1") is matches
    assert silenced_by(quiet, name, START, actions=True) is None
    assert silenced_by(quiet, name, START + timedelta(hours=1)) is None


def test_a_silence_is_seen_on_what_is_still_pending() -> None:
    name = 'Slow{slice="tokyo"}'
    waiting = SystemState(
        "bot",
        pending={
            name: PendingAlert(
                rule="Slow", severity="warning", labels={"slice": "tokyo"}, active_since=iso(START)
            )
        },
        silences={"S-1": silence({"alert": "Slow"})},
        no_data={name: iso(START)},
    )
    assert flags(waiting, name, START) == [
        "silenced by ann until 2025-11-20T04:00Z (S-1)", "no data since 2025-11-20T03:00:00Z",
    ]  # fmt: skip


def test_everything_that_is_to_be_known_is_shown() -> None:
    slow = replace(
        alert("Slow"),
        acknowledged_by="bob",
        inhibited_by="Down",
        told={
            "pager": ChannelTold(ok=False, at=iso(START), failures=1, times=0),
            "desk": ChannelTold(ok=True, at=iso(START), failures=0, times=1),
        },
    )
    seen = SystemState(
        "bot",
        alerts={"Slow": slow, "Down": alert("Down")},
        silences={"S-1": silence({"alert": "Slow"}, holds_actions=True)},
        no_data={"Slow": iso(START)},
    )
    assert flags(seen, "Slow", START) == [
        "acknowledged by bob",
        "silenced by ann until 2025-11-20T04:00Z (S-1, actions held)",
        "inhibited by Down",
        "no data since 2025-11-20T03:00:00Z",
        "pager could not be told",
    ]
    assert flags(seen, "Down", START) == []
