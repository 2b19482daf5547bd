"""Backups as they lie in a folder: listed, looked over, read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from ledger import files
from ledger.domain.errors import FileNotRead, IntegrityFailure, LedgerError, UnknownName
from ledger.domain.log import lines
from ledger.domain.log.envelope import Recorded
from ledger.service.backups import pieces
from ledger.service.backups.metadata import (
    KEY,
    METADATA,
    METADATA_BYTES_MAX,
    NAME,
    BackupFile,
    Metadata,
    parsed,
)
from ledger.service.backups.sealing import Opener

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Backup:
    """A backup whose metadata has been read."""

    path: Path
    metadata: Metadata
    sha256: str
    """Of its metadata.json."""
    opener: Opener = field(default_factory=Opener)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.metadata.backup

    @property
    def last(self) -> int:
        """The last position in it."""
        return self.metadata.last

    @property
    def chain(self) -> bytes:
        """The chain value at `last`."""
        return bytes.fromhex(self.metadata.chain)

    def unlocked(self, opener: Opener) -> Backup:
        """Return the backup with what decrypts it.

        Raises:
            Refused: the passphrase is another one, or no key fits.
            IntegrityFailure: key.age is missing, or was changed.
        """
        if self.metadata.encryption == "none":
            return self
        for file in self._of("key"):  # a key that was spoilt looks like a wrong passphrase
            self._check_file(file)
        key = files.read_bounded(self.path / KEY, bytes_max=METADATA_BYTES_MAX)
        return replace(self, opener=opener.with_key(key, self.name))

    def check(self, tell: Progress) -> None:
        """Hold the files against the metadata. ``tell`` gets the bytes looked at, and how many there are.

        Raises:
            IntegrityFailure: one is missing, was changed, or is too many.
            FileNotRead: one can't be read.
        """
        self._check_places()
        done = 0
        for file in self.metadata.files:
            self._check_file(file)
            done += file.bytes
            tell(done, self.metadata.size)
        listed = {METADATA, *(file.name for file in self.metadata.files)}
        strange = sorted(path.name for path in self.path.iterdir() if path.name not in listed)
        if strange:
            raise _spoilt(f"{self.path / strange[0]} does not belong to the backup.")

    def _check_file(self, file: BackupFile) -> None:
        path = self.path / file.name
        if path.is_symlink() or not path.is_file():
            raise _spoilt(f"{path} is missing.")
        if path.stat().st_size != file.bytes or files.sha256_of(path) != file.sha256:
            raise _spoilt(f"{path} was changed since the backup was made.")

    def _check_places(self) -> None:
        """Raise unless the pieces follow each other from position 1 to the last one."""
        last = 0
        for file in self._of("events"):
            if file.first != last + 1 or file.last < file.first:
                raise _spoilt(f"The pieces of {self.path} do not follow each other at {last + 1}.")
            last = file.last
        if last != self.last:
            raise _spoilt(
                f"The pieces of {self.path} end at position {last}, and it says {self.last}."
            )

    def blobs(self) -> Iterator[bytes]:
        """Yield the bytes that its events name. Raises as `pieces.unpacked` does."""
        for file in self._of("blobs"):
            for line in self._lines(file):
                if isinstance(line, lines.Blob):
                    yield line.content

    def events(self, after: int = 0) -> Iterator[Recorded]:
        """Yield its events after a position. Raises as `pieces.unpacked` does."""
        for file in self._of("events"):
            if file.last <= after:
                continue
            for line in self._lines(file):
                if isinstance(line, Recorded) and line.position > after:
                    yield line

    def _of(self, kind: str) -> list[BackupFile]:
        return [file for file in self.metadata.files if file.kind == kind]

    def _lines(self, file: BackupFile) -> Iterator[lines.Line]:
        encrypted = self.metadata.encryption == "age"
        return pieces.unpacked(self.path / file.name, self.opener, encrypted=encrypted)


def _spoilt(message: str) -> IntegrityFailure:
    return IntegrityFailure(message, hint="Use another backup: rollout backup list")


@dataclass(frozen=True, slots=True)
class Entry:
    """What lies in a folder of backups under a backup's name."""

    name: str
    backup: Backup | None
    problem: str | None = None
    """Why it can't be used, in one sentence."""

    @property
    def made(self) -> datetime | None:
        """When it was made."""
        return self.backup.metadata.made if self.backup is not None else None


def listed(folder: Path) -> list[Entry]:
    """Return what there is in ``folder``, oldest first; nothing where there is no folder.

    Raises:
        FileNotRead: the folder can't be read.
    """
    try:
        names = sorted(path.name for path in folder.iterdir() if NAME.fullmatch(path.name))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise FileNotRead(
            f"{folder} can't be read: {(error.strerror or 'it failed').lower()}.",
            hint="Name the folder of the backups: --dir DIR",
        ) from None
    return [_entry(folder, name) for name in names]


def _entry(folder: Path, name: str) -> Entry:
    try:
        return Entry(name, read(folder / name))
    except LedgerError as problem:
        return Entry(name, None, problem.message)


def read(path: Path) -> Backup:
    """Return the backup in the folder ``path``.

    Raises:
        UnknownName: there is none.
        SchemaNewer: a newer version of the program made it.
        IntegrityFailure: its metadata is missing, or not what was written.
    """
    if not path.is_dir():
        raise UnknownName(f"There is no backup {path}.", hint="rollout backup list shows them")
    content = files.read_bounded(path / METADATA, bytes_max=METADATA_BYTES_MAX)
    if content is None:
        raise _spoilt(f"{path / METADATA} is missing: this is no whole backup.")
    return Backup(path, parsed(content, path.name), hashlib.sha256(content).hexdigest())


def named(folder: Path, name: str | None) -> Backup:
    """Return the backup called ``name`` in ``folder``, or at that path; the newest if no name is given.

    Raises:
        UnknownName: there is none, or the newest could be of one ledger or another. Otherwise as `read`.
    """
    if name is not None:
        return read(Path(name) if "/" in name else folder / name)
    entries = listed(folder)
    if not entries:
        raise UnknownName(f"There is no backup in {folder}.", hint="rollout backup create")
    ledgers = {entry.backup.metadata.ledger for entry in entries if entry.backup is not None}
    if len(ledgers) > 1:
        raise UnknownName(
            f"{folder} holds backups of {len(ledgers)} ledgers: name the one that you mean.",
            hint="rollout backup list -o json shows them, and whose they are",
        )
    return read(folder / entries[-1].name)
