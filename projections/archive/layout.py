"""What lies where in an archive, and the records of provenance that hold it together. See docs/archive.md."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal, cast

import orjson
from pydantic import Field

from ledger import files
from ledger.domain.errors import BadInput, IntegrityFailure, SchemaNewer
from ledger.domain.log import records
from ledger.domain.log.event import Sha256
from ledger.domain.log.records import MadeBy, R, Record

FORMAT: Final = 1
LIST: Final = "archive.json"
MANIFEST: Final = "manifest.json"
BLOBS: Final = "blobs.parquet"
EVENTS: Final = "events.parquet"
NO_SYSTEM: Final = "__HIVE_DEFAULT_PARTITION__"
RECORD_BYTES_MAX: Final = 256 * 1024 * 1024
GENESIS: Final = bytes(32).hex()

_FOLDER: Final = re.compile(r"range=(\d{12,19})-(\d{12,19})")
_FILE: Final = re.compile(
    rf"blobs\.parquet|system=[A-Za-z0-9._%-]+/day=\d{{4,6}}-\d\d-\d\d/{re.escape(EVENTS)}"
)
_TEMPORARY: Final = ".rollout-tmp"


class SealedFile(Record):
    """A file of a range; ``path`` is relative to the range's folder."""

    path: str
    rows: int = Field(ge=0)
    bytes: int = Field(ge=0)
    sha256: Sha256


class Manifest(Record):
    """Where one range comes from, and its files."""

    format: Literal[1]
    ledger: str | None
    program: str
    schema_: str = Field(alias="schema")
    first: int = Field(ge=1)
    last: int
    events: int
    chain_before: Sha256
    chain_after: Sha256
    recorded_from: str
    recorded_to: str
    previous: Sha256 | None
    """SHA-256 of the manifest of the range before."""
    sealed_at: str
    sealed_by: MadeBy
    files: tuple[SealedFile, ...]
    missing_blobs: tuple[Sha256, ...]
    """What events of the range name, and the ledger itself did not have any more."""

    @property
    def folder(self) -> str:
        """The name of the range's folder."""
        return folder_name(self.first, self.last)


class Listed(Record):
    """A range as the list has it."""

    folder: str
    first: int
    last: int
    chain: Sha256
    manifest: Sha256
    """SHA-256 of the range's manifest."""


class ArchiveList(Record):
    """`archive.json`: what is sealed."""

    format: Literal[1]
    ledger: str | None
    events: int
    last: int
    chain: Sha256
    written_at: str
    ranges: tuple[Listed, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """A sealed range."""

    manifest: Manifest
    sha256: str
    """Of the manifest."""
    path: Path

    def listed(self) -> Listed:
        """Return its entry for the list."""
        manifest = self.manifest
        return Listed(
            folder=manifest.folder, first=manifest.first, last=manifest.last,
            chain=manifest.chain_after, manifest=self.sha256,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive whose records follow from one another; its files were not looked into."""

    path: Path
    ledger: str | None
    ranges: tuple[Range, ...]
    unlisted: int
    """How many of the newest ranges the list does not have yet."""

    @property
    def last(self) -> int:
        """The last position that is sealed; 0 before the first."""
        return self.ranges[-1].manifest.last if self.ranges else 0

    @property
    def chain(self) -> str:
        """The chain value there, in hex."""
        return self.ranges[-1].manifest.chain_after if self.ranges else GENESIS


def folder_name(first: int, last: int) -> str:
    """Return the name of a range's folder."""
    return f"range={first:012d}-{last:012d}"


def partition(system: str | None, day: str) -> str:
    """Return where the events of a system and a day lie in their range."""
    name = NO_SYSTEM if system is None else system.replace("/", "%2F")
    return f"system={name}/day={day}/{EVENTS}"


def is_temporary(name: str) -> bool:
    """Tell whether a name in the archive's folder is of a range, or a list, that is being written."""
    return name.startswith((".range=", f".{LIST}.")) and name.endswith(_TEMPORARY)


def is_archive(path: Path) -> bool:
    """Tell whether there is anything of an archive in a folder."""
    return (path / LIST).exists() or any(path.glob("range=*"))


def read(path: Path) -> Archive:
    """Return the archive in ``path``, when its list and manifests follow from one another.

    Raises:
        BadInput: it is no archive.
        SchemaNewer: it is of a format that this program does not know.
        IntegrityFailure: a record is missing, changed, or does not follow from the one before.
        FileNotRead: a record can't be read.
    """
    content = _content(path / LIST, 0) if path.is_dir() else None
    if content is None:
        if is_archive(path):
            raise damaged(f"{path / LIST} is missing.")
        raise BadInput(
            f"{path} is no archive: it has no {LIST}.", hint="rollout export parquet --out DIR"
        )
    listed = _parsed(path / LIST, content, ArchiveList)
    ranges: list[Range] = []
    for entry in listed.ranges:
        sealed = _range(path, entry.folder, ranges, listed.ledger)
        if sealed.listed() != entry:
            raise damaged(
                f"{sealed.path / MANIFEST} is not the one that {LIST} lists.", entry.first
            )
        ranges.append(sealed)
    own = Archive(path, listed.ledger, tuple(ranges), 0)
    if (listed.events, listed.last, listed.chain) != (own.last, own.last, own.chain):
        raise damaged(f"{path / LIST} does not say what its own ranges say.", own.last)
    # Killed after a seal, an export had no time left to enter it.
    folders = {entry.name for entry in path.iterdir() if _FOLDER.fullmatch(entry.name)}
    newer = sorted(folders - {entry.folder for entry in listed.ranges})
    for folder in newer:
        ranges.append(_range(path, folder, ranges, listed.ledger))
    return Archive(path, listed.ledger, tuple(ranges), len(newer))


def _range(path: Path, folder: str, before: Sequence[Range], ledger: str | None) -> Range:
    previous = before[-1] if before else None
    after = previous.manifest.last if previous else 0
    file = path / folder / MANIFEST
    if not _FOLDER.fullmatch(folder):
        raise damaged(f"{path / LIST} lists {folder!r}, which is no range.", after + 1)
    content = _content(file, after)
    if content is None:
        raise damaged(f"{file} is missing.", after + 1)
    manifest = _parsed(file, content, Manifest)
    wrong = _wrong(manifest, folder, previous, ledger)
    if wrong is not None:
        raise damaged(f"{file} {wrong}.", after + 1)
    return Range(manifest, hashlib.sha256(content).hexdigest(), path / folder)


def _content(file: Path, after: int) -> bytes | None:
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise damaged(f"{file} is no regular file.", after + 1)
    return files.read_bounded(file, bytes_max=RECORD_BYTES_MAX)


def _wrong(
    manifest: Manifest, folder: str, previous: Range | None, ledger: str | None
) -> str | None:
    after = previous.manifest.last if previous else 0
    chain = previous.manifest.chain_after if previous else GENESIS
    if manifest.folder != folder:
        return f"is of the range {manifest.folder}"
    if manifest.first != after + 1:
        return f"begins at position {manifest.first}, where {after + 1} should follow"
    if manifest.events != manifest.last - manifest.first + 1 or manifest.events < 1:
        return f"says {manifest.events} events from {manifest.first} to {manifest.last}"
    if manifest.chain_before != chain:
        return "does not begin with the chain value that the range before ends with"
    if manifest.previous != (previous.sha256 if previous else None):
        return "does not follow from the manifest of the range before"
    if manifest.ledger != ledger:
        return f"is of the ledger {manifest.ledger}, and the archive of {ledger}"
    paths = [file.path for file in manifest.files]
    strange = next((name for name in paths if not _FILE.fullmatch(name)), None)
    if strange is not None or len(set(paths)) != len(paths):
        return f"names the file {strange!r}" if strange is not None else "names a file twice"
    rows = sum(file.rows for file in manifest.files if file.path != BLOBS)
    return None if rows == manifest.events else f"has {rows} events in its files"


def _parsed(file: Path, content: bytes, model: type[R]) -> R:
    try:
        record: Any = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise damaged(f"{file} is not what was written: {error}.") from None
    written: Any = (
        cast("dict[str, Any]", record).get("format") if isinstance(record, dict) else None
    )
    if written not in (None, FORMAT):
        raise SchemaNewer(
            f"{file} is of format {written!r}, and this program knows {FORMAT}.",
            hint="Use the version of rollout-ledger that wrote it, or a newer one.",
        )
    return records.parsed(
        content, model, lambda why: damaged(f"{file} is not what was written: {why}.")
    )


def strangers(archive: Archive) -> Iterator[Path]:
    """Yield what lies in the archive's folder and is none of its own, in order of its path."""
    own = {LIST}
    for each in archive.ranges:
        own.add(f"{each.manifest.folder}/{MANIFEST}")
        own.update(f"{each.manifest.folder}/{file.path}" for file in each.manifest.files)
    folders = {str(parent) for name in own for parent in PurePosixPath(name).parents}
    for path in sorted(archive.path.iterdir()):
        if is_temporary(path.name):
            continue
        for entry in [path, *(sorted(path.rglob("*")) if path.is_dir() else [])]:
            name = entry.relative_to(archive.path).as_posix()
            if name not in own and not (name in folders and entry.is_dir()):
                yield entry


class ArchiveDamaged(IntegrityFailure):
    """An archive is not what was sealed."""

    code = "L502"

    def __init__(
        self, message: str, *, position: int | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.position = position
        """The first position that can't be vouched for, where it is known."""


def damaged(sentence: str, position: int | None = None) -> ArchiveDamaged:
    """Return the error for an archive of which something is wrong."""
    return ArchiveDamaged(
        sentence,
        position=position,
        hint="Keep it as it is, as evidence, and fetch that range from another copy, or export anew.",
    )
