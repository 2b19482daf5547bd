"""What an endpoint exposes: names, values and times as they are written."""

from __future__ import annotations

import math

import pytest

from ledger.domain.errors import LedgerError
from ledger.metrics.exposition import samples

TEXT = b"""# HELP orders_sent Orders sent.
# TYPE orders_sent counter
orders_sent{venue="okx"} 100
# TYPE fills_total counter
fills_total 5
# TYPE feed_age gauge
feed_age{venue="okx"} 1 1735689600500
# TYPE lat summary
lat{quantile="0.5"} NaN
lat_sum 3
lat_count 0
# TYPE h histogram
h_bucket{le="+Inf"} 2
h_sum 3
h_count 2
loose -Inf
"""
OPEN = b"""# TYPE rejects counter
rejects_total{venue="okx"} 30 1735689600.5 # {trace="x"} 1
# TYPE fresh gauge
fresh 1
# EOF
"""


def test_names_are_those_that_are_exposed() -> None:
    """08: a counter keeps its name, whether or not it ends with _total; so do the parts of a histogram."""
    found = {name: value for name, _, value, _ in samples(TEXT)}
    assert list(found) == [
        "orders_sent", "fills_total", "feed_age", "lat", "lat_sum", "lat_count", "h_bucket", "h_sum",
        "h_count", "loose",
    ]  # fmt: skip
    assert found["orders_sent"] == 100
    assert math.isnan(found["lat"])
    assert found["loose"] == -math.inf


def test_times_are_those_that_are_written() -> None:
    """18: milliseconds in the text format, seconds in OpenMetrics; without one it is of now."""
    assert {name: at for name, _, _, at in samples(TEXT) if at is not None} == {
        "feed_age": 1735689600.5
    }
    assert [(name, value, at) for name, _, value, at in samples(OPEN)] == [
        ("rejects_total", 30, 1735689600.5), ("fresh", 1, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"ece 1\n# TYPE ece", "line 2 is not in Prometheus' text format"),
        (b"ece one\n", "line 1 is not in Prometheus' text format"),
        (b"ece one\n# EOF\n", "line 1 is not in the format of OpenMetrics"),
    ],
)
def test_what_is_neither_is_told_with_its_line(body: bytes, told: str) -> None:
    with pytest.raises(LedgerError, match=told):
        list(samples(body))
