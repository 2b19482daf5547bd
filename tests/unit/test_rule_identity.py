"""Whose alert it is: rules are told apart by name and labels, and each looks after its own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ledger.alerts.rules import load_rules, tell_apart
from ledger.alerts.vectors import EvaluationError
from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.errors import BadInput
from tests.support.judging import ORIGIN, Desk, rules_of

SOFT = "{alert: Drawdown, expr: drawdown > 3, for: 30s, labels: {severity: warning, level: soft}}"
HARD = "{alert: Drawdown, expr: drawdown > 5, for: 30s, labels: {severity: critical, level: hard}}"


def state_of(desk: Desk) -> tuple[list[str], list[str], list[str]]:
    """Return what fires, what is pending, and what has no data."""
    state = desk.recorder.load("bot")
    return sorted(state.alerts), sorted(state.pending), sorted(state.no_data)


def looked(desk: Desk, times: int, **values: float) -> list[list[str]]:
    """Look, each time with fresh values of metrics without labels."""
    told: list[list[str]] = []
    for _ in range(times):
        for metric, value in values.items():
            desk.sample(metric, value)
        told.append(desk.look())
    return told


@pytest.mark.parametrize("no_data", ["hold", "resolve", "fire"])
def test_two_rules_of_one_name_leave_each_others_alerts_alone(no_data: str) -> None:
    """02: neither ends the other's alert, calls it unseen, nor slows its clock down."""
    texts = [f"{t[:-1]}, annotations: {{rollout_no_data: {no_data}}}}}" for t in (SOFT, HARD)]
    desk = Desk(*rules_of(*texts))
    told = looked(desk, 5, drawdown=9)
    soft, hard = 'Drawdown{level="soft"}', 'Drawdown{level="hard"}'
    assert told[0] == [f"AlertPending {soft}", f"AlertPending {hard}"]
    assert told[2] == [f"AlertFired {soft}", f"AlertFired {hard}"]
    assert told[1] == told[3] == told[4] == []
    assert looked(desk, 1, drawdown=4) == [[f"AlertResolved {hard}"]]
    assert state_of(desk) == ([soft], [], [])


def test_a_rule_says_what_it_is_called_by_its_labels() -> None:
    """Cooldowns, blindness and missing data are of one rule, not of all that bear its name."""
    soft, hard = rules_of(SOFT, HARD)
    assert (soft.key, hard.key) == ('Drawdown{level="soft"}', 'Drawdown{level="hard"}')
    desk = Desk(soft, hard)
    assert desk.look() == [f"NoDataDetected {soft.key}", f"NoDataDetected {hard.key}"]


def test_severity_alone_tells_two_rules_apart() -> None:
    """28: accepted, as Prometheus accepts it; and each has an alert of its own."""
    filling = "{alert: Filling, expr: free < LIMIT, labels: {severity: SEVERITY}}"
    desk = Desk(
        *rules_of(
            filling.replace("LIMIT", "20").replace("SEVERITY", "warning"),
            filling.replace("LIMIT", "5").replace("SEVERITY", "page"),
        )
    )
    assert looked(desk, 1, free=3) == [
        ['AlertFired Filling{severity="warning"}', 'AlertFired Filling{severity="page"}']
    ]
    state = desk.recorder.load("bot")
    assert [one.severity for one in state.alerts.values()] == ["warning", "critical"]
    assert looked(desk, 1, free=9) == [['AlertResolved Filling{severity="page"}']]


def test_rules_whose_alerts_could_bear_the_same_labels() -> None:
    """A series may bring what only one of two rules gives: then an alert names its rule."""
    desk = Desk(*rules_of("{alert: A, expr: x > 1}", "{alert: A, expr: y > 1, labels: {team: b}}"))
    desk.sample("x", 2, team="b")
    desk.sample("y", 2)
    keys = ['A{team="b"} by rule', 'A{team="b"} by rule{team="b"}']
    assert desk.look() == [f"AlertFired {key}" for key in keys]
    desk.sample("x", 0, team="b")
    desk.sample("y", 2)
    assert desk.look() == [f"AlertResolved {keys[0]}"]


def test_the_same_rule_twice_is_refused() -> None:
    with pytest.raises(BadInput, match="two rules Drawdown with the same labels"):
        rules_of(SOFT, SOFT)


def test_telling_apart_what_is_told_apart_changes_nothing() -> None:
    rules = rules_of(
        SOFT, HARD, "{alert: A, expr: x}", "{alert: A, expr: x, labels: {severity: info}}"
    )
    assert tell_apart(rules) == rules


# --- rule labels over series labels ---


def test_several_series_under_one_alert() -> None:
    """03: it holds while one of them does, steadily; and clears with the last."""
    (rule,) = rules_of("{alert: Ece, expr: ece > 0.1, for: 30s, labels: {slice: any}}")
    desk = Desk(rule)
    told: list[list[str]] = []
    for tokyo in (0.3, 0.3, 0.3, 0.3, 0.01):
        desk.sample("ece", tokyo, slice="tokyo")
        desk.sample("ece", 0.02, slice="london")
        told.append(desk.look())
    key = 'Ece{slice="any"}'
    assert told == [
        [f"AlertPending {key}"],
        [],
        [f"AlertFired {key}"],
        [],
        [f"AlertResolved {key}"],
    ]


def test_two_that_hold_under_one_alert_are_an_error() -> None:
    """03: as in Prometheus; which of them the alert is about can't be told."""
    (rule,) = rules_of("{alert: Ece, expr: ece > 0.1, labels: {slice: any}}")
    desk = Desk(rule)
    desk.sample("ece", 0.3, slice="tokyo")
    desk.sample("ece", 0.4, slice="london")
    with pytest.raises(EvaluationError, match=r'rule\'s are laid over them: \{slice="tokyo"\}'):
        desk.look()


# --- a rule that was written anew ---


def relabelled(before: str, after: str) -> tuple[Desk, Desk]:
    """Return a desk with the first rule, and one that goes on from the same log with the second."""
    one, two = Desk(*rules_of(before)), Desk(*rules_of(after))
    two.recorder, two.clock, two.series = one.recorder, one.clock, one.series
    return one, two


def test_an_alert_of_labels_that_are_no_more_ends() -> None:
    """12: once the rule has said what is so now; until then the old one stands for it."""
    before = "{alert: Bad, expr: rate > 0.5, for: 15s, labels: {team: a}}"
    one, two = relabelled(before, before.replace("team: a", "team: b"))
    looked(one, 2, rate=0.9)
    two.last = one.last
    old, new = 'Bad{team="a"}', 'Bad{team="b"}'
    assert state_of(one)[0] == [old]
    assert looked(two, 2, rate=0.9) == [
        [f"AlertPending {new}"],
        [f"AlertFired {new}", f"AlertResolved {old}"],
    ]
    assert looked(two, 1, rate=0.1) == [[f"AlertResolved {new}"]]


def test_an_alert_of_labels_that_are_no_more_ends_with_its_condition() -> None:
    """12: it does not fire for ever, and roll a healthy configuration back for that."""
    before = "{alert: Bad, expr: rate > 0.5, labels: {team: a}}"
    one, two = relabelled(before, before.replace("team: a", "team: b"))
    looked(one, 1, rate=0.9)
    two.last, two.lookback = one.last, timedelta(seconds=20)
    assert two.look() == ['NoDataDetected Bad{team="b"}']
    assert state_of(two)[0] == ['Bad{team="a"}']  # of the new one nothing is seen yet
    assert looked(two, 1, rate=0.1) == [
        ['DataReturned Bad{team="b"}', 'AlertResolved Bad{team="a"}']
    ]


def test_an_alert_of_series_that_the_rule_no_longer_makes_ends() -> None:
    """12: the expression was by venue, and sums up now: of one venue it says nothing any more."""
    one, two = relabelled("{alert: Bad, expr: rate > 5}", "{alert: Bad, expr: sum(rate) > 50}")
    for desk in (one, two):
        desk.sample("rate", 9, venue="okx")
        desk.last = one.last
        desk.look()
    assert state_of(two) == ([], [], [])


def test_a_series_that_vanished_holds_under_a_new_threshold() -> None:
    """I8: another series with data is no reason to let go of the one that is not seen."""
    one, two = relabelled("{alert: Bad, expr: rate > 5}", "{alert: Bad, expr: rate > 6}")
    two.lookback = two.interval
    one.sample("rate", 9, venue="okx")
    one.look()
    two.last = one.last
    two.sample("rate", 1, venue="bybit")
    assert two.look() == ['NoDataDetected Bad{venue="okx"}']
    assert state_of(two)[0] == ['Bad{venue="okx"}']


def test_what_an_earlier_version_recorded_belongs_to_its_rule() -> None:
    """A ledger of before goes on: there an alert named its rule and no more."""
    desk = Desk(*rules_of(SOFT, HARD))
    rule = events.Rule(name="Drawdown", expr="drawdown > 5")
    fired = events.AlertFired(
        alert='Drawdown{level="hard"}', severity="critical", message="", rule=rule,
        labels={"level": "hard"},
    )  # fmt: skip
    desk.recorder.decide("bot", lambda _: Decision((fired,)), ORIGIN)
    desk.sample("drawdown", 1)
    assert desk.look() == ['AlertResolved Drawdown{level="hard"}']


# --- words and templates ---


def test_labels_are_filled_in_from_the_series() -> None:
    """11: as Prometheus does it; two venues are two exchanges."""
    (rule,) = rules_of(
        '{alert: Lag, expr: lag > 5, labels: {exchange: "{{ $labels.venue }}", at: "x-{{.Labels.venue}}", '
        'none: "{{ $labels.nosuch }}"}}'
    )
    desk = Desk(rule)
    desk.sample("lag", 9, venue="okx")
    desk.sample("lag", 1, venue="binance")
    assert desk.look() == ['AlertFired Lag{at="x-okx",exchange="okx",venue="okx"}']


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ $value }}", "another alert of each look"),
        ("{{ $labels.venue | toUpper }}", "may have"),
        ("{{ if true }}x{{ end }}", "may have"),
        ("{{ $labels.venue", "may have"),
        ("{{ $labels.__name__ }}", "may have"),
        ("{{ $externalLabels.cluster }}", "may have"),
    ],
)
def test_other_templates_in_labels_are_refused(template: str, why: str) -> None:
    """11: when the file is read, with the rule and its line; as they stand they would make all alike."""
    with pytest.raises(BadInput, match=rf"r.yaml, line 4, Lag: the label exchange .*{why}"):
        rules_of(f'{{alert: Lag, expr: lag > 5, labels: {{exchange: "{template}"}}}}')


@pytest.mark.parametrize("word", ["fatal", "sev1", "crit", "none", "waring", "{{ $labels.level }}"])
def test_a_severity_that_is_not_known_is_refused(word: str) -> None:
    """10: it was "info", of which nobody is told."""
    text = f'{{alert: Down, expr: x > 5, labels: {{severity: "{word}"}}}}'
    with pytest.raises(BadInput, match=r"r.yaml, line 4, Down: severity: .* is none that is known"):
        rules_of(text)
    content = f"groups:\n  - name: g\n    rules:\n      - {text}\n".encode()
    (adopted,) = load_rules(content, "r.yaml", adopted=True).rules
    assert (
        adopted.severity == "warning"
    )  # a plan that an earlier version took goes on, and is told of


def test_a_rule_that_says_no_severity_warns() -> None:
    """10: channels tell of warnings where nothing else is said."""
    (rule,) = rules_of("{alert: Down, expr: x > 5}")
    assert rule.severity == "warning"
