"""One round of a watch: a thousand rules over a hundred systems, against reading the same samples."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Final

from bench.context import Bench
from bench.measure import Bar, Row, compared, in_turns
from ledger.alerts.judge import Look, judge
from ledger.alerts.rules import AlertRule, load_rules
from ledger.alerts.series import SeriesStore
from ledger.domain.state import SystemState

SYSTEMS: Final = 100
RULES: Final = 10
"""Of each system."""
SAMPLES: Final = 60
"""Of each series: fifteen minutes, one every 15 seconds."""
WINDOW_SECONDS: Final = 600.0
START: Final = datetime(2025, 11, 20, tzinfo=UTC)
READING: Final = "reading the same samples"


def measure(_bench: Bench) -> Iterator[Row]:
    """Judge every rule of every system once, and read every window once, in turns."""
    rules, systems = _rules(), [_system(number) for number in range(SYSTEMS)]
    at = START + timedelta(seconds=15 * SAMPLES)
    look = Look(at, timedelta(seconds=15), at - timedelta(seconds=15))

    def ours() -> float:
        began = perf_counter()
        for series, state in systems:
            for rule in rules:
                judge(rule, series, state, look, "INC-1")
        return (perf_counter() - began) * 1000

    def reading() -> float:
        began, end = perf_counter(), at.timestamp()
        for series, _ in systems:
            for number in range(RULES):
                for one in series.select(f"metric_{number}"):
                    sum(one.window(end - WINDOW_SECONDS, end)[1])
        return (perf_counter() - began) * 1000

    samples = in_turns({"ours": ours, READING: reading}, 15)
    yield compared(
        f"{SYSTEMS * RULES:,} rules over {SYSTEMS} systems, one round", READING, samples,
        bar=Bar(10.0, at_most=True), unit="ms",
    )  # fmt: skip


def _rules() -> list[AlertRule]:
    texts = [
        f"      - alert: Rule{number}\n"
        f"        expr: avg_over_time(metric_{number}[10m]) > 0.9\n        for: 5m\n"
        for number in range(RULES)
    ]
    content = "groups:\n  - name: g\n    rules:\n" + "".join(texts)
    return list(load_rules(content.encode(), "rules.yaml").rules)


def _system(number: int) -> tuple[SeriesStore, SystemState]:
    series = SeriesStore()
    for metric in range(RULES):
        for step in range(SAMPLES):
            at = (START + timedelta(seconds=15 * (step + 1))).timestamp()
            series.add(f"metric_{metric}", {"slice": "active"}, at, ((number + step) % 10) / 10)
    return series, SystemState(f"bot-{number:03}")
