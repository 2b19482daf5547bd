"""A Grafana dashboard that imports as it is: a panel a metric, with the plan's thresholds.

Dashboards can't hold annotations of their own, so modes, alerts and rollbacks are looked up by tag
among those that Grafana keeps; `annotation_tags` is what they have to bear.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from ledger.domain.state import iso
from projections.reports.limits import Limit, limit_for
from projections.reports.samples import Series
from projections.reports.units import unit_of

SCHEMA_VERSION: Final = 39
"""Of Grafana 11; newer ones read it, and bring it up to their own."""
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
KEPT_BY_GRAFANA: Final = {"type": "grafana", "uid": "-- Grafana --"}
COLOURS: Final = {"mode": "blue", "alert": "red", "rollback": "purple"}
PANEL_WIDTH: Final = 12
PANEL_HEIGHT: Final = 8


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
    return {
        "uid": "rollout-" + hashlib.sha256(system.encode()).hexdigest()[:16],
        "title": title,
        "tags": ["rollout-ledger", system],
        "editable": True,
        "graphTooltip": 1,
        "id": None,
        "links": [],
        "refresh": "",
        "schemaVersion": SCHEMA_VERSION,
        "time": {"from": iso(since), "to": iso(until)},
        "timepicker": {},
        "timezone": "utc",
        "version": 1,
        "weekStart": "",
        "fiscalYearStartMonth": 0,
        "annotations": {"list": [_built_in(), *_annotations(system, names)]},
        "templating": {"list": [_source()]},
        "panels": [
            _panel(number, metric, metrics[metric], limit_for(list(limits), metric))
            for number, metric in enumerate(ordered)
        ],
    }


def _built_in() -> dict[str, Any]:
    return {
        "builtIn": 1,
        "datasource": KEPT_BY_GRAFANA,
        "enable": True,
        "hide": True,
        "iconColor": "rgba(0, 211, 255, 1)",
        "name": "Annotations & Alerts",
        "type": "dashboard",
    }


def _annotations(system: str, names: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "datasource": KEPT_BY_GRAFANA,
            "enable": True,
            "hide": False,
            "iconColor": colour,
            "name": names[kind],
            "target": {
                "limit": 1000,
                "matchAny": False,
                "tags": annotation_tags(system, kind),
                "type": "tags",
            },
        }
        for kind, colour in COLOURS.items()
    ]


def _source() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
    }


def _panel(number: int, metric: str, labels: list[str], limit: Limit | None) -> dict[str, Any]:
    legend = " · ".join(f"{{{{{name}}}}}" for name in labels) or metric
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": metric,
        "description": f"{limit.text} ({limit.source})" if limit is not None else "",
        "datasource": SOURCE,
        "gridPos": {
            "h": PANEL_HEIGHT,
            "w": PANEL_WIDTH,
            "x": number % 2 * PANEL_WIDTH,
            "y": number // 2 * PANEL_HEIGHT,
        },
        "fieldConfig": {
            "defaults": {
                "color": {"mode": "palette-classic"},
                "custom": {
                    "drawStyle": "line",
                    "lineWidth": 1,
                    "fillOpacity": 0,
                    "showPoints": "auto",
                    "spanNulls": False,
                    "thresholdsStyle": {"mode": "dashed+area" if limit is not None else "off"},
                },
                "mappings": [],
                "thresholds": {"mode": "absolute", "steps": _steps(limit)},
                "unit": unit_of(metric).grafana,
            },
            "overrides": [],
        },
        "options": {
            "legend": {
                "calcs": ["min", "mean", "max", "lastNotNull"],
                "displayMode": "table",
                "placement": "bottom",
                "showLegend": True,
            },
            "tooltip": {"mode": "multi", "sort": "none"},
        },
        "targets": [
            {
                "datasource": SOURCE,
                "editorMode": "code",
                "expr": metric,
                "legendFormat": legend,
                "range": True,
                "refId": "A",
            }
        ],
    }


def _steps(limit: Limit | None) -> list[dict[str, Any]]:
    if limit is None or limit.more_is_better is None:
        return [{"color": "green", "value": None}]
    below, above = ("red", "green") if limit.more_is_better else ("green", "red")
    return [{"color": below, "value": None}, {"color": above, "value": float(limit.value)}]
