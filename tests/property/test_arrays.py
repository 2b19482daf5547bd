"""What we pack is what PostgreSQL unpacks, and the other way round, whatever it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
from hypothesis import given, strategies as st

from ledger.domain.log.canonical import microseconds
from ledger.store import arrays

LONGS = st.integers(-(2**63), 2**63 - 1)
TIMES = st.datetimes(timezones=st.just(UTC))
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=9)


def records(*columns: bytes) -> bytes:
    """Return a record of ``columns`` as the server sends one."""
    parts = [len(columns).to_bytes(4, "big")]
    for column in columns:
        parts += [bytes(4), len(column).to_bytes(4, "big"), column]
    return b"".join(parts)


@given(
    st.lists(TEXTS, min_size=1),
    st.lists(LONGS | st.none(), min_size=1),
    st.lists(TIMES, min_size=1),
)
def test_there_and_back(texts: list[str], longs: list[int | None], times: list[datetime]) -> None:
    """Every element, the NULLs among them, in its place."""
    packed_longs = bytearray(arrays.bigint(longs))
    packed_longs[4:8] = int(None in longs).to_bytes(
        4, "big"
    )  # the server says whether there are NULLs
    record = records(arrays.text(texts), bytes(packed_longs), arrays.timestamptz(times))
    one, two, three = [column or b"" for column in arrays.columns(record)]
    assert arrays.texts_in(one) == texts
    assert arrays.bigints_in(two) == longs
    assert arrays.timestamptzs_in(three) == times


def test_the_server_agrees(dsn: str) -> None:
    """Each kind of array, there and back over a connection, in binary."""
    ids = [UUID(int=number) for number in (0, 1, 2**127)]
    longs = [None, 0, -(2**63), 2**63 - 1]
    times = [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        datetime(2000, 1, 1, tzinfo=UTC),
    ]
    texts = ["", "ä", "a" * 300, "\U0001f600", "NULL", '"']
    blobs = [b"", b"\x00", bytes(range(256))]
    integers = [0, -(2**31), 2**31 - 1]
    kinds = {
        2951: (arrays.uuid(ids), ids),
        1016: (arrays.bigint(longs), longs),
        1185: (arrays.timestamptz(times), times),
        1009: (arrays.text(texts), texts),
        1001: (arrays.bytea(blobs), blobs),
        1007: (arrays.integer(integers), integers),
    }
    with psycopg.connect(dsn, autocommit=True, options="-c TimeZone=UTC") as connection:
        for oid, (packed, expected) in kinds.items():
            answer = connection.pgconn.exec_params(b"SELECT $1", [packed], [oid], [1], 1)
            content = bytes(answer.get_value(0, 0) or b"")
            if oid == 1016:
                assert arrays.bigints_in(content) == expected
            elif oid == 1009:
                assert arrays.texts_in(content) == expected
            elif oid == 1185:
                assert arrays.timestamptzs_in(content) == expected
            else:
                assert content[20:] == packed[20:]
        row = connection.execute("SELECT %b::bytea[]", [blobs]).fetchone()
        assert row == (blobs,)


def test_moments_far_away() -> None:
    """Python's whole range of times fits."""
    assert microseconds(datetime.max.replace(tzinfo=UTC)) < 2**63
    assert microseconds(datetime.min.replace(tzinfo=UTC)) > -(2**63)
    assert timedelta(microseconds=1).total_seconds() == 1e-6
