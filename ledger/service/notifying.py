"""Telling people: who is still to be told of what, by the log alone; and a thread that tells them.

Whoever fires an alert need not live to tell of it. What has no `NotificationDelivered` in the log is due,
and whoever comes next sends it: at least once, under the same key each time.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from ledger import fail_points
from ledger.alerts.muting import inhibited_by, silenced_by
from ledger.alerts.rules import AlertRule
from ledger.clock import SystemClock
from ledger.domain import events
from ledger.domain.decisions import Decision
from ledger.domain.state import SystemState
from ledger.notify.deliver import Delivery, Message, deliver, wants
from ledger.notify.specs import Channel
from ledger.profiles.plan import Plan
from ledger.service.context import Ledger
from ledger.service.recorder import Origin
from ledger.service.rule_sets import rules_of

WAITING_MAX: Final = 1000
TRY_AGAIN: Final = timedelta(minutes=5)
"""A channel that did not take it, after all attempts, is tried again for as long as the alert fires."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One message for one channel, and how often that has failed before."""

    channel: Channel
    message: Message
    failures: int = 0


def due(
    state: SystemState,
    channels: Sequence[Channel],
    rules: Mapping[str, AlertRule],
    now: datetime,
) -> list[Notice]:
    """Return what somebody is still to be told, as of ``now``."""
    return [*_firing(state, channels, rules, now), *_ended(state, channels, rules)]


def _firing(
    state: SystemState,
    channels: Sequence[Channel],
    rules: Mapping[str, AlertRule],
    now: datetime,
) -> Iterator[Notice]:
    for alert, known in state.alerts.items():
        rule: Mapping[str, Any] = known.get("rule") or {}
        if rule.get("action") == "record" or inhibited_by(state, alert) is not None:
            continue
        if silenced_by(state, alert, now) is not None:
            continue
        ours = rules.get(rule.get("name", ""))
        for channel in channels:
            if not wants(channel, known["severity"]) or not _named(channel, ours):
                continue
            told = known.get("told", {}).get(channel.name)
            if told is None or (not told["ok"] and _again(told, known, now)):
                message = _message(state.system, alert, "firing", known, ours)
                yield Notice(channel, message, told["failures"] if told else 0)


def _again(told: Mapping[str, Any], known: Mapping[str, Any], now: datetime) -> bool:
    if known["acknowledged_by"]:
        return False
    return datetime.fromisoformat(told["at"]) + TRY_AGAIN <= now


def _named(channel: Channel, rule: AlertRule | None) -> bool:
    return rule is None or not rule.notify or channel.name in rule.notify


def _ended(
    state: SystemState, channels: Sequence[Channel], rules: Mapping[str, AlertRule]
) -> Iterator[Notice]:
    """Who was told that it fires is told that it is over, whatever is silenced by now."""
    by_name = {channel.name: channel for channel in channels}
    for known in state.ended.values():
        rule = rules.get((known.get("rule") or {}).get("name", ""))
        message = _message(state.system, known["alert"], "resolved", known, rule)
        for name in known["channels"]:
            if name in by_name:
                yield Notice(by_name[name], message)


def _message(
    system: str, alert: str, status: str, known: Mapping[str, Any], rule: AlertRule | None
) -> Message:
    return Message(
        system=system,
        alert=alert,
        status=status,
        severity=known["severity"],
        text=known["message"],
        starts_at=known["since"],
        labels=known.get("labels", {}),
        runbook=rule.runbook if rule else "",
        how=known.get("how", ""),
    )


class Notifier:
    """Delivers notices in a thread of its own: a slow channel must not keep the watch from looking."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._taken: set[tuple[str, str, int]] = set()
        """What this process has sent or is sending, though the log may not say so yet."""
        self._waiting: queue.Queue[Notice] = queue.Queue(WAITING_MAX)
        self._done: queue.Queue[events.Event] = queue.Queue()
        self._thread: threading.Thread | None = None

    def tell(self, notices: Iterable[Notice]) -> None:
        """Have ``notices`` delivered, each once; what does not fit into the queue is due again later."""
        for notice in notices:
            occasion = (notice.channel.name, notice.message.key, notice.failures)
            if occasion in self._taken or self._waiting.full():
                continue
            self._taken.add(occasion)
            self._waiting.put_nowait(notice)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="notifier")
                self._thread.start()

    def outcomes(self) -> list[events.Event]:
        """Return what came of notices since the last time."""
        found: list[events.Event] = []
        while True:
            try:
                found.append(self._done.get_nowait())
            except queue.Empty:
                return found

    def finish(self, seconds: float) -> list[events.Event]:
        """Give what waits a little time to be delivered; return what came of it."""
        clock = SystemClock()
        until = clock.monotonic() + seconds
        while self._waiting.unfinished_tasks and clock.monotonic() < until:
            clock.sleep(0.02)
        return self.outcomes()

    def _run(self) -> None:
        while True:
            notice = self._waiting.get()
            self._done.put(sent(notice, self._base))
            self._waiting.task_done()


def sent(notice: Notice, base: Path) -> events.Event:
    """Deliver one notice; return what came of it. Raises nothing."""
    fail_points.reach("notify.before_send")
    name, message = notice.channel.name, notice.message
    try:
        delivery = deliver(
            notice.channel, message, environment=os.environ, base=base, clock=SystemClock()
        )
    except Exception as error:  # noqa: BLE001 -- whatever a library did; its text may hold the URL
        delivery = Delivery(name, ok=False, attempts=1, detail=type(error).__name__)
    fail_points.reach("notify.after_send")
    subject = f"{message.alert} is {message.status}"
    if delivery.ok:
        return events.NotificationDelivered(
            channel=name, subject=subject, key=message.key, attempts=delivery.attempts
        )
    return events.NotificationFailed(
        channel=name,
        subject=subject,
        key=message.key,
        attempts=delivery.attempts,
        explanation=delivery.detail,
    )


def catch_up(ledger: Ledger, plan: Plan, system: str, origin: Origin, base: Path) -> list[str]:
    """Tell people what a watch that died did not tell them; return sentences on what came of it."""
    rules = {rule.name: rule for rule in rules_of(plan)}
    state = ledger.load(system)
    told: list[str] = []
    for notice in due(state, plan.profile.notify, rules, ledger.recorder.clock.now()):
        outcome = sent(notice, base)
        ledger.decide(system, lambda _, outcome=outcome: Decision((outcome,)), origin)
        what = f"that {notice.message.alert} is {notice.message.status}"
        verb = "was told" if outcome.type == "NotificationDelivered" else "could not be told"
        told.append(f"{notice.channel.name} {verb} {what}")
    return told
