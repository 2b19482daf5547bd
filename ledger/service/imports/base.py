"""What all importers share: identities, bad records, progress, and appending each record once.

A record's event id is a UUIDv5 of what the record says, so a file that is imported again, or a longer
version of it, or one that overlaps with it, adds only what is new. The same holds for an import that was
killed in the middle: run again, it finishes, and no record is in the log twice (I4, I12).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, Literal, TypeVar
from uuid import UUID

from ledger import fail_points
from ledger.domain import events
from ledger.domain.errors import BadInput, EventIdReused
from ledger.domain.log.envelope import NewEvent
from ledger.domain.log.ids import control_stream
from ledger.service.core.recorder import Origin, Recorder
from ledger.store.base import EventStore

T = TypeVar("T")

Kind = Literal["config-changes", "git", "jsonl", "risk-events"]
NAMESPACE: Final = UUID("7588d2d3-72b2-5b99-94f9-1af80d02d781")
"""Under which imported records get their ids. Never to change: the ids stand in people's logs."""
READING: Final = 2
"""The version of how records are read; part of a file's id, so that a better reader reads it again."""
_SAME_TIME: Final = timedelta(seconds=1)
"""Records of one moment may have been put in order by less; another zone is at least 15 minutes."""
LISTED_MAX: Final = 500
"""How many records a summary lists one by one; it says how many more there are."""

Progress = Callable[[int], None]
"""Told how many records (or commits) have been gone through."""


class BadRecord(Exception):
    """A record is not what it should be: the text names the key and says what was expected."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A bad record: where it is ("line 7", "commit 1a2b3c4d") and what is wrong with it."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(slots=True)
class Told:
    """What an import has to say besides its events."""

    problems: list[Problem] = field(default_factory=list)
    more_problems: int = 0
    repeated: list[str] = field(default_factory=list)
    """Records that the reader passed over: the one before, sent again; a file that was removed."""
    unchanged: list[str] = field(default_factory=list)
    """Records after which everything is as it was."""
    notes: list[str] = field(default_factory=list)
    naive: int = 0
    """Times that came without a zone."""

    def note(self, count: int, what: str) -> None:
        """Say what was read with care, and how often."""
        self.notes.append(f"{count:,} {what}")

    def note_zone(self, zone: str) -> None:
        """Say out loud what a time without a zone was taken for."""
        if self.naive:
            self.notes.append(
                f"{self.naive:,} times name no zone and were read as {zone} (--timezone)"
            )

    def bad(self, problem: Problem) -> None:
        """Keep a problem, or only count it when there are very many."""
        if len(self.problems) < LISTED_MAX:
            self.problems.append(problem)
        else:
            self.more_problems += 1

    @property
    def bad_count(self) -> int:
        """How many records were bad."""
        return len(self.problems) + self.more_problems

    def skipped(self) -> tuple[str, ...]:
        """Return the records that were left out, as a summary lists them."""
        listed = [str(problem) for problem in self.problems]
        return (*listed, f"and {self.more_problems} more") if self.more_problems else tuple(listed)


@dataclass(frozen=True, slots=True)
class Source:
    """What is imported, and by whom."""

    kind: Kind
    system: str
    name: str
    """As the person named it: a path."""
    digest: str
    """SHA-256 of what was read, in hex."""
    options: str = ""
    """What else decides what the records become: the time zone, the window for repeats."""

    @property
    def id(self) -> UUID:
        """The id of the summary, which stands for: this was read to its end, in this way."""
        role = f"read {READING} {self.options}"
        return record_id(self.kind, self.system, bytes.fromhex(self.digest), 0, role)


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import."""

    source: Source
    records: int
    imported: int
    already_known: int
    repeated: tuple[str, ...]
    skipped: tuple[str, ...]
    notes: tuple[str, ...]
    events: tuple[NewEvent, ...]
    """Of a dry run: what would be appended. Otherwise empty."""
    position: int | None
    """Of the summary in the log; None when nothing was new."""

    @property
    def nothing_new(self) -> bool:
        """True when there was nothing to append (I16)."""
        return self.imported == 0


def record_id(kind: str, system: str, digest: bytes, ordinal: int, role: str = "") -> UUID:
    """Return the id of the event that a record becomes.

    ``digest`` stands for the record's content, ``ordinal`` tells equal records apart (0, 1, …), ``role`` the
    events that one record becomes. It's the UUIDv5 of these; `uuid.uuid5` takes twice the time.
    """
    name = b"%b\0%b\0%b\0%d\0%b" % (kind.encode(), system.encode(), digest, ordinal, role.encode())
    value = int.from_bytes(
        hashlib.sha1(NAMESPACE.bytes + name, usedforsecurity=False).digest()[:16]
    )
    value = (value & ~(0xF << 76)) | (0x5 << 76)
    return UUID(int=(value & ~(0x3 << 62)) | (0x2 << 62))


def shown(value: object) -> str:
    """Return a value for a message: short, and told apart from its neighbours."""
    if isinstance(value, str):
        text = value if len(value) <= 60 else value[:57] + "…"
        return repr(text)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return str(value)[:60]
    return {"dict": "an object", "list": "a list"}.get(type(value).__name__, type(value).__name__)


def require_good(source_name: str, told: Told, recorder: Recorder) -> None:
    """Raise if a record was bad.

    Raises:
        BadInput: names the first bad records, by line or commit, with what was expected.
    """
    if not told.problems:
        return
    first, *others = told.problems
    message = f"{source_name}, {first}"
    if others:
        listed = ", ".join(problem.where for problem in others[:8])
        count = len(others) - 8 + told.more_problems
        message += f" (also bad: {listed}{f' and {count} more' if count > 0 else ''})"
    raise BadInput(
        recorder.redact(message),
        hint="Nothing was imported. With --skip-bad, all but the bad ones are.",
    )


def done_before(store: EventStore, source: Source, told: Told) -> Imported | None:
    """Return what came of the import of this very content, in the same way, if it was done before."""
    summary = store.get(source.id)
    if summary is None:
        return None
    data = summary.data
    return Imported(
        source=source,
        records=data["records"],
        imported=0,
        already_known=data["imported"] + data["already_known"],
        repeated=tuple(data["repeated"]),
        skipped=tuple(data["skipped"]),
        notes=tuple(told.notes),
        events=(),
        position=None,
    )


def require_same_time(
    store: EventStore, source: Source, where: str, event_id: UUID, at: datetime
) -> None:
    """Raise unless a record that is in the log already stands there with the time ``at``.

    Raises:
        BadInput: it has another time, so it was read with another time zone.
    """
    recorded = store.get(event_id)
    if recorded is not None and abs(recorded.occurred_at - at) > _SAME_TIME:
        raise BadInput(
            f"{source.name}, {where} was imported before with the time "
            f"{recorded.occurred_at.isoformat()}, and now reads {at.isoformat()}.",
            hint="Was it another --timezone? What is recorded stays; give the same zone as then.",
        )


def summary_of(
    source: Source, told: Told, *, zone: str, records: int, imported: int
) -> events.HistoryImported:
    """Return the event that says what came of each record."""
    without_effect = [*told.repeated, *told.unchanged]
    repeated = without_effect[:LISTED_MAX]
    if len(without_effect) > LISTED_MAX:
        repeated.append(f"and {len(without_effect) - LISTED_MAX} more")
    done = imported + len(without_effect) + told.bad_count
    return events.HistoryImported(
        source=f"{source.name} (times without a zone read as {zone})"
        if told.naive
        else source.name,
        kind=source.kind,
        sha256=source.digest,
        records=records,
        imported=imported,
        already_known=max(records - done, 0),
        repeated=tuple(repeated),
        skipped=told.skipped(),
    )


def outcome(
    source: Source,
    told: Told,
    summary: events.HistoryImported,
    *,
    new: Iterable[NewEvent],
    position: int | None,
) -> Imported:
    """Return what came of an import; ``new`` are the events of a dry run."""
    return Imported(
        source=source,
        records=summary.records,
        imported=summary.imported,
        already_known=summary.already_known,
        repeated=(*told.repeated, *told.unchanged),
        skipped=told.skipped(),
        notes=tuple(told.notes),
        events=tuple(new),
        position=position,
    )


def append_last(
    recorder: Recorder,
    source: Source,
    batch: Sequence[NewEvent],
    summary: events.HistoryImported,
    origin: Origin,
) -> int | None:
    """Append the last batch together with the summary, so that neither is there without the other.

    The summary bears the id that stands for its source.

    Returns the summary's position; None if another process imported the same while this one read it.

    Raises:
        EventIdReused: a record was imported before and became something else then.
    """
    last = recorder.prepare(
        summary,
        origin,
        stream=control_stream(source.system),
        system=source.system,
        event_id=source.id,
    )
    fail_points.reach("import.before_summary")
    try:
        return recorder.append([*batch, last])[-1].position
    except EventIdReused:
        if recorder.store.get(source.id) is not None:
            return None
        raise


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield ``items`` in lists of ``size``; the last may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
