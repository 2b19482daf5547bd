"""Units, from the names of metrics: Prometheus puts them there, and nothing else tells them."""

from __future__ import annotations

from typing import Final, NamedTuple


class Unit(NamedTuple):
    """A unit of measurement."""

    sign: str
    """As people write it; empty where the name states none."""
    grafana: str
    """As Grafana names it."""


NONE: Final = Unit("", "short")
_UNITS: Final = {
    "ms": Unit("ms", "ms"),
    "milliseconds": Unit("ms", "ms"),
    "us": Unit("µs", "µs"),
    "microseconds": Unit("µs", "µs"),
    "seconds": Unit("s", "s"),
    "bytes": Unit("B", "bytes"),
    "percent": Unit("%", "percent"),
    "pct": Unit("%", "percent"),
}


def unit_of(metric: str) -> Unit:
    """Return the unit that the metric's name states: ``merge_time_diff_ms_p99`` is in milliseconds."""
    return next((_UNITS[part] for part in metric.split("_") if part in _UNITS), NONE)
