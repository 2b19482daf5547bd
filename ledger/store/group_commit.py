"""Many callers, one writer: what waits while a batch is written is the next batch.

An append holds the log's lock through the flush to disk, so events appended one by one go no faster than
one flush each, however many callers there are. Here they share a flush. There is no timer: a lone caller
waits for its own flush and nothing else.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from itertools import groupby
from types import TracebackType
from typing import Any, Final

from ledger.domain.clock import Clock
from ledger.domain.errors import LedgerError, LedgerUnreachable
from ledger.domain.log.envelope import Appended, NewEvent
from ledger.store.base import EventStore

ITEMS_MAX: Final = 512
BYTES_MAX: Final = 256 * 1024
WAITING_MAX: Final = 100_000
PATIENCE_SECONDS: Final = 15.0
"""For so long a batch is tried again after the connection was lost: a restart takes a few seconds."""
REACTION_SECONDS_MAX: Final = 0.005
"""A loop that is busy with other things is not waited for longer than this."""
PAUSE_SECONDS_MIN: Final = 0.02
PAUSE_SECONDS_MAX: Final = 1.0

Outcome = Appended | BaseException


class _Item:
    """An event on its way, and who waits for it: a thread (``loop`` is None), or a task of a loop."""

    __slots__ = ("event", "future", "loop")

    def __init__(
        self,
        event: NewEvent,
        future: Future[Appended] | asyncio.Future[Appended],
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self.event = event
        self.future: Any = future
        self.loop = loop


class GroupCommitter:
    """Appends single events from any number of threads and tasks, in the order in which they came.

    Each caller gets the answer to its own event. An event that could not be sent (a connection lost, a
    server restarting) is sent again under its id, so it is in the log once; if its first sending did get
    through, the answer is ``duplicate``, with the position that it has.
    """

    def __init__(
        self, store: EventStore, clock: Clock, *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Start the writer. ``store`` is the writer's alone until `close`."""
        self._store = store
        self._clock = clock
        self._patience_seconds = patience_seconds
        self._waiting: deque[_Item] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._writer = threading.Thread(target=self._write, name="group-commit", daemon=True)
        self._writer.start()

    def __enter__(self) -> GroupCommitter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def submit(self, event: NewEvent) -> Future[Appended]:
        """Hand ``event`` over; the future gives its answer, or raises as `append` does.

        Raises:
            LedgerError: the committer was closed.
            LedgerUnreachable: too many events wait already.
        """
        future: Future[Appended] = Future()
        self._put(_Item(event, future, None))
        return future

    def append(self, event: NewEvent) -> Appended:
        """Append ``event`` and wait for it: for threads.

        Raises:
            LedgerUnreachable: it is not known whether it was appended; it may be sent again, under its id.
            LedgerError: it can't be appended, or the committer was closed.
        """
        return self.submit(event).result()

    async def append_soon(self, event: NewEvent) -> Appended:
        """Append ``event`` and wait for it: for tasks. A task that is cancelled takes nothing back.

        Raises:
            As `append`.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Appended] = loop.create_future()
        self._put(_Item(event, future, loop))
        return await future

    def close(self) -> None:
        """Append what waits, then stop. Nothing is accepted from here on."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._writer.join()

    def _put(self, item: _Item) -> None:
        with self._changed:
            if self._closing:
                raise LedgerError("The group commit was closed.", hint="Open another one.")
            if len(self._waiting) >= WAITING_MAX:
                raise LedgerUnreachable(
                    f"The ledger can't keep up: {WAITING_MAX} events wait to be appended.",
                    hint="Send fewer, or look what holds Postgres up.",
                )
            self._waiting.append(item)
            if len(self._waiting) == 1:
                self._changed.notify()

    # --- the writer's side ----------------------------------------------------------------------

    def _write(self) -> None:
        while batch := self._next_batch():
            try:
                outcomes = self._append(batch)
            except BaseException as error:  # noqa: BLE001 -- whatever it is, somebody waits to hear it
                outcomes = [error] * len(batch)
            # Those who were answered often have their next event ready at once. Without this look, they
            # would miss the next batch, and two half batches would take turns, with a flush for each.
            for reacted in _deliver(batch, outcomes):
                reacted.wait(REACTION_SECONDS_MAX)

    def _next_batch(self) -> list[_Item]:
        """Return what waits, up to the limits; nothing when there will never be anything again."""
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            batch: list[_Item] = []
            size = 0
            while self._waiting and len(batch) < ITEMS_MAX:
                size += len(self._waiting[0].event.body)
                if batch and size > BYTES_MAX:
                    break
                batch.append(self._waiting.popleft())
            return batch

    def _append(self, batch: Sequence[_Item]) -> Sequence[Outcome]:
        try:
            return self._persistently([item.event for item in batch])
        except LedgerUnreachable as error:
            return [error] * len(batch)
        except Exception as error:  # noqa: BLE001 -- told to who sent it
            if len(batch) == 1:
                return [error]
            # One of them can't even be sent. The others must not suffer for it.
            return [outcome for item in batch for outcome in self._append([item])]

    def _persistently(self, events: Sequence[NewEvent]) -> list[Appended]:
        """Append, again and again while the ledger is out of reach, for as long as patience lasts."""
        deadline = self._clock.monotonic() + self._patience_seconds
        pause = PAUSE_SECONDS_MIN
        while True:
            try:
                return self._store.append(events)
            except LedgerUnreachable:
                if self._clock.monotonic() + pause > deadline:
                    raise
                self._clock.sleep(pause)
                pause = min(pause * 2, PAUSE_SECONDS_MAX)


def _deliver(batch: Sequence[_Item], outcomes: Sequence[Outcome]) -> list[threading.Event]:
    """Give everybody their answer; each loop is woken once for all of its tasks.

    Returns what each loop sets when the tasks that were answered have had their turn.
    """
    reactions: list[threading.Event] = []
    pairs = list(zip(batch, outcomes, strict=True))
    for loop, group in groupby(pairs, key=lambda pair: pair[0].loop):
        answered = [(item.future, outcome) for item, outcome in group]
        if loop is None:
            _settle(answered)
        else:
            reacted = threading.Event()
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(_settle_in, loop, answered, reacted)
                reactions.append(reacted)
    return reactions


def _settle_in(
    loop: asyncio.AbstractEventLoop,
    answered: Sequence[tuple[Any, Outcome]],
    reacted: threading.Event,
) -> None:
    _settle(answered)
    loop.call_soon(reacted.set)  # behind the tasks that have just become ready


def _settle(answered: Sequence[tuple[Any, Outcome]]) -> None:
    for future, outcome in answered:
        if future.done():  # cancelled by who waited
            continue
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
