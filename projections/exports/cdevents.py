"""What was decided, as CDEvents 0.4.1 in CloudEvents 1.0: one JSON object a line (structured mode).

Deployments, rollbacks and incidents are events that CDEvents defines. All others are custom events of its
namespace ``dev.cdeventsx``, as its specification wants those that it does not define.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, Final
from urllib.parse import quote

import orjson

from ledger.domain.log.envelope import Recorded
from ledger.domain.values.moments import iso
from projections.core.base import MERELY_OBSERVED
from projections.exports.source import Source, Wanted, said

SPEC: Final = "0.4.1"
TOOL: Final = "rolloutledger"
CUSTOM_VERSION: Final = "0.1.0"
_WORD: Final = re.compile(r"[A-Z][a-z0-9]*")

Subject = tuple[str, str, dict[str, Any]]
"""The event's type without its prefix, the subject's id, and its content."""
Progress = Callable[[int, int], None]


def write_cdevents(source: Source, wanted: Wanted, out: BinaryIO, *, progress: Progress) -> int:
    """Write a `bounded` selection without what was merely observed; return how many events it has."""
    origin = f"/rollout-ledger/{source.ledger_id() or 'unnamed'}"
    last = wanted.last or 0
    learnt = Known()
    count = 0
    # From the first event on: what an environment is, and whether this is the first deployment, lies before.
    for page in source.events(wanted.system, 1, last):
        progress(page[-1].position, last)
        for event in page:
            if event.type in MERELY_OBSERVED:
                continue
            cloud_event = cdevent(event, origin, learnt)
            if wanted.has(event):
                out.write(orjson.dumps(cloud_event, option=orjson.OPT_APPEND_NEWLINE))
                count += 1
    return count


class Known:
    """What earlier events said, and later ones leave out."""

    def __init__(self) -> None:
        self.environments: dict[str, str] = {}
        self.running: dict[str, str] = {}
        """system -> the fingerprint of its configuration in force"""
        self.titles: dict[str, str] = {}

    def learn(self, event: Recorded, system: str, data: Mapping[str, Any]) -> None:
        """Take in what an event says, after it was told."""
        if event.type in {"SystemRegistered", "SystemChanged"}:
            self.environments[system] = str(data.get("environment"))
        elif event.type == "ConfigApplied":
            self.running[system] = str(data.get("fingerprint"))


def cdevent(event: Recorded, origin: str, known: Known) -> dict[str, Any]:
    """Return an event as a CloudEvent that carries a CDEvent."""
    body = said(event)
    data: Mapping[str, Any] = event.data if body else {}
    system = str(body.get("system") or "")
    defined = _defined(event, system, data, known)
    kind, subject_id, content = defined or _custom(event, system, data)
    known.learn(event, system, data)
    prefix = "dev.cdevents" if defined else "dev.cdeventsx"
    context: dict[str, Any] = {
        "version": SPEC,
        "id": str(event.event_id),
        "source": origin,
        "type": f"{prefix}.{kind}",
        "timestamp": iso(event.occurred_at),
    }
    if body.get("operation"):
        context["chainId"] = str(body["operation"])
    return {
        "specversion": "1.0",
        "id": context["id"],
        "source": context["source"],
        "type": context["type"],
        "subject": subject_id,
        "time": context["timestamp"],
        "datacontenttype": "application/cdevents+json",
        "data": {
            "context": context,
            "subject": {
                "id": subject_id,
                "source": origin,
                "type": kind.partition(".")[0],
                "content": content,
            },
            "customData": _provenance(event, body),
            "customDataContentType": "application/json",
        },
    }


def _defined(event: Recorded, system: str, data: Mapping[str, Any], known: Known) -> Subject | None:
    """Return what CDEvents itself has a word for; None for all else."""
    environment = {"id": known.environments.get(system, "unknown")}
    if event.type == "ConfigApplied" and data.get("cause") != "rollback" and system:
        word = "upgraded" if system in known.running else "deployed"
        return _service(word, system, environment, data.get("fingerprint"))
    if event.type == "RollbackCompleted" and system:
        return _service("rolledback", system, environment, data.get("to_fingerprint"))
    if event.type in {"IncidentOpened", "IncidentResolved"} and data.get("incident"):
        incident = str(data["incident"])
        title = known.titles.setdefault(incident, str(data.get("title", "")))
        content: dict[str, Any] = {
            "description": str(data.get("resolution") or title),
            "environment": environment,
            "service": {"id": system or "unknown"},
        }
        if system in known.running:
            content["artifactId"] = _purl(system, known.running[system])
        word = "detected" if event.type == "IncidentOpened" else "resolved"
        return f"incident.{word}.0.2.0", incident, content
    return None


def _service(word: str, system: str, environment: dict[str, str], fingerprint: object) -> Subject:
    content = {"environment": environment, "artifactId": _purl(system, str(fingerprint))}
    return f"service.{word}.0.2.0", system, content


def _purl(system: str, fingerprint: str) -> str:
    """Return a configuration as a package URL: CDEvents names what was deployed by one."""
    return f"pkg:generic/{quote(system)}@{quote(fingerprint, safe='')}"


def _custom(event: Recorded, system: str, data: Mapping[str, Any]) -> Subject:
    """Return any other event by its own name: ``ModeSwitched`` is ``rolloutledger-mode.switched``."""
    words = [re.sub("[^a-z]", "", word.lower()) for word in _WORD.findall(event.type)]
    words = [word for word in words if word] or ["event"]
    subject = "".join(words[:-1]) or "ledger"
    return f"{TOOL}-{subject}.{words[-1]}.{CUSTOM_VERSION}", system or "ledger", dict(data)


def _provenance(event: Recorded, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return who and why, and where in the log it stands."""
    return {
        "ledgerType": event.type,
        "position": event.position,
        "stream": event.stream,
        "revision": event.revision,
        "recordedAt": iso(event.recorded_at),
        "chain": event.chain.hex(),
        "actor": body.get("actor"),
        "channel": body.get("channel"),
        "reason": body.get("reason"),
    }
