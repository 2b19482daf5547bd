"""What is wrong with a day, by thresholds that are said: rejects, fills, latency, profit. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Final

from ledger.domain.errors import BadInput
from ledger.domain.values.spelling import nearest
from projections.reports import order_figures
from projections.reports.figures import Figure, finite, of
from projections.reports.order_figures import Latency
from projections.reports.orders import Activity

_UNITS: Final[Mapping[str, str]] = {"reject_rate": "%", "fill_rate": "%", "latency_p95": "ms"}


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something is called wrong. Those of seed 002's rules, where it has one."""

    reject_rate: Decimal = Decimal(5)
    """Per cent; this and more is too high."""
    fill_rate: Decimal = Decimal(50)
    """Per cent; less is too low."""
    latency_p95: Decimal = Decimal(500)
    """Milliseconds; this and more is too high."""
    pnl: Decimal = Decimal(0)
    """Realised profit and loss; less is a loss."""


def limits_of(given: Iterable[str]) -> Limits:
    """Return the limits, with those of ``given`` (NAME=NUMBER) in the place of the usual ones.

    Raises:
        BadInput: there is no such limit, or its number is none.
    """
    names = [field.name for field in fields(Limits)]
    limits = Limits()
    for text in given:
        name, _, number = text.partition("=")
        if name not in names:
            near = nearest(name, names)
            meant = f" Did you mean {near!r}?" if near else ""
            raise BadInput(
                f"There is no limit {name!r}.{meant}", hint=f"They are: {', '.join(names)}"
            )
        value = finite(number)
        if value is None:
            raise BadInput(f"--limit {text}: {number!r} is no number.", hint=f"--limit {name}=5")
        limits = replace(limits, **{name: value})
    return limits


@dataclass(frozen=True, slots=True)
class Finding:
    """One question, and what the day answers."""

    name: str
    verdict: str
    """found, fine, or unclear: then nobody can tell, which is not "fine" (I8)."""
    measured: Figure
    sign: str
    """What would be wrong: the measured value, this sign, the limit."""
    limit: Figure
    samples: int


def diagnose(activity: Activity, latency: Latency, limits: Limits) -> list[Finding]:
    """Return what was asked, in the order of the daily report."""
    sent = len(order_figures.rated(activity))
    results = sum(trade.realised is not None for trade in activity.trades)
    return [
        _finding("reject_rate", order_figures.reject_rate(activity), "≥", limits.reject_rate, sent),
        _finding("fill_rate", order_figures.fill_rate(activity), "<", limits.fill_rate, sent),
        _finding(
            "latency_p95", latency.percentile(95), "≥", limits.latency_p95, len(latency.samples)
        ),
        _finding("pnl", order_figures.realised_pnl(activity), "<", limits.pnl, results),
    ]


def _finding(name: str, measured: Figure, sign: str, limit: Decimal, samples: int) -> Finding:
    value, verdict = measured.value, "unclear"
    if value is not None:
        verdict = "found" if (value >= limit if sign == "≥" else value < limit) else "fine"
    unit = _UNITS.get(name, measured.unit)
    return Finding(name, verdict, measured, sign, of(limit, unit), samples)
