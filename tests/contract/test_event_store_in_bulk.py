"""What an import asks of a store: which of many ids it knows, and to keep many blobs."""

from __future__ import annotations

import threading
from hashlib import sha256
from uuid import uuid4

from ledger.store.base import EventStore
from ledger.store.postgres import PostgresStore
from tests.support.builders import an_event


def test_known_ids_are_told_from_unknown_ones(store: EventStore) -> None:
    """I4: asked in one go; in any order, of any number."""
    batch = [an_event() for _ in range(30)]
    store.append(batch)
    ids = [event.event_id for event in batch]
    assert store.known([]) == set()
    assert store.known([uuid4(), uuid4()]) == set()
    assert store.known([uuid4(), *ids[::-1], uuid4(), ids[3]]) == set(ids)


def test_many_blobs_are_kept_at_once(store: EventStore) -> None:
    """Some of them known, some large, one twice."""
    store.put_blob(b"known")
    contents = [b"known", b"", *(b"%d" % n for n in range(1200)), b"z" * 9_000_000, b"7", b"last"]
    store.put_blobs(iter(contents))
    assert all(store.get_blob(sha256(content).hexdigest()) == content for content in contents)
    store.put_blobs([])


def test_two_that_keep_the_same_blobs_do_not_wait_for_each_other(embedded_dsn: str) -> None:
    """I12: in whichever order each of them has the blobs."""
    contents = [b"%d" % n * 50 for n in range(400)]
    failed: list[BaseException] = []
    start = threading.Barrier(4)

    def keep(mine: list[bytes]) -> None:
        store = PostgresStore(embedded_dsn)
        start.wait()
        try:
            store.put_blobs(mine)
        except BaseException as error:  # noqa: BLE001 -- told by the assertion below
            failed.append(error)
        store.close()

    orders = (contents, contents[::-1], contents[200:] + contents[:200], contents)
    threads = [threading.Thread(target=keep, args=(mine,)) for mine in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
