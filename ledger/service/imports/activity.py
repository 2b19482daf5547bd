"""Order activity becomes events: streamed in batches, each record once, however often it is begun.

The whole file is read first, so that a bad line means that nothing was appended. Then it is read again,
as far as it was checked, and appended batch by batch; what a killed import left out, the next one adds.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final

from ledger import fail_points
from ledger.domain import events
from ledger.domain.errors import FileNotRead
from ledger.domain.log.envelope import NewEvent
from ledger.domain.log.ids import Channel, orders_stream
from ledger.service.configurations.registration import adopt_key
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger
from ledger.service.imports.actors import system_itself
from ledger.service.imports.base import (
    Imported,
    Kind,
    Problem,
    Progress,
    Source,
    Told,
    append_last,
    chunks,
    outcome,
    record_id,
    require_same_time,
    summary_of,
)
from ledger.service.imports.fields import Inexact, field_texts
from ledger.service.imports.jsonl import Activity, exactly
from ledger.service.imports.lines import AFTER_NULS, Lines
from ledger.service.imports.times import Zone

BATCH_EVENTS: Final = 1000
EQUAL_WINDOW: Final = 65_536
"""Lines that are equal in every byte count apart if so few lines lie between them; memory stays flat."""
_SHOWN_OF_DRY_RUN: Final = 20
_PROGRESS_EVERY: Final = 5000

Read = Callable[..., Iterator[Activity | Problem]]
"""`jsonl.read` or `risk_events.read`."""


@dataclass(slots=True)
class Scan:
    """What a first look at a file found."""

    path: Path
    told: Told = field(default_factory=Told)
    good: int = 0
    bytes_read: int = 0
    digest: str = ""

    @property
    def records(self) -> int:
        """How many records there are, good or bad."""
        return self.good + self.told.bad_count


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read."""

    kind: Kind
    read: Read
    zone: Zone
    now: datetime

    def records(self, lines: Lines) -> Iterator[Activity | Problem]:
        """Yield a file's records."""
        return self.read(lines, zone=self.zone, not_after=self.now)


def scan(path: Path, reading: Reading, progress: Progress | None = None) -> Scan:
    """Read a whole file and count; keep nothing of it but what is wrong with it."""
    lines = Lines(path)
    scanned = Scan(path)
    remarks = Counter[str]()
    for record in reading.records(lines):
        if isinstance(record, Problem):
            scanned.told.bad(record)
        else:
            scanned.good += 1
            scanned.told.naive += record.naive
            remarks.update(record.remarks)
        if progress is not None and scanned.records % _PROGRESS_EVERY == 0:
            progress(scanned.records)
    remarks[AFTER_NULS] = lines.after_nuls
    for remark, count in remarks.items():
        if count:
            scanned.told.note(count, remark)
    scanned.bytes_read, scanned.digest = lines.bytes_read, lines.digest
    return scanned


def run(
    ledger: Ledger,
    source: Source,
    scanned: Scan,
    reading: Reading,
    origin: Origin,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Imported:
    """Import one file that `scan` has gone through.

    Raises:
        FileNotRead: the file was changed in between; run again, the import goes on where it stopped.
        EventIdReused: a record was imported before as something else.
    """
    lines = Lines(scanned.path, bytes_max=scanned.bytes_read)
    appender = _Appender(ledger, source, origin, dry_run=dry_run, progress=progress)
    made = _events(appender, reading.records(lines))
    last = appender.all_but_the_last(chunks(made, BATCH_EVENTS))
    if lines.digest != source.digest:
        raise FileNotRead(
            f"{scanned.path} was changed while it was read.",
            hint="Import it again: what went in stays, and nothing goes in twice.",
        )
    last = appender.unknown(last)
    imported = appender.appended + len(last)
    summary = summary_of(
        source, scanned.told, zone=reading.zone.name, records=scanned.records, imported=imported
    )
    if dry_run:
        shown = [*appender.shown, *last][:_SHOWN_OF_DRY_RUN]
        return outcome(source, scanned.told, summary, new=shown, position=None)
    position = None
    if imported:
        appender.adopt_key()
        position = append_last(ledger.recorder, source, last, summary, origin)
    return outcome(source, scanned.told, summary, new=(), position=position)


@dataclass(slots=True)
class _Appender:
    """Appends batches while the next ones are being made, one at a time and in order."""

    ledger: Ledger
    source: Source
    origin: Origin
    dry_run: bool
    progress: Progress | None
    appended: int = 0
    seen: int = 0
    shown: list[NewEvent] = field(default_factory=list)
    holds_secrets: bool = False
    """An event that was made so far names a secret by its digest."""
    _compared: bool = False
    _adopted: bool = False

    def all_but_the_last(self, batches: Iterable[list[NewEvent]]) -> list[NewEvent]:
        """Append every batch but the last, which goes in with the summary; return that."""
        held: list[NewEvent] = []
        running: Future[None] | None = None
        with ThreadPoolExecutor(1, "import") as worker:
            for batch in batches:
                if held:
                    if running is not None:
                        running.result()
                    running = worker.submit(self._append, held)
                held = batch
            if running is not None:
                running.result()
        return held

    def unknown(self, batch: list[NewEvent]) -> list[NewEvent]:
        """Return the events of ``batch`` that the log does not hold."""
        store = self.ledger.recorder.store
        there = store.known([event.event_id for event in batch])
        if there and not self._compared:  # One will do: all of them were read in the same way.
            self._compared = True
            first = next(event for event in batch if event.event_id in there)
            require_same_time(store, self.source, "a record", first.event_id, first.occurred_at)
        return [event for event in batch if event.event_id not in there] if there else batch

    def adopt_key(self) -> None:
        """Agree with the ledger on the key of its secrets, once there is one."""
        if self.holds_secrets and not self._adopted:
            adopt_key(self.ledger, self.origin)
            self._adopted = True

    def _append(self, batch: list[NewEvent]) -> None:
        new = self.unknown(batch)
        if self.dry_run:
            self.shown += new[: _SHOWN_OF_DRY_RUN - len(self.shown)]
        elif new:
            self.adopt_key()
            self.ledger.recorder.append(new)
            fail_points.reach("import.between_batches")
        self.appended += len(new)
        self.seen += len(batch)
        if self.progress is not None:
            self.progress(self.seen)


def _events(appender: _Appender, records: Iterable[Activity | Problem]) -> Iterator[NewEvent]:
    ledger, source = appender.ledger, appender.source
    ordinals = _Ordinals()
    recorded = (
        events.OrderActivityRecorded
    )  # looked up once: the catalogue loads a model when it's named
    prepare = partial(
        ledger.recorder.prepare,
        origin=Origin(system_itself(source.system), Channel.IMPORT),
        stream=orders_stream(source.system),
        system=source.system,
        backfilled=True,
        redacted=True,
    )
    for record in records:
        if isinstance(record, Problem):
            continue
        try:
            texts, holds_secrets = field_texts(record.fields, ledger.keys)
        except Inexact:
            texts, holds_secrets = field_texts(exactly(record.content), ledger.keys, exact=True)
        appender.holds_secrets |= holds_secrets
        activity = recorded(
            kind=record.kind,  # type: ignore[arg-type] -- the reader let nothing else through
            fields=texts,
        )
        digest = sha256(record.content).digest()
        event_id = record_id(source.kind, source.system, digest, ordinals.of(digest))
        yield prepare(activity, occurred_at=record.at, event_id=event_id)


class _Ordinals:
    """Counts equal records, as far back as the window goes."""

    def __init__(self) -> None:
        self._counts: OrderedDict[bytes, int] = OrderedDict()

    def of(self, digest: bytes) -> int:
        """Return how many records with this digest came before, and count this one."""
        count = self._counts.pop(digest, 0)
        self._counts[digest] = count + 1
        if len(self._counts) > EQUAL_WINDOW:
            self._counts.popitem(last=False)
        return count
