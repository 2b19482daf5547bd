"""Ages as a check's result tells them to people."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ledger.preflight.judging import age_text


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (timedelta(milliseconds=685), "685ms old"),
        (timedelta(seconds=30, milliseconds=941), "31s old"),
        (timedelta(minutes=2, seconds=3, milliseconds=400), "2m3s old"),
        (timedelta(hours=2, minutes=5, seconds=59), "2h5m old"),
        (timedelta(seconds=-3, milliseconds=-2), "3s in the future"),
    ],
)
def test_nobody_needs_the_milliseconds_of_minutes(age: timedelta, told: str) -> None:
    """The parts of a second are told of what is younger than one, and of nothing else."""
    assert age_text(age) == told
