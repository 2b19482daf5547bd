"""Telling people: who is still to be told of what, by the log alone; and a thread that tells them.

Whoever fires an alert need not live to tell of it. What has no `NotificationDelivered` in the log is due,
and whoever comes next sends it: at least once, under the same key each time.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from ledger import fail_points
from ledger.alerts.muting import inhibited_by
from ledger.alerts.rules import AlertRule, owner
from ledger.clock import SystemClock
from ledger.domain import events
from ledger.domain.alerts.silencing import silenced_by
from ledger.domain.alerts.state import Alert, ChannelTold, EndedAlert
from ledger.domain.decision import Decision
from ledger.domain.state import SystemState
from ledger.notify.deliver import Delivery, Message, deliver, wants
from ledger.notify.specs import Channel
from ledger.profiles.plan import Plan
from ledger.profiles.rule_sets import rules_of
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger

WAITING_MAX: Final = 1000
TRY_AGAIN: Final = timedelta(minutes=5)
"""A channel that did not take it, after all attempts, is tried again for as long as the alert fires."""
END_TRIES: Final = 12
"""After that many times a channel is no longer told that an alert is over."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What one channel is told at once, and how often that has failed before."""

    channel: Channel
    messages: tuple[Message, ...]
    failures: int = 0


def due(
    state: SystemState,
    channels: Sequence[Channel],
    rules: Mapping[str, AlertRule],
    now: datetime,
) -> list[Notice]:
    """Return what somebody is still to be told, as of ``now``."""
    return [*_firing(state, channels, rules, now), *_ended(state, channels, rules, now)]


def _firing(
    state: SystemState,
    channels: Sequence[Channel],
    rules: Mapping[str, AlertRule],
    now: datetime,
) -> Iterator[Notice]:
    for name, alert in state.alerts.items():
        recorded_only = alert.rule is not None and alert.rule.action == "record"
        if recorded_only or inhibited_by(state, name) is not None:
            continue
        if silenced_by(state, name, now) is not None:
            continue
        rule = owner(rules.values(), alert)
        for channel in channels:
            if not wants(channel, alert.severity) or not _named(channel, rule):
                continue
            last_notice = alert.told.get(channel.name)
            if last_notice is None or (
                not alert.acknowledged_by and _again(last_notice, channel, now)
            ):
                message = _message(state.system, name, "firing", alert, rule)
                times, failures = (
                    (last_notice.times, last_notice.failures) if last_notice is not None else (0, 0)
                )
                yield Notice(channel, (replace(message, times=times),), failures)


def _again(last_notice: ChannelTold, channel: Channel, now: datetime) -> bool:
    """Tell whether it is time again: for one that did not take it, or that wants to be reminded."""
    wait = channel.repeat if last_notice.ok else TRY_AGAIN
    return wait is not None and datetime.fromisoformat(last_notice.at) + wait <= now


def _named(channel: Channel, rule: AlertRule | None) -> bool:
    return rule is None or not rule.notify or channel.name in rule.notify


def _ended(
    state: SystemState,
    channels: Sequence[Channel],
    rules: Mapping[str, AlertRule],
    now: datetime,
) -> Iterator[Notice]:
    """Tell who was told that it fires that it is over, whatever is silenced by now."""
    by_name = {channel.name: channel for channel in channels}
    for ended in state.ended.values():
        rule = owner(rules.values(), ended)
        message = _message(state.system, ended.alert, "resolved", ended, rule)
        message = replace(message, ends_at=ended.at, how=ended.how)
        for name in ended.channels:
            failed = ended.failed.get(name)
            if name in by_name and (failed is None or _again(failed, by_name[name], now)):
                yield Notice(by_name[name], (message,), failed.failures if failed else 0)


def together(notices: Iterable[Notice]) -> list[Notice]:
    """Return ``notices``, those as one that their channel wants as one."""
    by_key: dict[tuple[Any, ...], Notice] = {}
    for notice in notices:
        (message,) = notice.messages
        labels = message.shown_labels()
        by = notice.channel.group_by
        apart = tuple(labels.get(name, "") for name in by) if by else message.key
        key = (notice.channel.name, message.status, message.times, notice.failures, apart)
        earlier = by_key.get(key)
        by_key[key] = replace(earlier, messages=(*earlier.messages, message)) if earlier else notice
    return list(by_key.values())


def _message(
    system: str, name: str, status: str, alert: Alert | EndedAlert, rule: AlertRule | None
) -> Message:
    by = alert.rule
    return Message(
        system=system,
        alert=name,
        name=by.name if by is not None else name,
        action=f"{by.action} {by.argument or ''}".strip() if by is not None and by.acts else "",
        status=status,
        severity=alert.severity,
        text=alert.message,
        starts_at=alert.since,
        labels=alert.labels,
        runbook=rule.runbook if rule else "",
    )


class Notifier:
    """Delivers notices, to each channel in a thread of its own.

    A slow channel must not keep the watch from looking, nor another channel from being told.
    """

    def __init__(self, base: Path) -> None:
        self._base = base
        self._taken: set[tuple[str, str, int, int]] = set()
        """What this process has sent or is sending, though the log may not say so yet."""
        self._lines: dict[str, queue.Queue[Notice]] = {}
        """channel -> what waits for it."""
        self._done: queue.Queue[events.Event] = queue.Queue()

    def tell(self, notices: Iterable[Notice]) -> None:
        """Have ``notices`` delivered, each once; what does not fit into the queue is due again later.

        ``notices`` are all that is due by the log, with what became of those that were sent: a watch lives
        for months, and only of what the log does not know yet it has to know itself.
        """
        waiting = list(notices)
        if self._done.empty() and not self._at_work():
            self._taken &= {occasion for one in waiting for occasion in self._occasions(one)}
        for notice in together(one for one in waiting if not self._occasions(one) <= self._taken):
            line = self._line(notice.channel.name)
            if not line.full():
                self._taken |= self._occasions(notice)
                line.put_nowait(notice)

    def _occasions(self, notice: Notice) -> set[tuple[str, str, int, int]]:
        return {
            (notice.channel.name, message.key, message.times, notice.failures)
            for message in notice.messages
        }

    def _line(self, channel: str) -> queue.Queue[Notice]:
        if channel not in self._lines:
            line = self._lines[channel] = queue.Queue(WAITING_MAX)
            threading.Thread(
                target=self._run, args=(line,), daemon=True, name=f"notifier {channel}"
            ).start()
        return self._lines[channel]

    def _at_work(self) -> bool:
        return any(line.unfinished_tasks for line in self._lines.values())

    def outcomes(self) -> list[events.Event]:
        """Return what came of notices since the last time."""
        delivered: list[events.Event] = []
        while True:
            try:
                delivered.append(self._done.get_nowait())
            except queue.Empty:
                return delivered

    def finish(self, seconds: float) -> list[events.Event]:
        """Give what waits a little time to be delivered; return what came of it."""
        clock = SystemClock()
        until = clock.monotonic() + seconds
        while self._at_work():
            if clock.monotonic() >= until:
                break
            clock.sleep(0.02)
        return self.outcomes()

    def _run(self, line: queue.Queue[Notice]) -> None:
        while True:
            notice = line.get()
            for outcome in sent(notice, self._base):
                self._done.put(outcome)
            line.task_done()


def sent(notice: Notice, base: Path) -> list[events.Event]:
    """Deliver one notice; return what came of it, for each alert that it is about. Raises nothing."""
    fail_points.reach("notify.before_send")
    try:
        delivery = deliver(
            notice.channel, notice.messages, environment=os.environ, base=base, clock=SystemClock()
        )
    except Exception as error:  # noqa: BLE001 -- whatever a library did; its text may hold the URL
        name = notice.channel.name
        delivery = Delivery(name, ok=False, attempts=1, detail=type(error).__name__)
    fail_points.reach("notify.after_send")
    return [_outcome(notice, message, delivery) for message in notice.messages]


def _outcome(notice: Notice, message: Message, delivery: Delivery) -> events.Event:
    if delivery.ok:
        return events.NotificationDelivered(
            channel=notice.channel.name,
            subject=message.subject,
            key=message.key,
            attempts=delivery.attempts,
        )
    given_up = message.status == "resolved" and notice.failures + 1 >= END_TRIES
    return events.NotificationFailed(
        channel=notice.channel.name,
        subject=message.subject,
        key=message.key,
        attempts=delivery.attempts,
        explanation=delivery.detail,
        given_up=given_up or None,
    )


def catch_up(ledger: Ledger, plan: Plan, system: str, origin: Origin, base: Path) -> list[str]:
    """Tell people what a watch that died did not tell them; return sentences on what came of it."""
    rules = {rule.key: rule for rule in rules_of(plan)}
    state = ledger.load(system)
    lines: list[str] = []
    for notice in together(due(state, plan.profile.notify, rules, ledger.recorder.clock.now())):
        outcomes = sent(notice, base)
        ledger.decide(system, lambda _, outcomes=outcomes: Decision(tuple(outcomes)), origin)
        ok = outcomes[0].type == "NotificationDelivered"
        verb = "was told" if ok else "could not be told"
        lines += [f"{notice.channel.name} {verb} that {one.subject}" for one in notice.messages]
    return lines
