"""Times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from ledger.domain.errors import BadInput
from runtime.times import ACCEPTED, ago, parse_time, shown

NOW = datetime(2025, 11, 20, 3, 4, 5, 678, tzinfo=UTC)
MIDNIGHT = datetime(2025, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("now", NOW),
        ("today", MIDNIGHT),
        (" Yesterday ", MIDNIGHT - timedelta(days=1)),
        ("2025-11-19", MIDNIGHT - timedelta(days=1)),
        ("2025-11-19T23:30", MIDNIGHT - timedelta(minutes=30)),
        ("2025-11-19 23:30:00Z", MIDNIGHT - timedelta(minutes=30)),
        ("2025-11-20t01:00:00+02:00", MIDNIGHT - timedelta(hours=1)),
        ("2025-11-20T00:00:00.25Z", MIDNIGHT + timedelta(milliseconds=250)),
        ("90s", NOW - timedelta(seconds=90)),
        ("15m", NOW - timedelta(minutes=15)),
        ("2h", NOW - timedelta(hours=2)),
        ("1h30m", NOW - timedelta(minutes=90)),
        ("1h 30m ago", NOW - timedelta(minutes=90)),
        ("3 days ago", NOW - timedelta(days=3)),
        ("1 hour ago", NOW - timedelta(hours=1)),
        ("2 weeks", NOW - timedelta(weeks=2)),
        ("5 mins ago", NOW - timedelta(minutes=5)),
    ],
)
def test_what_people_write(text: str, means: datetime) -> None:
    """Each documented form, in upper and lower case, with and without a zone."""
    assert parse_time(text, NOW) == means


@pytest.mark.parametrize(
    "text",
    ["", "soon", "ago", "5", "5 parsecs", "2025", "2025-13-01", "2025-11-20T25:00", "-2h", "2h tomorrow",
     "999999999w", "20251120", "1m2", "2025-11-20T03:00:00.1234567Z"],
)  # fmt: skip
def test_what_is_no_time_is_told_with_the_forms_there_are(text: str) -> None:
    """One sentence, and what is understood."""
    with pytest.raises(BadInput, match="is no time") as refusal:
        parse_time(text, NOW)
    assert refusal.value.hint == ACCEPTED


@given(st.text(max_size=20))
def test_no_text_is_answered_by_a_traceback(text: str) -> None:
    """A moment in UTC, or `BadInput`; nothing else."""
    try:
        moment = parse_time(text, NOW)
    except BadInput:
        return
    assert moment.utcoffset() == timedelta(0)


@given(st.integers(-(10**10), 10**10))
def test_what_is_shown_can_be_typed(seconds: int) -> None:
    """A time copied from any output means the same when it is given back."""
    moment = NOW + timedelta(seconds=seconds)
    assert parse_time(shown(moment), NOW) == moment.replace(microsecond=0)
    elsewhere = moment.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert parse_time(elsewhere.isoformat(), NOW) == moment


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "just now"), (30, "30 s ago"), (119, "119 s ago"), (120, "2 min ago"), (7200, "2 h ago"),
     (86400 * 3, "3 d ago"), (-5, "in the future")],
)  # fmt: skip
def test_how_long_ago(seconds: int, words: str) -> None:
    """One unit, the largest of which there are at least two."""
    assert ago(NOW - timedelta(seconds=seconds), NOW) == words
