"""Who is still to be told of what: by the log alone, whoever sent, was slow or died on the way."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from ledger.domain import events
from ledger.domain.alerts.evolve import SETTLED_MAX
from ledger.domain.values.durations import parse_duration
from ledger.notify.deliver import body_of, idempotency_key
from ledger.notify.specs import Channel, File, Webhook
from ledger.service.alerts.notifications import END_TRIES, Notice, Notifier, due, together
from tests.support.site import open_site
from tests.support.stories import Story

RULE = events.Rule(name="Slow", expr="latency > 1", action="pause", argument="halt")


def channel(name: str = "pager", **options: object) -> Channel:
    return Webhook(kind="webhook", name=name, url="${PAGER}", **options)  # type: ignore[arg-type] -- theirs


class Desk(Story):
    """A story of one alert, `Slow{slice="…"}`, and of the channels that are told of it."""

    def fire(self, slice_: str = "a", action: str = "pause") -> str:
        alert = f'Slow{{slice="{slice_}"}}'
        self.tell(
            events.AlertFired(
                alert=alert, severity="warning", message="slow", labels={"slice": slice_},
                rule=RULE.model_copy(update={"action": action}),
            )
        )  # fmt: skip
        return alert

    def end(self, alert: str) -> None:
        self.tell(events.AlertResolved(alert=alert, how="condition_cleared"))

    def due(self, *channels: Channel) -> list[Notice]:
        return due(self.state, channels or (channel(),), {}, self.clock.now())

    def keys(self, *channels: Channel) -> list[str]:
        return [f"{one.channel.name}: {one.messages[0].subject}" for one in self.due(*channels)]

    def sent(self, notice: Notice, *, ok: bool = True) -> None:
        """Record what came of a notice, as whoever sent it does."""
        for message in notice.messages:
            said = {"channel": notice.channel.name, "subject": message.subject, "key": message.key}
            given_up = message.status == "resolved" and notice.failures + 1 >= END_TRIES
            self.tell(
                events.NotificationDelivered(**said, attempts=1)
                if ok
                else events.NotificationFailed(
                    **said, attempts=4, explanation="HTTP 503", given_up=given_up or None
                )
            )


def test_an_end_is_told_though_the_alert_was_over_before_the_message_had_arrived() -> None:
    """I12: the outcome of a slow message, or of one whose sender died, comes in after the end."""
    desk = Desk()
    alert = desk.fire()
    (notice,) = desk.due()
    desk.end(alert)
    assert desk.keys() == []
    desk.sent(notice)
    desk.sent(notice)
    assert desk.keys() == ['pager: Slow{slice="a"} is resolved']
    desk.sent(*desk.due())
    assert desk.keys() == []


def test_who_was_not_told_that_it_fires_is_not_told_that_it_is_over() -> None:
    desk = Desk()
    alert = desk.fire()
    desk.sent(*desk.due(), ok=False)
    desk.end(alert)
    assert desk.keys() == []
    desk.end(desk.fire("b", action="record"))
    assert [known.alert for known in desk.state.ended.values()] == [alert]


def test_an_end_is_tried_again_and_then_given_up() -> None:
    """Every five minutes, for an hour: the log says when it is the last time."""
    desk = Desk()
    alert = desk.fire()
    desk.sent(*desk.due())
    desk.end(alert)
    for turn in range(END_TRIES):
        (notice,) = desk.due()
        assert notice.failures == turn
        desk.sent(notice, ok=False)
        assert desk.keys() == []
        desk.clock.advance(300)
    assert desk.keys() == []
    assert list(desk.recorder.store.read())[-1].data["given_up"] is True


def test_what_has_ended_is_not_kept_for_ever() -> None:
    """Of those that nobody is to be told of, the newest few; of the others, all."""
    desk = Desk()
    owed = desk.fire("owed")
    desk.sent(*desk.due())
    desk.end(owed)
    for number in range(SETTLED_MAX + 5):
        desk.end(desk.fire(str(number)))
    assert len(desk.state.ended) == SETTLED_MAX + 1
    assert desk.keys() == ['pager: Slow{slice="owed"} is resolved']


def test_a_channel_is_reminded_until_somebody_looks_after_it() -> None:
    """Under another key each time: a receiver must not take the reminder for a repeat."""
    desk = Desk()
    pager = channel(repeat=parse_duration("4h"))
    alert = desk.fire()
    keys = []
    for _ in range(3):
        (notice,) = desk.due(pager)
        keys.append(idempotency_key(notice.messages))
        desk.sent(notice)
        assert desk.due(pager) == []
        desk.clock.advance(4 * 3600)
    assert len(set(keys)) == 3
    assert desk.due() == []  # a channel that does not want that
    (late,) = desk.due(pager)
    desk.sent(late, ok=False)
    desk.clock.advance(300)
    assert desk.keys(pager) != []
    desk.tell(events.AlertAcknowledged(alert=alert))
    assert desk.due(pager) == []
    desk.end(alert)
    assert desk.keys(pager) == ['pager: Slow{slice="a"} is resolved']


def test_alerts_of_a_kind_are_one_message_where_a_channel_wants_that() -> None:
    desk = Desk()
    for name in "abc":
        desk.fire(name)
    whole, each = channel("chat", group_by=("alertname",)), channel("pager")
    found = together(desk.due(whole, each))
    assert [(one.channel.name, len(one.messages)) for one in found] == [
        ("chat", 3), ("pager", 1), ("pager", 1), ("pager", 1),
    ]  # fmt: skip
    body = body_of(found[0].messages)
    assert body["commonLabels"] == {"alertname": "Slow", "severity": "warning", "system": "bot"}
    assert [one["labels"]["slice"] for one in body["alerts"]] == ["a", "b", "c"]
    assert body["commonAnnotations"] == {"summary": "slow", "rollout_action": "pause halt"}
    assert len({one["fingerprint"] for one in body["alerts"]}) == 3
    by_slice = channel("chat", group_by=("alertname", "slice"))
    assert len(together(desk.due(by_slice))) == 3


def test_a_channel_that_hangs_keeps_no_other_from_being_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk()
    desk.fire()
    free = threading.Event()
    with open_site() as site:
        monkeypatch.setenv("PAGER", site.url)
        site.manner = lambda handler: (free.wait(20), handler.answer(200, b""))[1]
        notifier = Notifier(tmp_path)
        log = File(kind="file", name="log", path="told.jsonl")
        slow = channel(timeout=timedelta(seconds=30))
        notifier.tell(desk.due(slow, log))
        notifier.tell(desk.due(slow, log))
        told = notifier.finish(0.5)
        assert [one.payload()["channel"] for one in told] == ["log"]
        free.set()
        told = notifier.finish(20)
        assert [one.payload()["channel"] for one in told] == ["pager"]
        assert len(site.asked) == 1


def test_a_watch_of_months_forgets_what_the_log_knows(tmp_path: Path) -> None:
    """What was sent is sent once, and remembered for as long as the log does not say so, no longer."""
    desk, log = Desk(), File(kind="file", name="log", path="told.jsonl")
    notifier = Notifier(tmp_path)
    for number in range(20):
        alert = desk.fire(str(number))
        notifier.tell(desk.due(log))
        told = notifier.finish(20)
        notifier.tell(desk.due(log))  # the log could not be written: nothing is sent again
        assert notifier.finish(1) == []
        desk.tell(*told)
        desk.end(alert)
        notifier.tell(desk.due(log))
        desk.tell(*notifier.finish(20))
    notifier.tell(desk.due(log))
    assert len((tmp_path / "told.jsonl").read_text().splitlines()) == 40
    assert not notifier._taken
