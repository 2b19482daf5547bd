"""What every event store gives back: the bytes that it was given, in order, without a gap."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ledger.store.base import EventStore
from tests.support.builders import NOON, an_event, events
from tests.support.logs import append_one, assert_sound


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        '{"data":{"note":"Grüße, 市场, \U0001f680, \\u0000"}}'.encode(),
        bytes(range(256)),
        b"\\x00",
        b"x" * 5_000_000,
    ],
    ids=["empty", "smallest", "unicode", "every byte", "looks like an escape", "5 MB"],
)
def test_bodies_are_kept_byte_for_byte(store: EventStore, body: bytes) -> None:
    """I3: what is hashed is what was given, whatever it is."""
    one, two = an_event(body=body), an_event(body=body)
    store.append([one])
    store.append([two, an_event()])
    assert [bytes(event.body) for event in store.read()][:2] == [body, body]
    assert_sound(store)


def test_names_beyond_ascii(store: EventStore) -> None:
    """I3: the length of a name is framed in bytes, not in characters."""
    store.append([an_event("Grüße"), an_event("市场:\U0001f680", type_="Ereignis→")])
    append_one(store, an_event("Grüße"))
    assert [(e.stream, e.revision) for e in store.read()] == [
        ("Grüße", 1), ("市场:\U0001f680", 1), ("Grüße", 2),
    ]  # fmt: skip
    assert_sound(store)


@pytest.mark.parametrize(
    "occurred_at",
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2000, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ],
    ids=str,
)
def test_times_are_kept_to_the_microsecond(store: EventStore, occurred_at: datetime) -> None:
    """I13: the source's clock, whenever it was."""
    append_one(store, an_event(occurred_at=occurred_at))
    store.append([an_event(occurred_at=occurred_at), an_event()])
    assert [event.occurred_at for event in store.read()][:2] == [occurred_at, occurred_at]
    assert_sound(store)


def test_a_time_of_another_zone_is_the_same_moment(store: EventStore) -> None:
    """I4 compares moments: a retry from another time zone is the same event."""
    tokyo = datetime.fromisoformat("2025-11-20T21:00:00+09:00")
    new = an_event(occurred_at=tokyo)
    append_one(store, new)
    assert append_one(store, replace(new, occurred_at=NOON)).outcome == "duplicate"
    assert [event.occurred_at for event in store.read()] == [NOON]
    assert_sound(store)


def test_read_ranges(store: EventStore) -> None:
    """``after`` is a checkpoint: what was seen is not seen again, and the end may be given."""
    store.append(events(10))
    assert [e.position for e in store.read(7)] == [8, 9, 10]
    assert [e.position for e in store.read(2, 5)] == [3, 4, 5]
    assert [e.position for e in store.read(5, 5)] == []
    assert [e.position for e in store.read(10)] == []
    assert [e.position for e in store.read(99)] == []


def test_read_may_be_left_early(store: EventStore) -> None:
    """Whoever has seen enough leaves; the store is as usable as before."""
    store.append(events(10))
    for event in store.read():
        if event.position == 2:
            break
    assert append_one(store, an_event()).position == 11
    assert len(list(store.read())) == 11


def test_appending_while_reading(store: EventStore) -> None:
    """A projection may append between two events that it reads; it sees the log as of its start."""
    store.append(events(3))
    seen = 0
    for event in store.read():
        seen += 1
        append_one(store, an_event("elsewhere"))
        assert store.get(event.position) is not None
    assert seen == 3
    assert store.head().position == 6
    assert_sound(store)


def test_what_is_appended_while_reading_stays(store: EventStore) -> None:
    """I1: leaving the loop early takes back nothing that was appended in it."""
    store.append(events(3))
    for event in store.read():
        append_one(store, an_event("elsewhere"))
        if event.position == 2:
            break
    assert store.head().position == 5
    assert [e.revision for e in store.read_stream("elsewhere")] == [1, 2]


def test_reading_is_by_pages_without_a_seam(store: EventStore) -> None:
    """I2: more events than a page holds, in a log and in a stream, none lost between two pages."""
    store.append([an_event(name) for name in "ab" * 2_100])
    assert [e.position for e in store.read()] == list(range(1, 4_201))
    assert [e.revision for e in store.read_stream("a")] == list(range(1, 2_101))


def test_read_stream_ranges(store: EventStore) -> None:
    """A stream after a revision, and as of a position."""
    store.append([an_event(name) for name in "abababab"])
    assert [e.position for e in store.read_stream("a")] == [1, 3, 5, 7]
    assert [e.position for e in store.read_stream("a", 2)] == [5, 7]
    assert [e.position for e in store.read_stream("a", 1, 6)] == [3, 5]
    assert [e.position for e in store.read_stream("a", 0, 0)] == []
    assert [e.position for e in store.read_stream("nobody")] == []


def test_where_a_stream_stood_at_a_moment(store: EventStore) -> None:
    """A window of a long stream is found without reading what lies before it."""
    for _ in range(9):
        store.append([an_event("long"), an_event("other")])
    found = list(store.read_stream("long"))
    for event in found:
        first = store.first_revision_since("long", event.recorded_at)
        assert found[first - 1].recorded_at == event.recorded_at
        assert first == 1 or found[first - 2].recorded_at < event.recorded_at
    assert store.first_revision_since("long", found[0].recorded_at - timedelta(days=1)) == 1
    assert store.first_revision_since("long", found[-1].recorded_at + timedelta(days=1)) == 10
    assert store.first_revision_since("none", found[0].recorded_at) == 1


def test_where_a_rehearsal_stood_at_a_moment(store: EventStore) -> None:
    """A rehearsal's clock may be ahead of the database's: its events are found by what it said."""
    start = datetime.now(UTC) + timedelta(days=100)
    for hour in range(9):
        store.append([an_event("long", occurred_at=start + timedelta(hours=hour))])
    assert store.first_revision_since("long", start + timedelta(hours=3)) == 4
    assert store.first_revision_since("long", start + timedelta(days=1)) == 10
    assert store.first_revision_since("long", start - timedelta(days=200)) == 1


def test_the_systems_are_those_that_have_a_stream(store: EventStore) -> None:
    """Sorted by name, whatever else there is in the log."""
    assert store.systems() == []
    for stream in ("system:polyarb-x", "ledger", "system:a/b", "metrics:a/b", "system:polyarb-x"):
        store.append([an_event(stream)])
    assert store.systems() == ["a/b", "polyarb-x"]
