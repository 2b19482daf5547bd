"""What was done about what went wrong: the incidents and the mitigations of a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from ledger.domain.values.moments import iso
from projections.core.base import Db
from projections.reports.window import Window, control_events
from projections.reports.words import Words

_MITIGATIONS: Final = (
    "MitigationRequested", "MitigationApplied", "MitigationFailed", "MitigationLifted",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Handled:
    """Incidents as incidents.json has them, and what happened to mitigations."""

    incidents: tuple[Mapping[str, Any], ...]
    """Those that were open at some moment of the time."""
    in_file: int
    """How many incidents.json has of the system, of any time."""
    mitigations: tuple[Mapping[str, Any], ...]

    @property
    def open_ones(self) -> list[str]:
        """Return the incidents that were open at the end of the time."""
        return [one["id"] for one in self.incidents if one["open_at_the_end"]]

    def as_json(self, words: Words) -> dict[str, Any]:
        """Return both as JSON-ready data, with the words that stand for them."""
        still = len(self.open_ones)
        return {
            "incidents": {
                "in_this_time": len(self.incidents),
                "open_at_the_end": still,
                "in_file": self.in_file,
                "text": words(
                    "canary.word.incidents",
                    count=len(self.incidents),
                    open=still,
                    total=self.in_file,
                ),
                "rows": [dict(one) for one in self.incidents],
            },
            "mitigations": [
                {**one, "event_text": words(f"event.{one['event']}")} for one in self.mitigations
            ],
        }


def handled(db: Db, system: str, window: Window, exported: bytes) -> Handled:
    """Return what was done in ``window``; ``exported`` is incidents.json of the system."""
    every = orjson.loads(exported)["incidents"]
    incidents = [_incident(one, window) for one in every if _touches(one["when"], window)]
    return Handled(tuple(incidents), len(every), _mitigations(db, system, window))


def _ended(when: Mapping[str, str | None]) -> str | None:
    return when["resolved"] or when["closed"]


def _touches(when: Mapping[str, Any], window: Window) -> bool:
    ended = _ended(when)
    begun = datetime.fromisoformat(when["opened"]) <= window.until
    return begun and (ended is None or datetime.fromisoformat(ended) >= window.since)


def _incident(one: Mapping[str, Any], window: Window) -> Mapping[str, Any]:
    ended = _ended(one["when"])
    return {
        "id": one["id"],
        "title": one["title"],
        "severity": one["severity"],
        "opened": one["when"]["opened"],
        "ended": ended,
        "open_at_the_end": ended is None or datetime.fromisoformat(ended) > window.until,
        "actions": [each["action"] for each in one["actions"]],
    }


def _mitigations(db: Db, system: str, window: Window) -> tuple[Mapping[str, Any], ...]:
    return tuple(
        {
            "at": iso(event.occurred_at),
            "event": event.type,
            "mitigation": event.data["mitigation"],
            "target": event.data.get("target", ""),
            "until": event.data.get("until"),
            "by": event.actor.name,
            "reason": event.reason,
            "position": event.position,
        }
        for event in control_events(db, system, *_MITIGATIONS)
        if window.since <= event.occurred_at <= window.until
    )
