"""The state machine of alerts: the for clock, no data, restarts, clock jumps."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings, strategies as st

from tests.support.judging import Desk, rule

HIGH = """alert: High
expr: ece > 0.1
for: 2m
labels: {severity: critical}
annotations: {summary: "{{ $labels.slice }} is at {{ $value }}", rollout_action: rollback}
"""


def desk(**changes: str) -> Desk:
    text = HIGH
    for name, value in changes.items():
        text = text.replace("for: 2m", f"for: 2m\n{name}: {value}")
    return Desk(rule(text))


def test_a_condition_has_to_last() -> None:
    """pending, then firing after `for`, then resolved, with the reason."""
    bot = desk()
    bot.sample("ece", 0.2)
    assert bot.look() == ["AlertPending High"]
    for _ in range(7):
        bot.sample("ece", 0.2)
        assert bot.look() == []
    bot.sample("ece", 0.2)
    assert bot.look() == ["AlertFired High"]
    alert = bot.recorder.load("bot").alerts["High"]
    assert alert.rule is not None
    assert alert.rule.action == "rollback"
    assert [r.alert for r in bot.recorder.load("bot").incidents.values()] == ["High"]
    bot.sample("ece", 0.05)
    assert bot.look() == ["AlertResolved High"]


def test_a_pending_alert_that_clears_never_fires() -> None:
    bot = desk()
    bot.sample("ece", 0.2)
    bot.look()
    bot.sample("ece", 0.05)
    assert bot.look() == ["AlertResolved High"]
    assert bot.recorder.load("bot").pending == {}


def test_a_series_that_vanishes_while_firing_does_not_resolve() -> None:
    """I8, lesson 2: it holds; after two minutes without data an alert of its own says so."""
    bot = Desk(rule(HIGH.replace("for: 2m", "for: 0s")))
    bot.lookback = timedelta(seconds=20)
    bot.sample("ece", 0.2, slice="tokyo")
    assert bot.look() == ['AlertFired High{slice="tokyo"}']
    assert bot.look() == ['NoDataDetected High{slice="tokyo"}']
    assert [bot.look() for _ in range(7)] == [[]] * 7
    assert bot.look() == ['AlertFired NoData(High{slice="tokyo"})']
    assert 'High{slice="tokyo"}' in bot.recorder.load("bot").alerts
    bot.sample("ece", 0.2, slice="tokyo")
    assert bot.look() == [
        'DataReturned High{slice="tokyo"}', 'AlertResolved NoData(High{slice="tokyo"})',
    ]  # fmt: skip
    assert 'High{slice="tokyo"}' in bot.recorder.load("bot").alerts


def test_the_clock_stands_still_while_there_is_no_data() -> None:
    """I8: time in which nothing was seen counts for nothing."""
    bot = desk()
    bot.lookback = timedelta(seconds=20)
    bot.sample("ece", 0.2)
    bot.look()
    for _ in range(20):
        bot.look()
    assert "High" in bot.recorder.load("bot").no_data
    bot.sample("ece", 0.2)
    assert "DataReturned High" in bot.look()
    assert "High" in bot.recorder.load("bot").pending
    fired = []
    while not fired:
        bot.sample("ece", 0.2)
        fired = [told for told in bot.look() if told == "AlertFired High"]
    active = bot.recorder.load("bot").alerts["High"]
    assert active.since > (active.active_since or active.since)


def test_a_watch_that_was_down_counts_for_nothing() -> None:
    """Scenario: the evaluator is down for 20 minutes during a 2-minute pending rule."""
    bot = desk()
    bot.sample("ece", 0.2)
    bot.look()
    bot.clock.advance(1200)
    bot.sample("ece", 0.2)
    assert bot.look() == ["DataReturned High"]
    for _ in range(7):
        bot.sample("ece", 0.2)
        assert bot.look() == []
    bot.sample("ece", 0.2)
    assert bot.look() == ["AlertFired High"]


def test_a_rule_that_never_had_data_says_so() -> None:
    """I8: a rule that guards nothing is told of, once."""
    bot = desk()
    assert bot.look() == ["NoDataDetected High"]
    assert bot.look(60) == []
    assert bot.look(60) == ["AlertFired NoData(High)"]
    assert bot.look(60) == []
    bot.sample("ece", 0.01)
    assert bot.look() == ["DataReturned High", "AlertResolved NoData(High)"]


def test_it_keeps_firing_for_a_while() -> None:
    bot = desk(keep_firing_for="5m")
    bot.sample("ece", 0.2)
    bot.look()
    for _ in range(8):
        bot.sample("ece", 0.2)
        bot.look()
    assert "High" in bot.recorder.load("bot").alerts
    bot.sample("ece", 0.05)
    assert bot.look() == ["AlertClearingBegun High"]
    bot.sample("ece", 0.2)
    assert bot.look() == ["AlertClearingCancelled High"]
    bot.sample("ece", 0.05)
    assert bot.look() == ["AlertClearingBegun High"]
    bot.sample("ece", 0.05)
    assert bot.look(299) == []
    bot.sample("ece", 0.05)
    assert bot.look(1) == ["AlertResolved High"]


def test_a_rule_applies_where_it_says() -> None:
    bot = Desk(rule(HIGH.replace("rollout_action: rollback", "rollout_applies_in: mode=real")))
    bot.facts = {"mode": "mock"}
    bot.sample("ece", 0.2)
    assert bot.look() == []
    bot.facts = {"mode": "real"}
    bot.sample("ece", 0.2)
    assert bot.look() == ["AlertPending High"]


def test_a_clock_set_back_neither_fires_nor_resolves() -> None:
    """I13: the wall clock may jump; the condition's is set by it, and nothing else happens."""
    bot = desk()
    bot.sample("ece", 0.2)
    bot.look()
    bot.clock.jump(-3600)
    bot.sample("ece", 0.2)
    assert bot.look() == ["DataReturned High"]
    assert "High" in bot.recorder.load("bot").pending


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["high", "low", "nothing"]), min_size=1, max_size=40),
    st.sets(st.integers(0, 40)),
)
def test_a_restart_changes_nothing(story: list[str], restarts: set[int]) -> None:
    """I14: whoever takes over goes on from the log alone; and what has no data never resolves (I8)."""
    one, two = desk(), desk()
    for step, seen in enumerate(story):
        for bot in (one, two):
            if seen != "nothing":
                bot.sample("ece", 0.2 if seen == "high" else 0.05)
        if step in restarts:
            fresh = desk()
            fresh.recorder, fresh.clock, fresh.last = two.recorder, two.clock, two.last
            fresh.series = two.series
            two = fresh
        told = one.look()
        assert two.look() == told
        if seen == "nothing" and step and story[step - 1] == "nothing":
            assert "AlertFired High" not in told or "high" in story[:step]


def test_what_began_after_the_last_look_on_record_fires_in_time() -> None:
    """I14: killed in the round that began it, the watch knows of a look an hour ago only."""
    bot = desk()
    bot.look()
    an_hour_ago = bot.last
    bot.clock.advance(3600)
    bot.sample("ece", 0.2)
    assert "AlertPending High" in bot.look_now()
    bot.last = an_hour_ago
    for _ in range(8):
        bot.sample("ece", 0.2)
        assert "AlertFired High" not in bot.look()
    bot.sample("ece", 0.2)
    assert bot.look() == ["AlertFired High"]


def test_a_clock_that_is_set_back_sets_the_condition_back_with_it() -> None:
    """I14, scenario 11: an hour back, and the alert still fires after its two minutes, not an hour later."""
    bot = desk()
    for _ in range(5):
        bot.sample("ece", 0.2)
        bot.look()
    bot.clock.jump(-3600)
    bot.sample("ece", 0.2)
    assert "DataReturned High" in bot.look()
    for _ in range(3):
        bot.sample("ece", 0.2)
        assert bot.look() == []
    bot.sample("ece", 0.2)
    assert bot.look() == ["AlertFired High"]
