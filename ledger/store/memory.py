"""The in-memory twin: the same contract without a database. For --dry-run and pure tests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from ledger.domain.clock import Clock
from ledger.domain.log import canonical
from ledger.domain.log.envelope import Appended, NewEvent, Recorded
from ledger.store.base import Head, chain_after, checked


class MemoryStore:
    """An event store in lists and dicts. May start as an overlay over what another store holds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._events: list[Recorded] = []
        self._by_id: dict[UUID, Recorded] = {}
        self._revisions: dict[str, int] = {}
        self._blobs: dict[str, bytes] = {}
        self._locks: set[str] = set()

    def append(self, events: Sequence[NewEvent], *, all_or_nothing: bool = False) -> list[Appended]:
        """See `EventStore.append`."""
        length, revisions = len(self._events), dict(self._revisions)
        now = self._now()
        answers = [self._append_one(event, now) for event in events]
        if all_or_nothing and any(a.outcome in {"conflict", "id_reused"} for a in answers):
            for event in self._events[length:]:
                del self._by_id[event.event_id]
            del self._events[length:]
            self._revisions = revisions
            return [
                self._taken_back(event, answer)
                for event, answer in zip(events, answers, strict=True)
            ]
        return answers

    def _taken_back(self, event: NewEvent, answer: Appended) -> Appended:
        """Return what ``answer`` becomes when nothing of its batch is in the log."""
        if answer.outcome == "conflict":
            return Appended("conflict", None, self._revisions.get(event.stream, 0), None)
        if answer.position is not None and answer.position > len(self._events):
            return Appended("not_appended", None, None, None)
        return answer

    def _now(self) -> datetime:
        now = self._clock.now()
        return max(now, self._events[-1].recorded_at) if self._events else now

    def _append_one(self, event: NewEvent, now: datetime) -> Appended:
        original = self._by_id.get(event.event_id)
        if original is not None:
            if _content(original) == _content(event):
                return Appended(
                    "duplicate", original.position, original.revision, original.recorded_at
                )
            return Appended("id_reused", None, None, None)
        revision = self._revisions.get(event.stream, 0)
        if event.expected_revision is not None and event.expected_revision != revision:
            return Appended("conflict", None, revision, None)
        bare = Recorded(
            position=len(self._events) + 1,
            revision=revision + 1,
            schema_version=event.schema_version,
            event_id=event.event_id,
            occurred_at=event.occurred_at,
            recorded_at=now,
            stream=event.stream,
            type=event.type,
            body=event.body,
            body_hash=canonical.body_hash(event.body),
            chain=b"",
        )
        recorded = replace(bare, chain=chain_after(self.head().chain, bare))
        self._events.append(recorded)
        self._by_id[event.event_id] = recorded
        self._revisions[event.stream] = recorded.revision
        return Appended("appended", recorded.position, recorded.revision, recorded.recorded_at)

    def head(self) -> Head:
        """See `EventStore.head`."""
        if not self._events:
            return Head(0, canonical.GENESIS, None)
        last = self._events[-1]
        return Head(last.position, last.chain, last.recorded_at)

    def read(self, after: int = 0, up_to: int | None = None) -> Iterator[Recorded]:
        """See `EventStore.read`."""
        return checked(iter(self._events[after:up_to]), after)

    def read_stream(
        self, stream: str, after_revision: int = 0, up_to_position: int | None = None
    ) -> Iterator[Recorded]:
        """See `EventStore.read_stream`."""
        for event in self._events[:up_to_position]:
            if event.stream == stream and event.revision > after_revision:
                yield event

    def first_revision_since(self, stream: str, moment: datetime) -> int:
        """See `EventStore.first_revision_since`."""
        for event in self.read_stream(stream):
            if max(event.recorded_at, event.occurred_at) >= moment:
                return event.revision
        return self._revisions.get(stream, 0) + 1

    def get(self, key: int | UUID) -> Recorded | None:
        """See `EventStore.get`."""
        if isinstance(key, UUID):
            return self._by_id.get(key)
        return self._events[key - 1] if 1 <= key <= len(self._events) else None

    def known(self, event_ids: Sequence[UUID]) -> set[UUID]:
        """See `EventStore.known`."""
        return self._by_id.keys() & set(event_ids)

    def systems(self) -> list[str]:
        """See `EventStore.systems`."""
        return sorted(
            stream.removeprefix("system:")
            for stream in self._revisions
            if stream.startswith("system:")
        )

    def put_blob(self, content: bytes) -> str:
        """See `EventStore.put_blob`."""
        digest = hashlib.sha256(content).hexdigest()
        self._blobs[digest] = content
        return digest

    def put_blobs(self, contents: Iterable[bytes]) -> None:
        """See `EventStore.put_blobs`."""
        for content in contents:
            self.put_blob(content)

    def get_blob(self, sha256: str) -> bytes | None:
        """See `EventStore.get_blob`."""
        return self._blobs.get(sha256)

    def try_lock(self, name: str) -> bool:
        """See `EventStore.try_lock`."""
        self._locks.add(name)  # one store stands for one connection, which may take its own again
        return True

    def unlock(self, name: str) -> None:
        """See `EventStore.unlock`."""
        self._locks.discard(name)


def _content(event: NewEvent | Recorded) -> tuple[object, ...]:
    return event.stream, event.type, event.schema_version, event.occurred_at, event.body
