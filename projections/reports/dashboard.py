"""A Grafana dashboard that imports as it is: a panel a metric, with the plan's thresholds.

Dashboards can't hold annotations of their own, so modes, alerts and rollbacks are looked up by tag
among those that Grafana keeps; `annotation_tags` is what they have to bear.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from ledger.domain.values.moments import iso
from projections.reports.limits import Limit, limit_for
from projections.reports.render import rendered
from projections.reports.samples import Series
from projections.reports.units import unit_of

COLOURS: Final = {"mode": "blue", "alert": "red", "rollback": "purple"}


def annotation_tags(system: str, kind: str) -> list[str]:
    """Return the tags of an annotation; ``kind`` is mode, alert or rollback."""
    return ["rollout-ledger", f"system:{system}", kind]


def dashboard(
    system: str,
    title: str,
    names: Mapping[str, str],
    series: Iterable[Series],
    limits: Sequence[Limit],
    since: datetime,
    until: datetime,
) -> dict[str, Any]:
    """Return the dashboard's JSON. ``names`` has the titles of the three kinds of annotations."""
    metrics: dict[str, list[str]] = {}
    for one in series:
        labels = metrics.setdefault(one.metric, [])
        labels += [name for name, _ in one.labels if name not in labels]
    for limit in limits:  # what the plan asks for and nobody measured has its panel too
        metrics.setdefault(limit.metric, [])
    # In the order in which the plan speaks of them, and then by name.
    asked = list(dict.fromkeys(limit.metric for limit in limits))
    ordered = asked + sorted(metrics.keys() - set(asked))
    text = rendered(
        "dashboard.json.j2",
        uid="rollout-" + hashlib.sha256(system.encode()).hexdigest()[:16],
        title=title,
        system=system,
        since=iso(since),
        until=iso(until),
        annotations=[
            (names[kind], colour, annotation_tags(system, kind)) for kind, colour in COLOURS.items()
        ],
        panels=[
            (metric, " · ".join(f"{{{{{name}}}}}" for name in metrics[metric]) or metric, limit,
             _steps(limit), unit_of(metric).grafana)
            for metric in ordered
            for limit in (limit_for(list(limits), metric),)
        ],
    )  # fmt: skip
    board: dict[str, Any] = orjson.loads(text)
    return board


def _steps(limit: Limit | None) -> list[dict[str, Any]]:
    if limit is None or limit.more_is_better is None:
        return [{"color": "green", "value": None}]
    below, above = ("red", "green") if limit.more_is_better else ("green", "red")
    return [{"color": below, "value": None}, {"color": above, "value": float(limit.value)}]
