"""What keeps a rule from protecting is an alert of its own: people are told, and it ends by itself."""

from __future__ import annotations

from typing import Literal

from ledger.alerts import own
from ledger.domain import events
from ledger.domain.values.alert_actions import ACTING
from ledger.service.alerts.actions import _WAYS, OPEN_SECONDS, open_seconds
from tests.support.judging import rule
from tests.support.stories import Story

Outcome = Literal["done", "skipped", "failed"]


class Desk(Story):
    """A story of the rule `Slow`, which pauses; recorded as the watch does."""

    def fire(self) -> None:
        rule = events.Rule(name="Slow", expr="latency > 1", action="pause", argument="halt")
        self.tell(events.AlertFired(alert="Slow", severity="warning", message="slow", rule=rule))
        self.tell(
            events.IncidentOpened(incident="INC-1", title="slow", severity="warning", alert="Slow")
        )

    def acted(self, *taken: tuple[Literal["pause", "mitigate", "rollback"], Outcome]) -> list[str]:
        """Record what the rule did; return the events."""
        said = [
            events.AlertActionTaken(alert="Slow", action=action, outcome=outcome, explanation="so")
            for action, outcome in taken
        ]
        return self.record(*own.answered(self.state, said))

    def record(self, *found: events.Event) -> list[str]:
        for event in found:
            self.tell(event)
        return [event.type for event in found]


def test_a_pause_that_fails_is_told_once_and_until_it_succeeds() -> None:
    """I8: who is told that an alert fires takes it that its rule protects."""
    desk = Desk()
    desk.fire()
    assert desk.acted(("pause", "failed")) == ["AlertActionTaken", "AlertFired"]
    known = desk.state.alerts["ActionFailed(Slow)"]
    assert known.severity == "critical"
    assert known.message == "Slow is firing, and its rule could not pause: so"
    assert desk.acted(("pause", "failed")) == ["AlertActionTaken"]
    assert desk.acted(("pause", "done")) == ["AlertActionTaken", "AlertResolved"]
    assert list(desk.state.alerts) == ["Slow"]


def test_a_rollback_that_became_a_pause_has_protected() -> None:
    desk = Desk()
    desk.fire()
    assert desk.acted(("rollback", "failed"), ("pause", "done")) == ["AlertActionTaken"] * 2
    assert desk.acted(("rollback", "failed"), ("pause", "failed"))[-1] == "AlertFired"


def test_it_ends_with_what_was_to_be_acted_upon() -> None:
    desk = Desk()
    desk.fire()
    desk.acted(("mitigate", "failed"))
    assert desk.state.alerts["ActionFailed(Slow)"].severity == "warning"
    assert own.moot(desk.state) == ()
    desk.tell(events.AlertResolved(alert="Slow", how="condition_cleared"))
    assert desk.record(*own.moot(desk.state)) == ["AlertResolved"]
    assert not desk.state.alerts
    assert own.moot(desk.state) == ()


def test_an_escalation_that_fails_does_not_keep_itself_open() -> None:
    """Its failure is critical too: counted among what is open, it would outlast its cause for ever."""
    desk = Desk()
    rule = events.Rule(name="Long", expr=f"{OPEN_SECONDS} > 1800", action="rollback")
    desk.tell(events.AlertFired(alert="Long", severity="critical", message="long", rule=rule))
    failed = events.AlertActionTaken(alert="Long", action="rollback", outcome="failed")
    assert desk.record(*own.answered(desk.state, [failed]))[-1] == "AlertFired"
    desk.clock.advance(3600)
    assert open_seconds(desk.state, desk.clock.now())["critical"] == 0
    desk.fire()
    desk.acted(("pause", "failed"))
    desk.clock.advance(3600)
    assert open_seconds(desk.state, desk.clock.now())["critical"] >= 3600


def test_an_incident_names_everything_that_was_done_about_it() -> None:
    """What mitigated it first is recorded with the act itself; what follows is added."""
    desk = Desk()
    desk.fire()
    assert desk.acted(("pause", "done")) == ["AlertActionTaken"]
    desk.tell(events.IncidentMitigated(incident="INC-1", action="calm"))
    assert desk.acted(("pause", "skipped")) == ["AlertActionTaken"]
    assert desk.acted(("pause", "done")) == ["AlertActionTaken", "IncidentMitigated"]


def test_what_the_plan_no_longer_has_leaves_no_ghost() -> None:
    """Nobody looks at it any more, so nothing else could end it; what fires waits for a person."""
    desk = Desk()
    desk.fire()
    pending = 'Old{slice="a"}'
    desk.record(
        events.AlertPending(
            alert=pending, rule="Old", severity="critical", active_since="2026-01-01T00:00:00Z"
        ),
        events.NoDataDetected(alert=pending, since="2026-01-01T00:00:00Z"),
        events.AlertFired(alert=f"NoData({pending})", severity="warning", message="gone"),
        events.NoDataDetected(alert="Older", since="2026-01-01T00:00:00Z"),
        events.NoDataDetected(alert="Kept", since="2026-01-01T00:00:00Z"),
        events.EvaluationFailed(rule="source:rows", explanation="no such file"),
        *own.blind(desk.state, "Old", "infinite"),
    )
    kept = rule("alert: Kept\nexpr: x > 1\n")
    desk.record(*own.forgotten(desk.state, [kept], ["source:kept"]))
    state = desk.state
    assert (list(state.pending), list(state.no_data), list(state.failing)) == ([], ["Kept"], [])
    assert list(state.alerts) == ["Slow"]
    assert own.forgotten(desk.state, [kept], ["source:kept"]) == []


def test_every_action_has_a_way() -> None:
    """An action that a rule may name, and that nobody takes, would be found out in the hour of need."""
    assert _WAYS.keys() == ACTING


def test_a_rule_that_can_not_be_evaluated_is_told_once() -> None:
    """Lesson 9: a guard that is blind must not look like one that sees nothing wrong."""
    desk = Desk()
    found = desk.record(*own.blind(desk.state, "Slow", "division by zero"))
    assert found == ["EvaluationFailed", "AlertFired"]
    assert own.blind(desk.state, "Slow", "division by zero") == []
    assert desk.record(*own.seeing(desk.state, "Slow")) == ["EvaluationRecovered", "AlertResolved"]
    assert own.seeing(desk.state, "Slow") == []
    assert not desk.state.alerts
