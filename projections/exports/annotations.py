"""Annotations for Grafana: modes, alerts and rollbacks as regions over any panel.

A JSON array; each element is what Grafana's ``POST /api/annotations`` takes. Times: milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from projections.audit.ask import Questioner
from projections.reports.dashboard import annotation_tags

_QUERIES: Final = {
    "mode": """
        SELECT system, since, until, mode || coalesce('/' || kind, '') AS what, actor, reason, mode AS tag
            FROM mode_intervals WHERE $system IS NULL OR system = $system ORDER BY since, position
    """,
    "alert": """
        SELECT system, fired_at, CASE status WHEN 'fired again' THEN fired_at ELSE resolved_at END,
               alert || ': ' || message, severity, NULL, severity
            FROM alerts WHERE $system IS NULL OR system = $system ORDER BY fired_at, position
    """,
    "rollback": """
        SELECT system, requested_at, ended_at,
               coalesce(substr(from_fingerprint, 8, 12), 'unreadable') || ' → '
                   || substr(to_fingerprint, 8, 12) || ' (' || status || ')', actor, reason, status
            FROM rollbacks WHERE $system IS NULL OR system = $system ORDER BY requested_at, position
    """,
}


def regions(
    asked: Questioner,
    *,
    system: str | None,
    since: datetime | None,
    until: datetime | None,
    now: datetime,
) -> Iterator[dict[str, Any]]:
    """Yield the annotations of a system (None: of all) that lie, or reach, into a span of time.

    What is not over yet ends at ``now``, and is tagged ``open``.
    """
    for kind, text in _QUERIES.items():
        (statement,) = asked.statements(text)
        for row in list(asked.ask(statement, {"system": system}).rows):
            name, begin, end, what, who, why, tag = row
            begun = begin.replace(tzinfo=UTC)
            ended = end.replace(tzinfo=UTC) if end is not None else max(now, begun)
            if (since is not None and ended < since) or (until is not None and begun >= until):
                continue
            said = ": ".join(part for part in (who, why) if part)
            tags = [*annotation_tags(str(name), kind), f"{kind}:{tag}"]
            yield {
                "time": _milliseconds(begun),
                "timeEnd": _milliseconds(max(begun, ended)),
                "tags": tags if end is not None else [*tags, "open"],
                "text": f"{name}: {what}" + (f" — {said}" if said else ""),
            }


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
