"""Runs in eventsourcing's own environment: takes orders as JSON lines, answers with seconds.

Uses the library as its documentation does: the application recorder for PostgreSQL, which locks the
table so that readers skip nothing. Its option to use database functions is left off: there the lock
is missing, and readers lose events.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable
from importlib.metadata import version
from time import perf_counter

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore


class Worker:
    """One recorder over one connection."""

    def __init__(self, order: dict) -> None:
        self.datastore = PostgresDatastore(**order["datastore"])
        self.recorder = PostgresApplicationRecorder(self.datastore)
        self.recorder.create_table()
        self.body = order["body"].encode()
        self.originators = [uuid.uuid5(uuid.NAMESPACE_URL, str(n)) for n in range(order["streams"])]
        self.written = 0

    def batch(self, size: int) -> list:
        """Return the next ``size`` events: each stream in turn, each with the version it then has."""
        streams = len(self.originators)
        numbers = range(self.written, self.written + size)
        self.written += size
        return [
            StoredEvent(
                originator_id=self.originators[number % streams],
                originator_version=number // streams + 1,
                topic="OrderActivityRecorded",
                state=self.body,
            )
            for number in numbers
        ]

    def insert(self, count: int, size: int) -> float:
        """Insert ``count`` batches of ``size`` events; return the seconds that it took."""
        batches = [self.batch(size) for _ in range(count)]
        began = perf_counter()
        for batch in batches:
            self.recorder.insert_events(batch)
        return perf_counter() - began


def main() -> None:
    """Serve orders until the input ends."""
    worker: Worker | None = None
    orders: dict[str, Callable[[dict], object]] = {
        "insert": lambda order: worker.insert(order["count"], order["size"]) if worker else None,
        "version": lambda _: version("eventsourcing"),
    }
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "open":
            worker = Worker(order)
            answer: object = "open"
        else:
            answer = orders[order["do"]](order)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    if worker is not None:
        worker.datastore.close()


if __name__ == "__main__":
    main()
