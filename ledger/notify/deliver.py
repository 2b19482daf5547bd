"""Delivering one message to one channel, with retry. Says what came of it; never where it went."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ledger import web
from ledger.domain.clock import Clock
from ledger.domain.errors import LedgerError
from ledger.notify.specs import Apprise, Channel, File, Webhook

WAIT_SECONDS: Final = 1.0
WAIT_SECONDS_MAX: Final = 30.0
RANK: Final = {"info": 0, "warning": 1, "critical": 2}


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody is told. ``key`` names the occasion, so that it is not told twice."""

    system: str
    alert: str
    status: str
    """firing or resolved"""
    severity: str
    text: str
    starts_at: str
    labels: Mapping[str, str]
    runbook: str = ""
    how: str = ""
    """Of one that is resolved: why it ended."""

    @property
    def key(self) -> str:
        """What is the same for the same occasion: alert, start, status."""
        return f"{self.alert} {self.starts_at} {self.status}"

    @property
    def idempotency_key(self) -> str:
        """The same each time that this is sent: by it, a receiver drops what comes twice."""
        return _digest(self.system, self.key)

    def body(self) -> dict[str, Any]:
        """Return the message as Alertmanager's webhook has it."""
        labels = {
            **self.labels,
            "alertname": self.alert,
            "severity": self.severity,
            "system": self.system,
        }
        annotations = {"summary": self.text}
        if self.how:
            annotations["resolved_because"] = self.how.replace("_", " ")
        if self.runbook:
            annotations["runbook_url"] = self.runbook
        return {
            "version": "4",
            "groupKey": f"{self.system}: {self.alert}",
            "idempotencyKey": self.idempotency_key,
            "status": self.status,
            "receiver": "rollout-ledger",
            "commonLabels": labels,
            "commonAnnotations": annotations,
            "alerts": [
                {
                    "status": self.status,
                    "labels": labels,
                    "annotations": annotations,
                    "startsAt": self.starts_at,
                    "fingerprint": _digest(self.system, self.alert)[:16],
                }
            ],
        }


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of it."""

    channel: str
    ok: bool
    attempts: int
    detail: str = ""


class _NotTaken(Exception):
    """The channel did not take it, and may do so later."""


def wants(channel: Channel, severity: str) -> bool:
    """Tell whether a channel is for alerts of that severity."""
    return RANK[severity] >= RANK[channel.min_severity]


def deliver(
    channel: Channel, message: Message, *, environment: Mapping[str, str], base: Path, clock: Clock
) -> Delivery:
    """Deliver ``message``; try again, with longer and longer waits, as often as the channel allows.

    Raises nothing: that somebody could not be told is told by the result.
    """
    import tenacity

    attempts = 0

    def once() -> None:
        nonlocal attempts
        attempts += 1
        _send(channel, message, environment, base)

    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(channel.attempts),
        wait=tenacity.wait_exponential(multiplier=WAIT_SECONDS, max=WAIT_SECONDS_MAX),
        retry=tenacity.retry_if_exception_type(_NotTaken),
        sleep=clock.sleep,
        reraise=True,
    )
    try:
        retrying(once)
    except _NotTaken as problem:
        return Delivery(channel.name, ok=False, attempts=attempts, detail=str(problem))
    except LedgerError as problem:
        return Delivery(channel.name, ok=False, attempts=max(attempts, 1), detail=problem.message)
    return Delivery(channel.name, ok=True, attempts=attempts)


def _send(channel: Channel, message: Message, environment: Mapping[str, str], base: Path) -> None:
    if isinstance(channel, Webhook):
        _webhook(channel, message, environment)
    elif isinstance(channel, Apprise):
        _apprise(channel, message, environment)
    else:
        _file(channel, message, base)


def _webhook(channel: Webhook, message: Message, environment: Mapping[str, str]) -> None:
    url = web.with_variables(channel.url, environment, f"the channel {channel.name}")
    headers = {"Idempotency-Key": message.idempotency_key} | {
        name: web.with_variables(value, environment, f"the channel {channel.name}")
        for name, value in channel.headers.items()
    }
    try:
        answer = web.request(
            url,
            method="POST",
            json=message.body(),
            headers=headers,
            timeout_seconds=channel.timeout.total_seconds(),
        )
    except LedgerError as problem:
        raise _NotTaken(problem.message) from None
    if answer.status >= 500 or answer.status == 429:
        raise _NotTaken(f"{web.place_of(url)} answered {answer.status}")
    if not 200 <= answer.status < 300:
        raise LedgerError(f"{web.place_of(url)} answered {answer.status}")


def _apprise(channel: Apprise, message: Message, environment: Mapping[str, str]) -> None:
    import apprise

    url = web.with_variables(channel.url, environment, f"the channel {channel.name}")
    notifier = apprise.Apprise()
    if not notifier.add(url):
        raise LedgerError(f"the channel {channel.name}: its URL is none that apprise knows")
    title = f"[{message.severity}] {message.system}: {message.alert} is {message.status}"
    if not notifier.notify(title=title, body=message.text or message.alert):
        raise _NotTaken(f"the channel {channel.name} did not take it")


def _file(channel: File, message: Message, base: Path) -> None:
    path = base / channel.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": message.key, **message.body()}) + "\n")
    except OSError as error:
        raise _NotTaken(f"{path}: {error.strerror}") from None
