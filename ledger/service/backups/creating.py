"""Making a backup: piece by piece in a folder of its own, which takes its name when all of it is there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

import orjson

from ledger import fail_points, files
from ledger.domain.clock import Clock
from ledger.domain.errors import FileNotRead, IntegrityFailure, LedgerError, OperationInProgress
from ledger.domain.log import canonical, lines
from ledger.domain.log.ids import Actor
from ledger.domain.log.records import MadeBy, TableDigest
from ledger.domain.values.moments import iso
from ledger.service.backups import pieces
from ledger.service.backups.metadata import (
    KEY,
    METADATA,
    METADATA_BYTES_MAX,
    BackupFile,
    Kind,
    Metadata,
    parsed,
)
from ledger.service.backups.sealing import Seal
from ledger.service.core.creation import PROGRAM_VERSION
from ledger.store import migrate
from ledger.store.base import EventStore, chain_after
from ledger.store.checkpoint import ledger_id

EVENTS_A_PIECE: Final = 25_000
BLOB_BYTES_A_PIECE: Final = 32 * 2**20
MAKING: Final = ".making.rollout-tmp"
DONE: Final = "done.json"
LOCK: Final = ".lock"
LOCK_TIMEOUT_SECONDS: Final = 1.0
ORDERS: Final = "OrderActivityRecorded"

Progress = Callable[[int, int], None]


class Source(EventStore, Protocol):
    """A store whose blobs can be listed."""

    def blobs(self) -> Iterator[bytes]:
        """Yield all blobs, in order of their hash."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the backup is to be of."""

    last: int
    """The position up to which the log is copied."""
    read_models: tuple[TableDigest, ...]
    """What the read models held at ``last``."""
    made_by: Actor
    order_lines: int = 0
    """How many of the last lines of order activity go into a file of their own, besides."""


@dataclass(frozen=True, slots=True)
class Made:
    """A whole backup."""

    path: Path
    metadata: Metadata
    sha256: str
    """Of its metadata.json."""
    by_another: bool = False
    """Somebody else made it just now, up to the same position: there was nothing left to do."""


def create(
    store: Source, folder: Path, wanted: Wanted, seal: Seal, clock: Clock, tell: Progress
) -> Made:
    """Make a backup in ``folder``, or go on with one that was interrupted.

    Raises:
        OperationInProgress: another process makes one there, or has just made one in another way.
        IntegrityFailure: the log is not what was recorded: there is nothing to back up from.
        FileNotWritten: what was done is kept, and the next call goes on with it.
    """
    with files.exclusive_lock(
        folder / LOCK, timeout_seconds=LOCK_TIMEOUT_SECONDS, what="backup create", clock=clock
    ):
        return _Maker(store, folder, wanted, seal, clock, tell).run()


@dataclass
class _Maker:
    store: Source
    folder: Path
    wanted: Wanted
    seal: Seal
    clock: Clock
    tell: Progress
    files: list[BackupFile] = field(default_factory=list[BackupFile])
    chain: bytes = canonical.GENESIS

    def __post_init__(self) -> None:
        self.making = self.folder / MAKING
        self.now = self.clock.now()
        self.name = f"{self.now:%Y%m%dT%H%M%SZ}-{self.wanted.last:012d}"
        self.ledger = ledger_id(self.store)

    def run(self) -> Made:
        twin = self._made_by_another()
        if twin is not None:
            return twin
        after = self._take_up()
        chain = self._events(after)
        blobs = self._blobs()
        orders = self._order_lines()
        if self.seal.key is not None:
            self._add(KEY, "key", self.seal.key, count=1)
        metadata = Metadata(
            format=1,
            backup=self.name,
            ledger=self.ledger,
            program=PROGRAM_VERSION,
            schema=migrate.HEAD,
            made_at=iso(self.now),
            made_by=MadeBy(**self.wanted.made_by.as_record()),
            first=1,
            last=self.wanted.last,
            chain=chain.hex(),
            events=self.wanted.last,
            blobs=blobs,
            order_lines=orders,
            encryption="age" if self.seal.recipients else "none",
            recipients=self.seal.recipients,
            read_models=self.wanted.read_models,
            files=tuple(self.files),
        )
        return self._named(metadata)

    def _named(self, metadata: Metadata) -> Made:
        """Write the metadata, and let the folder take its name: from then on it is a backup."""
        path = self.folder / metadata.backup
        content = metadata.encoded()
        with files.told_as_not_written(path):
            (self.making / DONE).unlink(missing_ok=True)
        files.write_atomically(self.making / METADATA, content)
        fail_points.reach("backup.before_name")
        with files.told_as_not_written(path):
            files.sync_folder(self.making)
            self.making.rename(path)
            files.sync_folder(self.folder)
        return Made(path, metadata, hashlib.sha256(content).hexdigest())

    def _made_by_another(self) -> Made | None:
        """Return the backup of this very second and position, which somebody made while this one waited."""
        path = self.folder / self.name
        content = files.read_bounded(path / METADATA, bytes_max=METADATA_BYTES_MAX)
        if content is None:
            return None
        metadata = parsed(content, self.name)
        same = (
            metadata.ledger == self.ledger
            and metadata.recipients == self.seal.recipients
            and metadata.order_lines >= self.wanted.order_lines
        )
        if not same:
            raise OperationInProgress(
                f"{path} was made just now, with other keys or fewer lines of order activity.",
                hint="Repeat the command.",
            )
        return Made(path, metadata, hashlib.sha256(content).hexdigest(), by_another=True)

    # --- what an interrupted one has left ---------------------------------------------------------

    def _take_up(self) -> int:
        """Return the position up to which pieces lie there already that are still right."""
        with suppress(LedgerError, ValueError, KeyError, TypeError):
            for file in self._done():
                self._take(file)
        with files.told_as_not_written(self.making):
            self.folder.mkdir(parents=True, exist_ok=True)
            # A configuration is nobody else's business.
            self.making.mkdir(mode=0o700, exist_ok=True)
            wanted = {DONE, KEY, *(file.name for file in self.files)}
            for path in self.making.iterdir():
                if path.name not in wanted:
                    path.unlink()
        if self.seal.key is not None:
            files.write_atomically(self.making / KEY, self.seal.key)
        else:
            (self.making / KEY).unlink(missing_ok=True)
        return self.files[-1].last if self.files else 0

    def _done(self) -> list[BackupFile]:
        content = files.read_bounded(self.making / DONE, bytes_max=METADATA_BYTES_MAX)
        record = orjson.loads(content or b"{}")
        if record["ledger"] != self.ledger or record["recipients"] != list(self.seal.recipients):
            return []
        return [BackupFile.model_validate(file) for file in record["files"]]

    def _take(self, file: BackupFile) -> None:
        stored = self.store.get(file.last)
        first = self.files[-1].last + 1 if self.files else 1
        path = self.making / file.name
        if (
            stored is None
            or file.first != first
            or file.last > self.wanted.last
            or files.sha256_of(path) != file.sha256
        ):
            raise FileNotRead(f"{path} is of no use any more.")
        self.files.append(file)
        self.chain = stored.chain

    # --- the pieces -----------------------------------------------------------------------------

    def _events(self, after: int) -> bytes:
        last = self.wanted.last
        for begin in range(after, last, EVENTS_A_PIECE):
            end = min(begin + EVENTS_A_PIECE, last)
            text = self._checked(begin, end)
            self._add(
                f"events-{begin + 1:012d}-{end:012d}.jsonl.gz{self.seal.suffix}", "events",
                pieces.packed(text, self.seal), count=end - begin, first=begin + 1, last=end,
            )  # fmt: skip
            self._note()
            self.tell(end, last)
            fail_points.reach("backup.after_piece")
        return self.chain

    def _checked(self, after: int, last: int) -> Iterator[bytes]:
        """Yield the lines of a piece; what is not as it was recorded is not copied on."""
        yield self._header(after + 1, last, self.chain)
        for event in self.store.read(after, last):
            self.chain = chain_after(self.chain, event)
            if event.chain != self.chain:
                raise IntegrityFailure(
                    f"Position {event.position} of the log is not what was recorded: no backup was made.",
                    hint="Run: rollout verify",
                )
            yield lines.event(event)
        yield lines.end(lines.End(last - after, 0, self.chain))

    def _blobs(self) -> int:
        """Write the blobs. They are read last, so that none is missing that an event above names."""
        count, number, source = 0, 0, self.store.blobs()
        while some := list(_up_to(source, BLOB_BYTES_A_PIECE)):
            number += 1
            text = [
                self._header(0, 0, canonical.GENESIS),
                *map(lines.blob, some),
                lines.end(lines.End(0, len(some), canonical.GENESIS)),
            ]
            name = f"blobs-{number:06d}.jsonl.gz{self.seal.suffix}"
            self._add(name, "blobs", pieces.packed(text, self.seal), count=len(some))
            count += len(some)
        return count

    def _order_lines(self) -> int:
        """Write the last lines of order activity, as a bot's own audit file has them."""
        if not self.wanted.order_lines:
            return 0
        newest = _last_orders(self.store, self.wanted.last, self.wanted.order_lines)
        name = f"order-lines.jsonl.gz{self.seal.suffix}"
        self._add(name, "order_lines", pieces.packed(newest, self.seal), count=len(newest))
        return len(newest)

    def _header(self, first: int, last: int, before: bytes) -> bytes:
        whole = first == 1 and last == self.wanted.last
        head = lines.Header(first, last, before, whole, self.ledger, PROGRAM_VERSION, migrate.HEAD)
        who = self.wanted.made_by.as_record()
        return lines.header(head, exported_at=self.now, exported_by=who)

    def _add(
        self, name: str, kind: Kind, content: bytes, *, count: int, first: int = 0, last: int = 0
    ) -> None:
        files.write_atomically(self.making / name, content)
        digest, size = hashlib.sha256(content).hexdigest(), len(content)
        self.files.append(
            BackupFile(
                name=name, kind=kind, first=first, last=last, lines=count, bytes=size, sha256=digest
            )
        )

    def _note(self) -> None:
        """Note what is done, for whoever goes on after a crash."""
        record = {
            "ledger": self.ledger,
            "recipients": list(self.seal.recipients),
            "files": [file.model_dump() for file in self.files],
        }
        files.write_atomically(self.making / DONE, orjson.dumps(record))


def _up_to(source: Iterator[bytes], bytes_max: int) -> Iterator[bytes]:
    size = 0
    for content in source:
        yield content
        size += len(content)
        if size >= bytes_max:
            return


def _last_orders(store: EventStore, last: int, count: int) -> list[bytes]:
    """Return the ``count`` newest lines of order activity up to a position, oldest first."""
    newest: list[tuple[datetime, int, bytes]] = []
    for event in (event for event in store.read(0, last) if event.type == ORDERS):
        line = orjson.dumps(
            {
                "system": event.system,
                "occurred_at": iso(event.occurred_at),
                "kind": event.data["kind"],
                "fields": {
                    key: orjson.Fragment(text) for key, text in event.data["fields"].items()
                },
            }
        )
        newest.append((event.occurred_at, event.position, line))
        if len(newest) >= 2 * count:
            newest = sorted(newest)[-count:]
    return [line for _, _, line in sorted(newest)[-count:]]


def is_interrupted(folder: Path) -> bool:
    """Tell whether a backup in ``folder`` was begun and has no name yet: killed, or under way."""
    return (folder / MAKING).is_dir()


def resumable_key(folder: Path) -> bytes | None:
    """Return the key.age of a backup that was interrupted in ``folder``, if it has one."""
    if not is_interrupted(folder):
        return None
    return files.read_bounded(folder / MAKING / KEY, bytes_max=METADATA_BYTES_MAX)
