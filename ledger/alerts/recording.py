"""Recording rules: what they find is a series, until they no longer find it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ledger.alerts.promql import Moment
from ledger.alerts.rules import AlertRule, RecordingRule
from ledger.alerts.series import NOT_HELD, STALE, Labels, SeriesStore
from ledger.alerts.vectors import EvaluationError, Vector, merged


@dataclass(frozen=True, slots=True)
class Recorded:
    """What recording rules found."""

    samples: tuple[tuple[str, Labels, float], ...]
    failed: Mapping[str, str]
    """Rules that could not be evaluated, and why."""


def record(recordings: Iterable[RecordingRule], series: SeriesStore, at: datetime) -> Recorded:
    """Add what recording rules find to ``series``, and return it.

    What they no longer find ends at once, as in Prometheus; what is known not to be so stays known.
    """
    moment = Moment(series, at.timestamp())
    samples: list[tuple[str, Labels, float]] = []
    failed: dict[str, str] = {}
    made: dict[str, set[Labels]] = {}
    for rule in recordings:
        try:
            elements = laid_over(rule, rule.expression.evaluate(moment))
        except EvaluationError as problem:
            failed[rule.key] = f"{rule.expression.text}: {problem}"
            made.setdefault(rule.name, set()).update(one.labels for one in series.select(rule.name))
            continue
        labels_made = made.setdefault(rule.name, set())
        for labels, element in elements.items():
            if element.holds:
                series.add(rule.name, labels, moment.at, element.value)
                samples.append((rule.name, labels, element.value))
                labels_made.add(labels)
            elif element.known and labels not in labels_made:
                series.add(rule.name, labels, moment.at, NOT_HELD)
                labels_made.add(labels)
    for name, labels_made in made.items():
        for one in series.select(name):
            if one.labels not in labels_made:
                one.add(moment.at, STALE)
    return Recorded(tuple(samples), failed)


def laid_over(rule: AlertRule | RecordingRule, elements: Vector) -> Vector:
    """Return ``elements`` by the labels that the rule makes of them.

    Raises:
        EvaluationError: two that hold get the same, as in Prometheus.
    """
    return merged(
        ((labels, rule.labelled(labels), element) for labels, element in elements.items()),
        "several get the same labels once the rule's are laid over them",
    )
