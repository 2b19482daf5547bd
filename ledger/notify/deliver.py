"""Delivering one message to one channel, with retry. Says what came of it; never where it went."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypedDict

from ledger import web
from ledger.domain.clock import Clock
from ledger.domain.errors import LedgerError
from ledger.notify.specs import Apprise, Channel, File, Webhook

WAIT_SECONDS: Final = 1.0
WAIT_SECONDS_MAX: Final = 30.0
NOT_YET: Final = "0001-01-01T00:00:00Z"
"""The end of what fires, as Alertmanager writes it."""
RANK: Final = {"info": 0, "warning": 1, "critical": 2}


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody is told of one alert. ``key`` names the occasion, so that it is not told twice."""

    system: str
    alert: str
    name: str
    """Of its rule: what the alert is called without its labels."""
    status: str
    """firing or resolved"""
    severity: str
    text: str
    starts_at: str
    labels: Mapping[str, str]
    runbook: str = ""
    action: str = ""
    """What its rule does about it."""
    ends_at: str = ""
    how: str = ""
    """Of one that is resolved: when it ended, and why."""
    times: int = 0
    """How often the channel was told of the occasion before."""

    @property
    def key(self) -> str:
        """What is the same for the same occasion: alert, start, status."""
        return f"{self.alert} {self.starts_at} {self.status}"

    @property
    def subject(self) -> str:
        """What is said, in short."""
        return f"{self.alert} is {self.status}"

    def shown_labels(self) -> dict[str, str]:
        """Return the labels as Alertmanager has them."""
        own = {"alertname": self.name, "severity": self.severity, "system": self.system}
        return {**self.labels, **own}

    def annotations(self) -> dict[str, str]:
        """Return what else is said, as Alertmanager has it."""
        said = {
            "summary": self.text,
            "rollout_action": self.action,
            "resolved_because": self.how.replace("_", " "),
            "runbook_url": self.runbook,
        }
        return {name: text for name, text in said.items() if text or name == "summary"}


class WebhookAlert(TypedDict):
    """One alert in the body of a webhook, as Alertmanager has it."""

    status: str
    labels: dict[str, str]
    annotations: dict[str, str]
    startsAt: str
    endsAt: str
    generatorURL: str
    fingerprint: str


class WebhookBody(TypedDict):
    """The body of a webhook, as Alertmanager has it; ``idempotencyKey`` is ours."""

    version: str
    groupKey: str
    idempotencyKey: str
    truncatedAlerts: int
    status: str
    receiver: str
    externalURL: str
    groupLabels: dict[str, str]
    commonLabels: dict[str, str]
    commonAnnotations: dict[str, str]
    alerts: list[WebhookAlert]


def idempotency_key(messages: Sequence[Message]) -> str:
    """Return what is the same each time that these are sent: by it, a receiver drops what comes twice."""
    occasions = [f"{one.key} {one.times or ''}".rstrip() for one in messages]
    return _digest(messages[0].system, *occasions)


def body_of(messages: Sequence[Message]) -> WebhookBody:
    """Return ``messages``, all of one status, as Alertmanager's webhook has them."""
    first = messages[0]
    labels = [one.shown_labels() for one in messages]
    annotations = [one.annotations() for one in messages]
    common = _common(labels)
    return {
        "version": "4",
        "groupKey": f"{first.system}: {first.alert if len(messages) == 1 else first.name}",
        "idempotencyKey": idempotency_key(messages),
        "truncatedAlerts": 0,
        "status": first.status,
        "receiver": "rollout-ledger",
        "externalURL": "",
        "groupLabels": {name: common[name] for name in ("system", "alertname") if name in common},
        "commonLabels": common,
        "commonAnnotations": _common(annotations),
        "alerts": [
            {
                "status": one.status,
                "labels": its_labels,
                "annotations": its_annotations,
                "startsAt": one.starts_at,
                "endsAt": one.ends_at or NOT_YET,
                "generatorURL": "",
                "fingerprint": _digest(one.system, one.alert)[:16],
            }
            for one, its_labels, its_annotations in zip(messages, labels, annotations, strict=True)
        ],
    }


def _common(each: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {
        name: text
        for name, text in each[0].items()
        if all(other.get(name) == text for other in each[1:])
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
    channel: Channel,
    messages: Sequence[Message],
    *,
    environment: Mapping[str, str],
    base: Path,
    clock: Clock,
) -> Delivery:
    """Deliver ``messages`` as one; try again, with longer and longer waits, as often as the channel allows.

    Raises nothing: that somebody could not be told is told by the result.
    """
    import tenacity

    attempts = 0

    def once() -> None:
        nonlocal attempts
        attempts += 1
        _send(channel, messages, environment, base)

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


def _send(
    channel: Channel, messages: Sequence[Message], environment: Mapping[str, str], base: Path
) -> None:
    if isinstance(channel, Webhook):
        _webhook(channel, messages, environment)
    elif isinstance(channel, Apprise):
        _apprise(channel, messages, environment)
    else:
        _file(channel, messages, base)


def _webhook(channel: Webhook, messages: Sequence[Message], environment: Mapping[str, str]) -> None:
    url = web.with_variables(channel.url, environment, f"the channel {channel.name}")
    headers = {"Idempotency-Key": idempotency_key(messages)} | {
        name: web.with_variables(value, environment, f"the channel {channel.name}")
        for name, value in channel.headers.items()
    }
    try:
        answer = web.request(
            url,
            method="POST",
            json=body_of(messages),
            headers=headers,
            timeout_seconds=channel.timeout.total_seconds(),
        )
    except LedgerError as problem:
        raise _NotTaken(problem.message) from None
    if answer.status >= 500 or answer.status == 429:
        raise _NotTaken(f"{web.place_of(url)} answered {answer.status}")
    if not 200 <= answer.status < 300:
        raise LedgerError(f"{web.place_of(url)} answered {answer.status}")


def _apprise(channel: Apprise, messages: Sequence[Message], environment: Mapping[str, str]) -> None:
    import apprise

    url = web.with_variables(channel.url, environment, f"the channel {channel.name}")
    # What the library has to say it says with what a service answered, which may repeat a token.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    notifier: Any = apprise.Apprise()  # its types are partial
    if not notifier.add(url):
        raise LedgerError(f"the channel {channel.name}: its URL is none that apprise knows")
    worst = max((one.severity for one in messages), key=RANK.__getitem__)
    first, several = messages[0], f"{len(messages)} alerts are {messages[0].status}"
    title = f"[{worst}] {first.system}: {first.subject if len(messages) == 1 else several}"
    if not notifier.notify(title=title, body="\n".join(map(_line, messages))):
        raise _NotTaken(f"the channel {channel.name} did not take it")


def _line(message: Message) -> str:
    text = message.text or message.alert
    if message.how:
        text += f" ({message.how.replace('_', ' ')})"
    return f"{text} [its rule: {message.action}]" if message.action else text


def _file(channel: File, messages: Sequence[Message], base: Path) -> None:
    path = base / channel.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            for message in messages:
                file.write(json.dumps({"key": message.key, **body_of([message])}) + "\n")
    except OSError as error:
        raise _NotTaken(f"{path}: {error.strerror}") from None
