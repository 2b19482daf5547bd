"""The fast encoder gives the reference encoder's bytes, for whatever an event's body can hold (I3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import rfc8785
from hypothesis import given, strategies as st

from ledger.domain.log import canonical

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
INTEGERS = st.integers(-canonical.SAFE_INTEGER_MAX, canonical.SAFE_INTEGER_MAX)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)
BODIES = st.dictionaries(TEXTS, VALUES, max_size=6)


@given(BODIES)
def test_the_encoder_is_rfc_8785(body: dict[str, Any]) -> None:
    """I3: two encoders, one text; and what it says is what was meant."""
    encoded = canonical.encode(body)
    assert encoded == rfc8785.dumps(body)
    assert canonical.decode(encoded) == body


@pytest.mark.parametrize("code", [*range(0x20), 0x22, 0x5C, 0x7F, 0x80, 0x2028, 0xFFFD, 0x1F600])
def test_each_special_character(code: int) -> None:
    """Escapes are where encoders differ."""
    body = {chr(code): chr(code) * 2, "a": chr(code)}
    assert canonical.encode(body) == rfc8785.dumps(body)


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_are_whole_microseconds(moment: datetime) -> None:
    """I13: what PostgreSQL stores is what Python meant, from year 1 to year 9999."""
    assert canonical.moment(canonical.microseconds(moment)) == moment


def test_the_epoch_is_that_of_postgresql() -> None:
    """2000-01-01T00:00:00Z, and microseconds before it are negative."""
    epoch = datetime(2000, 1, 1, tzinfo=UTC)
    assert canonical.microseconds(epoch) == 0
    assert canonical.microseconds(epoch - timedelta(microseconds=1)) == -1
