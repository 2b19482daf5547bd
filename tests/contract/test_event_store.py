"""What every event store must do: the one on PostgreSQL 15, on the embedded 18, and the one in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from itertools import pairwise
from uuid import uuid4

import pytest

from ledger.domain.log import canonical
from ledger.domain.log.envelope import Appended, NewEvent
from ledger.domain.log.ids import uuid7
from ledger.store.base import EventStore, Head, chain_after
from tests.support.builders import NOON, an_event, events
from tests.support.logs import append_one, assert_sound, outcomes


def test_an_empty_log_has_a_head(store: EventStore) -> None:
    """The head before the first event is the genesis: position 0, 32 zero bytes."""
    assert store.head() == Head(0, bytes(32), None)
    assert list(store.read()) == []
    assert list(store.read_stream("system:bot")) == []
    assert store.get(1) is None
    assert store.get(0) is None
    assert store.get(uuid4()) is None


def test_an_empty_batch_changes_nothing(store: EventStore) -> None:
    """No event in, none out, no error."""
    assert store.append([]) == []
    assert store.append([], all_or_nothing=True) == []
    assert store.head().position == 0


def test_what_was_appended_is_read_back(store: EventStore) -> None:
    """Every field that was given comes back as it was (I3: verbatim)."""
    new = an_event("system:a/b", type_="ModeSwitched", schema_version=7, to_mode="real")
    answer = append_one(store, new)
    assert (answer.outcome, answer.position, answer.revision) == ("appended", 1, 1)
    for found in (
        store.get(1),
        store.get(new.event_id),
        *store.read(),
        *store.read_stream(new.stream),
    ):
        assert found is not None
        assert found.event_id == new.event_id
        assert found.stream == "system:a/b"
        assert found.type == "ModeSwitched"
        assert found.schema_version == 7
        assert found.occurred_at == NOON
        assert found.occurred_at.utcoffset() == timedelta(0)
        assert found.recorded_at == answer.recorded_at
        assert bytes(found.body) == new.body
        assert found.data == {"to_mode": "real"}
        assert found.chain == chain_after(canonical.GENESIS, found)
        assert store.head() == Head(1, found.chain, answer.recorded_at)


def test_positions_and_revisions_are_dense(store: EventStore) -> None:
    """I2: 1…N over the log, 1…n in each stream, whatever the batches were."""
    store.append(events(3, "a"))
    store.append([an_event("b"), an_event("a"), an_event("b"), an_event("c")])
    append_one(store, an_event("c"))
    store.append([an_event("c", expected=0), an_event("a")])  # one refused in the middle
    assert [(e.position, e.stream, e.revision) for e in store.read()] == [
        (1, "a", 1), (2, "a", 2), (3, "a", 3), (4, "b", 1), (5, "a", 4), (6, "b", 2), (7, "c", 1),
        (8, "c", 2), (9, "a", 5),
    ]  # fmt: skip
    assert_sound(store)


def test_one_by_one_is_as_in_batches(store: EventStore) -> None:
    """The function for one event and the one for a batch write the same chain, in turns."""
    for number in range(30):
        expected = number if number % 2 else None
        assert append_one(store, an_event(expected=expected)).revision == number + 1
    for number in range(30, 60, 3):
        batch = [an_event(), an_event(expected=number + 1), an_event()]
        assert [answer.revision for answer in store.append(batch)] == [
            number + 1,
            number + 2,
            number + 3,
        ]
        refused = append_one(store, an_event(expected=number))
        assert refused == Appended("conflict", None, number + 3, None)
    assert_sound(store)


def test_the_same_id_and_content_is_the_same_event(store: EventStore) -> None:
    """I4: sent again, alone or in a batch, it answers with the position that it has."""
    new = an_event()
    first = append_one(store, new)
    store.append(events(2))
    again = append_one(store, new)
    assert again == first._replace(outcome="duplicate")
    assert store.append([an_event(), new, an_event()])[1] == again
    assert store.head().position == 5
    assert_sound(store)


def test_a_duplicate_is_told_before_a_conflict(store: EventStore) -> None:
    """I4: a retry carries the revision that it expected the first time, which no longer holds."""
    new = an_event(expected=0)
    first = append_one(store, new)
    assert append_one(store, new) == first._replace(outcome="duplicate")
    assert store.append([new, an_event()])[0] == first._replace(outcome="duplicate")


@pytest.mark.parametrize(
    "change",
    [
        {"body": b'{"data":{}}'},
        {"stream": "system:other"},
        {"type": "IncidentClosed"},
        {"schema_version": 2},
        {"occurred_at": NOON + timedelta(microseconds=1)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_same_id_with_other_content_is_refused(
    store: EventStore, change: dict[str, object]
) -> None:
    """I4: an id stands for one content, and every part of the content counts."""
    new = an_event()
    append_one(store, new)
    other = replace(new, **change)
    assert append_one(store, other) == Appended("id_reused", None, None, None)
    assert outcomes(store.append([an_event(), other])) == ["appended", "id_reused"]
    found = store.get(new.event_id)
    assert found is not None
    assert bytes(found.body) == new.body
    assert_sound(store)


def test_duplicates_within_one_batch(store: EventStore) -> None:
    """I4 holds inside a batch too: the second one sees the first."""
    new = an_event()
    answers = store.append([new, new, replace(new, body=b"{}"), an_event()])
    assert outcomes(answers) == ["appended", "duplicate", "id_reused", "appended"]
    assert answers[1].position == answers[0].position == 1
    assert answers[3].position == 2
    assert_sound(store)


@pytest.mark.parametrize("batch", [1, 2], ids=["alone", "in a batch"])
class TestExpectedRevision:
    """Every variant of the expectation, in the function's lone path and in its set-based one."""

    @staticmethod
    def send(store: EventStore, event: NewEvent, batch: int) -> Appended:
        return store.append([event, *events(batch - 1, "elsewhere")])[0]

    def test_none_is_any(self, store: EventStore, batch: int) -> None:
        """Not to expect anything is allowed on a new stream and on an old one."""
        assert self.send(store, an_event(), batch).revision == 1
        assert self.send(store, an_event(), batch).revision == 2

    def test_zero_is_a_new_stream(self, store: EventStore, batch: int) -> None:
        """0 is an expectation, not the absence of one."""
        assert self.send(store, an_event(expected=0), batch).revision == 1
        refused = self.send(store, an_event(expected=0), batch)
        assert refused == Appended("conflict", None, 1, None)

    def test_the_current_one_holds(self, store: EventStore, batch: int) -> None:
        """n is met by a stream that stands at n."""
        store.append(events(3))
        answer = self.send(store, an_event(expected=3), batch)
        assert (answer.outcome, answer.revision) == ("appended", 4)

    @pytest.mark.parametrize("stale", [0, 1, 2, 4, 2**62, -1])
    def test_any_other_is_a_conflict(self, store: EventStore, batch: int, stale: int) -> None:
        """Behind or ahead, it is told where the stream stands, and nothing is appended."""
        store.append(events(3))
        assert self.send(store, an_event(expected=stale), batch) == Appended(
            "conflict", None, 3, None
        )
        assert [e.revision for e in store.read_stream("system:bot")] == [1, 2, 3]
        assert_sound(store)

    def test_a_stream_that_is_not_there(self, store: EventStore, batch: int) -> None:
        """Expecting 1 of a stream without events is a conflict at 0."""
        assert self.send(store, an_event(expected=1), batch) == Appended("conflict", None, 0, None)


def test_expectations_see_the_batch_so_far(store: EventStore) -> None:
    """A decision of several events expects n, n+1, n+2: each sees the one before."""
    store.append(events(2))
    answers = store.append([an_event(expected=2), an_event("b", expected=0), an_event(expected=3)])
    assert [(a.outcome, a.revision) for a in answers] == [
        ("appended", 3), ("appended", 1), ("appended", 4),
    ]  # fmt: skip


def test_within_a_batch_the_second_of_two_equal_expectations_loses(store: EventStore) -> None:
    """One bad item never stops a good one."""
    answers = store.append([an_event(expected=0), an_event(expected=0), an_event(expected=1)])
    assert outcomes(answers) == ["appended", "conflict", "appended"]
    assert answers[1].revision == 1
    assert [a.position for a in answers] == [1, None, 2]
    assert_sound(store)


def test_two_writers_with_the_same_expectation(store: EventStore) -> None:
    """The one that comes second is told so."""
    assert append_one(store, an_event(expected=0)).outcome == "appended"
    assert append_one(store, an_event(expected=0)).outcome == "conflict"


def test_all_or_nothing_appends_all(store: EventStore) -> None:
    """With nothing against it, it is as any batch."""
    answers = store.append([an_event(expected=0), an_event(expected=1)], all_or_nothing=True)
    assert outcomes(answers) == ["appended", "appended"]
    assert_sound(store)


@pytest.mark.parametrize("where", [0, 1, 2])
def test_all_or_nothing_takes_everything_back(store: EventStore, where: int) -> None:
    """I12: one conflict anywhere, and nothing of the batch is in the log."""
    store.append(events(2))
    before = store.head()
    batch = events(2, "other")
    batch.insert(where, an_event(expected=1))
    answers = store.append(batch, all_or_nothing=True)
    expected = ["not_appended", "not_appended"]
    expected.insert(where, "conflict")
    assert outcomes(answers) == expected
    assert answers[where].revision == 2
    assert store.head() == before
    assert [a for a in answers if a.position is not None] == []
    assert outcomes(store.append(events(1, "other"), all_or_nothing=True)) == ["appended"]
    assert_sound(store)


def test_taken_back_means_taken_back_for_conflicts_too(store: EventStore) -> None:
    """A conflict tells where the stream stands, not where the batch would have brought it."""
    store.append(events(2))
    answers = store.append(
        [an_event(expected=2), an_event(expected=2), an_event("b"), an_event("b", expected=0)],
        all_or_nothing=True,
    )
    assert answers == [
        Appended("not_appended", None, None, None),
        Appended("conflict", None, 2, None),
        Appended("not_appended", None, None, None),
        Appended("conflict", None, 0, None),
    ]
    assert store.head().position == 2


def test_a_duplicate_of_what_was_taken_back_is_not_in_the_log(store: EventStore) -> None:
    """I4: "duplicate" means that the log holds it; after a batch was taken back it does not."""
    kept = an_event()
    append_one(store, kept)
    new = an_event()
    answers = store.append([new, new, kept, an_event(expected=9)], all_or_nothing=True)
    assert outcomes(answers) == ["not_appended", "not_appended", "duplicate", "conflict"]
    assert answers[1].position is None
    assert answers[2].position == 1
    assert store.get(new.event_id) is None
    assert append_one(store, new).outcome == "appended"
    assert_sound(store)


def test_all_or_nothing_with_an_id_reused(store: EventStore) -> None:
    """An id with other content takes the batch back as a conflict does."""
    new = an_event()
    append_one(store, new)
    answers = store.append([an_event(), replace(new, body=b"{}")], all_or_nothing=True)
    assert outcomes(answers) == ["not_appended", "id_reused"]
    assert store.head().position == 1


def test_all_or_nothing_alone(store: EventStore) -> None:
    """A batch of one is a batch."""
    assert outcomes(store.append([an_event(expected=3)], all_or_nothing=True)) == ["conflict"]
    assert outcomes(store.append([an_event(expected=0)], all_or_nothing=True)) == ["appended"]


def test_all_or_nothing_repeated(store: EventStore) -> None:
    """I4: a retry of a whole batch is duplicates, and duplicates take nothing back."""
    batch = [an_event(expected=0), an_event(expected=1)]
    first = store.append(batch, all_or_nothing=True)
    again = store.append(batch, all_or_nothing=True)
    assert again == [answer._replace(outcome="duplicate") for answer in first]
    more = store.append([*batch, an_event(expected=2)], all_or_nothing=True)
    assert outcomes(more) == ["duplicate", "duplicate", "appended"]
    assert_sound(store)


def test_a_big_batch(store: EventStore) -> None:
    """5,000 events of 50 streams in one round trip, and again as duplicates."""
    batch = [an_event(f"system:{index % 50}", note=str(index)) for index in range(5_000)]
    answers = store.append(batch)
    assert [a.position for a in answers] == list(range(1, 5_001))
    assert [a.revision for a in answers] == [index // 50 + 1 for index in range(5_000)]
    assert len({a.recorded_at for a in answers}) == 1
    assert store.append(batch) == [answer._replace(outcome="duplicate") for answer in answers]
    assert store.head().position == 5_000
    assert_sound(store)


def test_a_big_batch_of_one_stream(store: EventStore) -> None:
    """The set-based path numbers a stream's events in their order."""
    answers = store.append(events(2_500), all_or_nothing=True)
    assert [a.revision for a in answers] == list(range(1, 2_501))
    assert [e.data["note"] for e in store.read_stream("system:bot")] == list(map(str, range(2_500)))


def test_recorded_time_never_goes_back(store: EventStore) -> None:
    """I13: the database's clock, in the order of the log."""
    for _ in range(20):
        append_one(store, an_event())
    times = [event.recorded_at for event in store.read()]
    assert all(before <= after for before, after in pairwise(times))


def test_blobs_are_kept_by_their_hash(store: EventStore) -> None:
    """The same bytes twice are one blob; none is found under another's name."""
    for content in (b"", b"mode: mock\n", bytes(range(256)) * 100, b"z" * 3_000_000):
        digest = store.put_blob(content)
        assert digest == sha256(content).hexdigest()
        assert store.put_blob(content) == digest
        assert store.get_blob(digest) == content
    assert store.get_blob("00" * 32) is None


def test_random_ids_are_as_good_as_ordered_ones(store: EventStore) -> None:
    """An importer derives its ids from the content (version 5), which come in no order."""
    batch = [replace(an_event(), event_id=uuid4()) for _ in range(100)]
    store.append(batch)
    assert outcomes(store.append(batch[::-1])) == ["duplicate"] * 100
    assert store.append([replace(an_event(), event_id=uuid7())])[0].position == 101
    assert_sound(store)
