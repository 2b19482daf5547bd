"""People are told through a real webhook: at least once, by a key, and not while they asked for quiet."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ledger.domain.values.moments import iso
from tests.support.commands import KILLED, Rollout
from tests.support.outages import away
from tests.support.site import Handler, Site, open_site
from tests.support.watched import PROFILE, RULES, Desk

TOKEN = "T0KEN-b7f3c2d9e1"
CHANNELS = """
  - name: pager
    kind: webhook
    url: ${PAGER_URL}
    headers: {Authorization: "Bearer ${PAGER_TOKEN}"}
    min_severity: info
    attempts: ATTEMPTS
    timeout: 2s
inhibit:
  - source_matchers: ['alertname="LatencyHigh"']
    target_matchers: ['alertname=~"LatencyOdd|EceHigh"']
"""
QUIET = """
      - alert: Quiet
        expr: latency > 100
        annotations: {rollout_action: record}
"""
DESK = "notify: [{name: desk, kind: file, path: told.jsonl, min_severity: info}]"


def plan_with(attempts: int) -> str:
    return PROFILE.replace(DESK, f"notify:{CHANNELS.replace('ATTEMPTS', str(attempts))}")


@pytest.fixture
def site() -> Iterator[Site]:
    with open_site() as opened:
        yield opened


class Paged(Desk):
    """A desk whose pager is a webhook. Its rules' alerts come one by one, so that each can be followed."""

    def __init__(self, folder: Path, rollout: Rollout, site: Site, *, attempts: int = 1) -> None:
        self.site = site
        super().__init__(folder, rollout, profile=plan_with(attempts), rules=RULES + QUIET)

    @property
    def environment(self) -> dict[str, str]:
        url = f"{self.site.url}/hook/{TOKEN}?key={TOKEN}"
        return {**super().environment, "PAGER_URL": url, "PAGER_TOKEN": TOKEN}

    def told(self) -> list[tuple[str, str]]:
        """Return what the webhook was sent, in order: alert and status."""
        sent = [json.loads(asked.body) for asked in self.site.asked]
        return [(one["commonLabels"]["alertname"], one["status"]) for one in sent]

    def keys(self) -> list[str]:
        return [asked.headers["Idempotency-Key"] for asked in self.site.asked]

    def data(self, type_: str) -> list[Any]:
        """Return what the events of a type say."""
        rows = self.rollout.log("bot", type_)
        return [self("show", str(row["position"]), "-o", "json").json["data"] for row in rows]

    def alert(self, name: str) -> Any:
        rows = self("alert", "list", "bot", "-o", "json").json
        return next((row for row in rows if row["alert"] == name), None)


@pytest.fixture
def desk(tmp_path: Path, rollout: Rollout, site: Site) -> Paged:
    return Paged(tmp_path, rollout, site)


def test_a_webhook_that_fails_and_recovers(tmp_path: Path, rollout: Rollout, site: Site) -> None:
    """I6: tried again until it takes it, under one key; nothing of its URL is recorded or shown."""
    desk = Paged(tmp_path, rollout, site, attempts=4)

    def third_time(handler: Handler) -> None:
        handler.answer(200 if len(site.asked) >= 3 else 503, b"")

    site.manner = third_time
    desk("alert", "raise", "bot", "FeedDown", "--severity", "critical", "-m", "no book for 30 s")
    told = desk.once()
    assert desk.told() == [("FeedDown", "firing")] * 3
    assert len(set(desk.keys())) == 1
    assert site.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"
    body = json.loads(site.asked[0].body)
    assert body["commonAnnotations"]["summary"] == "no book for 30 s"
    assert [data["attempts"] for data in desk.data("NotificationDelivered")] == [3]
    everything = desk("log", "bot", "-o", "json").out + told.out + told.err
    assert TOKEN not in everything
    assert "/hook/" not in everything


def test_one_that_never_takes_it_is_tried_again_while_the_alert_fires(desk: Paged) -> None:
    """I6: each failure is recorded, five minutes apart, without the URL; an acknowledgement ends it."""
    desk.site.says(500)
    desk("alert", "raise", "bot", "FeedDown")
    told = [desk.once(15), desk.once(15), desk.once(290)]
    failed = [one for one in desk.data("NotificationFailed") if "FeedDown" in one["subject"]]
    assert [one["explanation"] for one in failed] == [f"{desk.site.url} answered 500"] * 2
    assert TOKEN not in "".join(one.out + one.err for one in told)
    assert "pager could not be told" in str(desk.alert("FeedDown")["flags"])
    desk("alert", "ack", "bot", "FeedDown")
    desk.once(600)
    assert [alert for alert, _ in desk.told()].count("FeedDown") == 2


def test_a_variable_that_is_not_set_is_named(desk: Paged) -> None:
    desk("alert", "raise", "bot", "FeedDown")
    desk.once(PAGER_TOKEN="")
    (data,) = desk.data("NotificationFailed")
    assert "the variable PAGER_TOKEN is not set" in data["explanation"]
    assert desk.site.asked == []


@pytest.mark.parametrize(
    ("place", "sent"),
    [("watch.after_evaluate", 1), ("notify.before_send", 1), ("notify.after_send", 2)],
)
@pytest.mark.parametrize("finisher", ["watch", "recover"])
def test_killed_between_the_alert_and_the_message(
    desk: Paged, place: str, sent: int, finisher: str
) -> None:
    """I12: whoever comes next sends it, under the same key, so a receiver can drop the repeat."""
    desk.stats(ece=0.05, latency=400)
    desk.once(exits=KILLED, ROLLOUT_FAIL_AT=place)
    if finisher == "watch":
        desk.once()
    else:
        assert "pager was told that LatencyOdd is firing" in desk("recover", "bot").out
    assert desk.told() == [("LatencyOdd", "firing")] * sent
    assert len(set(desk.keys())) == 1
    desk.once()
    desk("recover", "bot")
    assert len(desk.site.asked) == sent
    assert len(desk.rollout.log("bot", "NotificationDelivered")) == 1


def test_who_was_told_that_it_fires_is_told_that_it_is_over(desk: Paged) -> None:
    """The two belong together by their fingerprint; what is only recorded is told to nobody."""
    desk.stats(ece=0.05, latency=400)
    desk.once()
    assert desk.told() == [("LatencyOdd", "firing")]
    assert "Quiet" in {row["alert"] for row in desk("alert", "list", "bot", "-o", "json").json}
    desk.stats(ece=0.05, latency=50)
    desk.once()
    desk.once()
    assert desk.told() == [("LatencyOdd", "firing"), ("LatencyOdd", "resolved")]
    begun, ended = (json.loads(asked.body)["alerts"][0] for asked in desk.site.asked)
    assert begun["fingerprint"] == ended["fingerprint"]
    assert (
        begun["startsAt"]
        == ended["startsAt"]
        < ended["endsAt"]
        == iso(desk.now - timedelta(seconds=15))
    )
    assert begun["endsAt"] == "0001-01-01T00:00:00Z"
    assert ended["annotations"]["resolved_because"] == "condition cleared"
    assert len(set(desk.keys())) == 2


def test_killed_after_a_message_whose_alert_is_over_by_then(desk: Paged) -> None:
    """I12: whoever was told that it fires is told that it is over, though no record says they were."""
    desk.stats(ece=0.05, latency=400)
    desk.once(exits=KILLED, ROLLOUT_FAIL_AT="notify.after_send")
    assert desk.told() == [("LatencyOdd", "firing")]
    assert desk.happened("NotificationDelivered") == []
    desk.stats(ece=0.05, latency=50)
    desk.once()
    desk.once()
    assert desk.told() == [("LatencyOdd", "firing")] * 2 + [("LatencyOdd", "resolved")]
    assert len(set(desk.keys())) == 2


def test_one_message_for_what_belongs_together_and_a_reminder(
    tmp_path: Path, rollout: Rollout, site: Site
) -> None:
    """Three slices are one message; who has not said that they look after it hears of it again."""
    desk = Paged(tmp_path, rollout, site)
    channel = "name: pager, kind: webhook, url: '${PAGER_URL}', min_severity: info"
    plan = desk.folder / "plan.yaml"
    plan.write_text(
        PROFILE.replace(DESK, f"notify: [{{{channel}, group_by: [alertname], repeat: 1h}}]")
    )
    desk("profile", "adopt", "bot", plan)
    for slice_ in ("ny", "tokyo", "london"):
        desk("metrics", "put", "bot", "latency=400", "--label", f"slice={slice_}")

    def told() -> list[tuple[str, list[str]]]:
        """Return each message on LatencyOdd: its key, and the slices that it is about."""
        sent = [json.loads(asked.body) for asked in site.asked]
        return [
            (one["idempotencyKey"], [alert["labels"]["slice"] for alert in one["alerts"]])
            for one in sent
            if one["commonLabels"]["alertname"] == "LatencyOdd"
        ]

    desk.once(0)
    assert [slices for _, slices in told()] == [["ny", "tokyo", "london"]]
    records = [data for data in desk.data("NotificationDelivered") if "Odd" in data["subject"]]
    assert len(records) == 3
    desk.once(3590)
    assert len(told()) == 1
    desk("alert", "ack", "bot", 'LatencyOdd{slice="ny"}')
    desk.once(15)
    assert [slices for _, slices in told()] == [["ny", "tokyo", "london"], ["tokyo", "london"]]
    assert len({key for key, _ in told()}) == 2


def test_that_a_rule_could_not_pause_is_told(desk: Paged) -> None:
    """I8: who is told that LatencyHigh fires would take it that the bot is paused."""
    (desk.folder / "mode.json").unlink()
    (desk.folder / "mode.json").mkdir()
    desk.stats(ece=0.05, latency=600)
    desk.once()
    desk.once()
    assert ("ActionFailed(LatencyHigh)", "firing") in desk.told()
    sent = next(json.loads(a.body) for a in desk.site.asked if b"ActionFailed" in a.body)
    assert sent["commonLabels"]["severity"] == "critical"
    assert "its rule could not pause" in sent["commonAnnotations"]["summary"]
    assert "its rule failed to pause" in desk.alert("LatencyHigh")["flags"]
    (desk.folder / "mode.json").rmdir()
    desk.once(61)
    assert desk.mode() == "paused"
    desk.once()
    assert ("ActionFailed(LatencyHigh)", "resolved") in desk.told()


def test_a_silence_quiets_and_protects_all_the_same(desk: Paged) -> None:
    """A person asked for quiet, for a while: the rule pauses, nobody is told; afterwards they are."""
    desk("alert", "silence", "bot", "LatencyHigh", "--for", "10m", "--reason", "maintenance")
    desk.stats(ece=0.05, latency=600)
    desk.once()
    assert desk.mode() == "paused"
    assert "LatencyHigh" not in dict(desk.told())
    assert "silenced by ann until" in str(desk.alert("LatencyHigh")["flags"])
    assert "silenced by ann" in desk("status", "bot", exits=None).out
    desk.once(601)
    assert ("LatencyHigh", "firing") in desk.told()
    assert desk.happened("SilenceLifted") == ["SilenceLifted"]


def test_a_mistyped_silence_is_told(desk: Paged) -> None:
    """It is taken, for an alert may come from elsewhere; but nobody has to find out at three."""
    words = ("alert", "silence", "bot", "LatncyHigh", "--for", "10m", "--reason", "maintenance")
    assert "did you mean 'LatencyHigh'?" in desk(*words).err
    words = ("alert", "silence", "bot", "LatencyHigh", "--for", "10m", "--reason", "maintenance")
    assert "note:" not in desk(*words).err


def test_a_silence_may_hold_the_action_too(desk: Paged) -> None:
    """Only where a person says so; when it ends, the rule acts."""
    desk("alert", "silence", "bot", "LatencyHigh", "--for", "10m", "--hold-actions")
    desk.stats(ece=0.05, latency=600)
    desk.once()
    assert desk.mode() == "real"
    desk.once(601)
    desk.once()
    assert desk.mode() == "paused"


def test_one_alert_inhibits_another(desk: Paged) -> None:
    """While LatencyHigh fires nobody is told of LatencyOdd, but what its rule does is done."""
    desk.stats(ece=0.05, latency=600)
    desk.once()
    assert desk.told() == [("LatencyHigh", "firing")]
    assert json.loads((desk.folder / "mitigations.json").read_text())["mitigations"]
    assert "inhibited by LatencyHigh" in desk.alert("LatencyOdd")["flags"]
    assert "inhibited by LatencyHigh" in desk("status", "bot", exits=None).out
    assert "inhibited by LatencyHigh" in desk("explain", "bot").out
    desk.stats(ece=0.05, latency=400)
    desk.once()
    assert desk.happened("AlertInhibited", "InhibitionLifted") == [
        "AlertInhibited", "InhibitionLifted",
    ]  # fmt: skip
    desk.once()
    assert ("LatencyOdd", "firing") in desk.told()


def test_a_watch_that_was_silent_is_told_of(desk: Paged) -> None:
    """Lesson 9: that nobody watched reaches people, and ends with the second look in time."""
    desk.once()
    desk.once(600)
    assert ("WatchWasSilent", "firing") in desk.told()
    assert desk.alert("WatchWasSilent")["status"] == "firing"
    desk.once()
    assert desk.alert("WatchWasSilent") is None
    assert ("WatchWasSilent", "resolved") in desk.told()


def test_the_heartbeat_is_heard_elsewhere(tmp_path: Path, rollout: Rollout, site: Site) -> None:
    """Lesson 9, I6: asked after each round, so that its absence is noticed; its URL is never shown."""
    profile = PROFILE.replace("dead_man: 2m", "dead_man: 2m, heartbeat_url: '${HEARTBEAT}'")
    desk = Desk(tmp_path, rollout, profile=profile)
    url = f"{site.url}/ping/{TOKEN}"
    desk.once(HEARTBEAT=url)
    desk.once(HEARTBEAT=url)
    assert [asked.path for asked in site.asked] == [f"/ping/{TOKEN}"] * 2
    told = desk.once(HEARTBEAT=f"http://127.0.0.1:1/ping/{TOKEN}")
    assert "warning: the heartbeat: http://127.0.0.1:1 could not be reached" in told.err
    assert TOKEN not in told.err


def test_the_usual_channels(tmp_path: Path, rollout: Rollout, site: Site) -> None:
    """I6: mail, chat and pagers by the library; its URL holds a password, and is never shown."""
    channel = "{name: chat, kind: apprise, url: '${CHAT}', min_severity: critical, attempts: 2}"
    profile = PROFILE.replace(DESK, f"notify: [{channel}]")
    desk = Desk(tmp_path, rollout, profile=profile)
    desk("alert", "raise", "bot", "FeedDown", "--severity", "critical", "-m", "no book")
    desk("alert", "raise", "bot", "Odd", "--severity", "warning")
    place = site.url.removeprefix("http://")
    told = [
        desk.once(CHAT=f"nothing-known://bot:{TOKEN}@{place}/hook"),
        desk.once(301, CHAT=f"json://bot:{TOKEN}@127.0.0.1:1/hook"),
        desk.once(301, CHAT=f"json://bot:{TOKEN}@{place}/hook"),
    ]
    rows = desk.rollout.log("bot", "NotificationFailed", "NotificationDelivered")
    assert [row["type"] for row in rows] == [
        "NotificationFailed", "NotificationFailed", "NotificationDelivered",
    ]  # fmt: skip
    (asked,) = site.asked
    sent = json.loads(asked.body)
    assert sent["title"] == "[critical] bot: FeedDown is firing"
    assert sent["message"] == "no book"
    assert asked.headers["Authorization"].startswith("Basic ")
    said = "".join(one.out + one.err for one in told) + desk("log", "bot", "-o", "json").out
    assert TOKEN not in said
    assert "its URL is none that apprise knows" in said


def test_people_are_told_while_the_ledger_is_away(desk: Paged) -> None:
    """I5: a rule pauses without Postgres, people hear of it at once, and once."""
    with desk.watched() as process:
        desk.until(lambda: "WatchStarted" in desk.happened())
        with away(str(desk.rollout.dsn)):
            desk.stats(ece=0.05, latency=600)
            desk.until(lambda: ("LatencyHigh", "firing") in desk.told())
            assert desk.mode() == "paused"
        desk.until(lambda: "NotificationDelivered" in desk.happened())
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    desk.once()
    assert desk.told().count(("LatencyHigh", "firing")) == 1


def test_recover_leaves_it_to_a_watch_that_lives(desk: Paged) -> None:
    """The watch sends what is due; two would send it twice."""
    desk.site.says(500)
    with desk.watched() as process:
        desk.until(lambda: "WatchStarted" in desk.happened())
        desk("alert", "raise", "bot", "FeedDown")
        assert "pager" not in desk("recover", "bot").out
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    desk.site.says(200)
    desk.advance(301)
    assert "pager was told that FeedDown is firing" in desk("recover", "bot").out


def test_a_watch_says_at_once_that_a_channel_can_tell_nobody(desk: Paged) -> None:
    """A pager whose variable was forgotten is known when the watch begins, not at the first alert."""
    told = desk.once(PAGER_TOKEN="")
    assert (
        "the channel pager: the variable PAGER_TOKEN is not set: nobody is told by it" in told.err
    )
    assert "nobody is told by it" not in desk.once().err


def test_recover_finds_a_channel_s_file_where_the_watch_would(
    tmp_path: Path, rollout: Rollout
) -> None:
    """A plan's relative paths begin at the same folder for all who read them."""
    desk = Desk(tmp_path, rollout)
    desk.stats(ece=0.05, latency=400)
    desk.once(exits=KILLED, ROLLOUT_FAIL_AT="notify.before_send")
    told = desk("recover", "bot", "--base", tmp_path)
    assert "desk was told that LatencyOdd is firing" in told.out
    assert "LatencyOdd" in (tmp_path / "told.jsonl").read_text()
