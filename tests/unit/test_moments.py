"""One number means one moment, wherever it is given."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ledger.clock import FileClock, SystemClock, age_of_file
from ledger.domain.values.moments import EPOCH, LATEST, moment_of, shifted, since_1970
from ledger.metrics.sources import measured_of
from ledger.service.imports.times import UTC_ZONE
from runtime.times import parse_time

NOW = datetime(2026, 12, 1, tzinfo=UTC)
MEANT = datetime(2026, 11, 30, 23, 8, 20, tzinfo=UTC)


def by_metrics_put(value: Any) -> datetime:
    return measured_of({"metric": "ms", "value": 1, "at": value}, NOW).at


def by_an_import(value: Any) -> datetime:
    return UTC_ZONE.read(value, not_after=NOW)[0]


def by_the_command_line(value: Any) -> datetime:
    return parse_time(str(value), NOW)


@pytest.mark.parametrize(
    "read", [moment_of, by_metrics_put, by_an_import, by_the_command_line], ids=lambda f: f.__name__
)
@pytest.mark.parametrize(
    "number", [1796080100, 1796080100000, 1796080100000000, 1796080100 * 10**9]
)
def test_a_number_is_told_by_its_size(read: Callable[[Any], datetime], number: int) -> None:
    """I13: 13 digits are milliseconds, and no date of the 18th century; as a number or as a text."""
    assert read(number) == read(str(number)) == MEANT


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("20261130", datetime(2026, 11, 30, tzinfo=UTC)),
        ("2026-11-30T23:08:20", MEANT),
        ("2026/11/30 23:08:20Z", MEANT),
        ("2026-12-01T01:08:20+02:00", MEANT),
        (1796080100.25, MEANT + timedelta(milliseconds=250)),
        ("1796080100.25", MEANT + timedelta(milliseconds=250)),
        ("1.7960801e+09", MEANT),
        (Decimal("1796080100000.5"), MEANT + timedelta(microseconds=500)),
        (0, EPOCH),
        ("0", EPOCH),
    ],
)
def test_what_programs_write(value: object, meant: datetime) -> None:
    """Texts, fractions, the exponents of a data frame."""
    assert moment_of(value) == meant


@pytest.mark.parametrize(
    "value",
    ["", "soon", None, True, [], "nan", "inf", float("nan"), float("inf"), 1e300, 10**400, -1, 20261130230820,
     "20261130230820", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "1796-08-01"],
)  # fmt: skip
def test_what_is_no_moment_is_told_with_what_is(value: object) -> None:
    """Also the first and the last year: no reader of the log could reckon with them."""
    with pytest.raises(
        ValueError, match=r"is no time: expected ISO 8601 .* or a number since 1970"
    ):
        moment_of(value)


@given(st.integers(10**8 + 10**7, 10**10), st.sampled_from([1, 10**3, 10**6, 10**9]))
def test_every_moment_since_1973_is_found_again(seconds: int, per_second: int) -> None:
    """In each unit, as a whole number; so no two units claim one number."""
    assert since_1970(seconds * per_second) == EPOCH + timedelta(seconds=seconds)


@pytest.mark.parametrize("days", [1, 400_000])
def test_no_reckoning_leaves_the_calendar(days: int) -> None:
    """I7: a log with times of year 1 and 9999 is read and rebuilt like any other."""
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    assert shifted(first, -timedelta(days=days)) == first
    assert shifted(last, timedelta(days=days)) == last
    assert shifted(NOW, timedelta(days=1)) == NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("0001-01-01T00:00:00+02:00", EPOCH),
        ("0001-01-01", EPOCH),
        ("9999-12-31T23:59:59-01:00", LATEST),
        ("2026-12-01T00:00:00Z", NOW),
    ],
)
def test_a_rehearsal_s_clock_says_no_time_that_nobody_can_reckon_from(
    tmp_path: Path, said: str, meant: datetime
) -> None:
    """I13: what is recorded by it stays for good."""
    (tmp_path / "clock").write_text(said)
    assert FileClock(tmp_path / "clock").now() == meant


def test_a_file_of_today_is_not_of_a_time_to_come_in_a_rehearsal(tmp_path: Path) -> None:
    """I13: files bear the machine's time; one that whoever rehearses has dated is as old as they say."""
    said = tmp_path / "clock"
    said.write_text("2020-01-01T00:00:00Z")
    touched = said.stat().st_mtime
    assert timedelta() <= age_of_file(touched, FileClock(said)) < timedelta(minutes=5)
    dated = datetime(2019, 12, 31, 23, 50, tzinfo=UTC).timestamp()
    assert age_of_file(dated, FileClock(said)) == timedelta(minutes=10)
    assert age_of_file(touched + 60, SystemClock()) < timedelta()
