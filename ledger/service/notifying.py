"""Telling people beside the watch: a slow channel must not keep it from looking."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ledger.clock import SystemClock
from ledger.domain import events
from ledger.domain.errors import LedgerError
from ledger.notify.deliver import Delivery, Message, deliver, wants
from ledger.notify.specs import Channel

WAITING_MAX: Final = 1000


class Notifier:
    """Delivers messages in a thread of its own; what came of them is fetched by whoever records."""

    def __init__(self, channels: Sequence[Channel], base: Path) -> None:
        self._channels = channels
        self._base = base
        self._waiting: queue.Queue[tuple[Channel, Message]] = queue.Queue(WAITING_MAX)
        self._done: queue.Queue[events.Event] = queue.Queue()
        self._thread = threading.Thread(target=self._run, daemon=True, name="notifier")
        if channels:
            self._thread.start()

    def tell(self, message: Message, only: Sequence[str] = ()) -> None:
        """Have ``message`` delivered to the channels that want it; ``only``: to those of these names."""
        for channel in self._channels:
            if (not only or channel.name in only) and wants(channel, message.severity):
                try:
                    self._waiting.put_nowait((channel, message))
                except queue.Full:
                    lost = Delivery(
                        channel.name, ok=False, attempts=1, detail="too many are waiting"
                    )
                    self._done.put(_event(message, lost))

    def outcomes(self) -> list[events.Event]:
        """Return what came of messages since the last time."""
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
            channel, message = self._waiting.get()
            try:
                delivery = deliver(
                    channel, message, environment=os.environ, base=self._base, clock=SystemClock()
                )
            except (OSError, ValueError, LedgerError) as error:  # whatever a library did
                delivery = Delivery(channel.name, ok=False, attempts=1, detail=type(error).__name__)
            self._done.put(_event(message, delivery))
            self._waiting.task_done()


def _event(message: Message, delivery: Delivery) -> events.Event:
    subject = f"{message.alert} is {message.status}"
    if delivery.ok:
        return events.NotificationDelivered(
            channel=delivery.channel, subject=subject, key=message.key, attempts=delivery.attempts
        )
    return events.NotificationFailed(
        channel=delivery.channel,
        subject=subject,
        key=message.key,
        attempts=delivery.attempts,
        explanation=delivery.detail,
    )
