"""Numbers that Python reads and nobody means: in options, and in what exporters write."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
import pytest

from cli.options import NumberRange
from ledger.metrics.sources import measured_of

NOW = datetime(2025, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999", "0", "x"])
def test_an_option_takes_no_number_that_is_none(text: str) -> None:
    """`--confirm-timeout nan` would be no timeout at all."""
    with pytest.raises(click.BadParameter):
        NumberRange(0.1, 300).convert(text, None, None)
    assert NumberRange(0.1, 300).convert("5", None, None) == 5.0


@pytest.mark.parametrize(
    "record",
    [
        {"metric": "ece", "value": 10**400},
        {"metric": "ece", "value": 1, "at": "inf"},
        {"metric": "ece", "value": 1, "at": 1e300},
        {"metric": "ece", "value": 1, "at": 10**400},
        {"metric": "ece", "value": 1, "at": "nan"},
        {"metric": "ece", "value": 1, "labels": [1]},
        {"metric": 1, "value": 1},
        ["ece", 1],
    ],
)
def test_what_is_no_sample_is_told_as_one_fault(record: Any) -> None:
    """I8: such a line is left out or refused by its number; it ends neither a watch nor a command."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        measured_of(record, NOW)
    assert measured_of({"metric": "ece", "value": "0.5", "at": 0}, NOW).at.year == 1970
