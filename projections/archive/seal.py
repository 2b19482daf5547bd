"""Writing the archive: what is new in the log, range by range, each sealed by one rename.

A range is copied, written beside its name, recomputed from what was written, and only then named. Killed at
any moment, an archive holds whole ranges, and the next export goes on after the last one.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger import files
from ledger.domain.errors import BadInput, IntegrityFailure, LedgerError, OperationInProgress
from ledger.domain.values.moments import iso
from projections.archive import layout
from projections.archive.check import engine, first_line
from projections.archive.layout import FORMAT, LIST, Archive, ArchiveList, Range
from projections.archive.writer import Provenance, RangeWriter
from projections.audit.log_reader import Head, LogReader

Progress = Callable[[int, int], None]
_ERRNO: Final = re.compile(r'"errno":"(\d+)"')


@dataclass(frozen=True, slots=True)
class Sealed:
    """Where an archive stands after an export."""

    archive: Archive
    added: int
    """Events that this export brought."""
    ranges: int
    """Ranges that it sealed."""
    missing_blobs: int
    """Configuration files that events of these ranges name, and the ledger has lost."""


def export(
    dsn: str,
    path: Path,
    provenance: Provenance,
    *,
    up_to: int | None = None,
    progress: Progress = lambda _reached, _end: None,
) -> Sealed:
    """Bring the archive in ``path`` up to the end of the log at ``dsn``, or to position ``up_to``.

    Raises:
        BadInput: ``path`` holds something else, or the log has no position ``up_to``.
        SchemaNewer: the archive is of a format that this program does not know.
        IntegrityFailure: the archive or the log is damaged, or the log is no continuation of the archive.
        OperationInProgress: another process writes the archive.
        LedgerUnreachable, SchemaMissing: the log can't be read; the archive is as it was, or further.
        FileNotWritten: and why; what is sealed stays sealed.
    """
    # A connection that copies events can't be asked for anything else meanwhile.
    with closing(LogReader(dsn)) as log, closing(LogReader(dsn)) as blobs:
        end = _end(log, up_to)
        ledger = log.ledger_id()
        with _locked(path) as made, _taken_back_if_empty(path, made=made):
            archive = _begun(path, ledger, provenance)
            _check_continuity(archive, ledger, log, log.head())
            _remove_leftovers(path)
            if archive.unlisted:
                archive = _listed(archive, list(archive.ranges), provenance)
            start = archive.last
            with _told(path), engine() as connection:
                writer = RangeWriter(connection, log, blobs, provenance, archive)
                for found in writer.seal(start, end):
                    archive = _listed(archive, [*archive.ranges, found], provenance)
                    progress(found.manifest.last, end)
    sealed = [each for each in archive.ranges if each.manifest.first > start]
    missing = sum(len(each.manifest.missing_blobs) for each in sealed)
    return Sealed(archive, max(0, archive.last - start), len(sealed), missing)


def _end(log: LogReader, up_to: int | None) -> int:
    last = log.head().position
    if up_to is not None and up_to > last:
        raise BadInput(
            f"The log has no position {up_to}.", hint=f"It ends at {last}; leave --to out for all."
        )
    return last if up_to is None else up_to


@contextmanager
def _locked(path: Path) -> Generator[bool]:
    """Make the folder, and hold it against other exports meanwhile; yield whether it was not there."""
    if path.exists() and not path.is_dir():
        raise BadInput(f"{path} is no folder.", hint="Name a folder: --out DIR")
    made = not path.exists()
    with files.told_as_not_written(path):
        path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OperationInProgress(
                f"Another process writes the archive {path}.",
                hint="Wait for it to finish; then there may be nothing left to do.",
            ) from None
        yield made
    finally:
        os.close(descriptor)


@contextmanager
def _taken_back_if_empty(path: Path, *, made: bool) -> Generator[None]:
    """Where the block raises before a first range is sealed, leave no archive that was not there before.

    ``made`` tells that the folder was not there either.
    """
    there = layout.is_archive(path)
    try:
        yield
    except BaseException:  # Ctrl-C as well
        if not there and not any(path.glob("range=*")):
            with suppress(OSError):
                (path / LIST).unlink(missing_ok=True)
                if made:
                    path.rmdir()
        raise


@contextmanager
def _told(path: Path) -> Generator[None]:
    """Turn the engine's errors about the disk into a sentence."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        number = _ERRNO.search(str(error))
        with files.told_as_not_written(path):
            if number is not None:
                raise OSError(int(number[1]), os.strerror(int(number[1]))) from error
        raise LedgerError(
            f"{path} can't be written: {first_line(error)}.",
            hint="Check the free space on the disk, then repeat the command: it goes on from there.",
        ) from error


def _begun(path: Path, ledger: str | None, provenance: Provenance) -> Archive:
    """Return the archive in ``path``; where there is nothing at all, an empty one."""
    if not layout.is_archive(path):
        strange = next(
            (entry for entry in path.iterdir() if not layout.is_temporary(entry.name)), None
        )
        if strange is not None:
            raise BadInput(
                f"{path} holds {strange.name}, and is no archive.",
                hint="Name an empty folder: --out",
            )
        return _listed(Archive(path, ledger, (), 0), [], provenance)
    return layout.read(path)


def _check_continuity(archive: Archive, ledger: str | None, log: LogReader, end: Head) -> None:
    if archive.ledger != ledger and archive.ranges:
        raise BadInput(
            f"{archive.path} is the archive of another ledger: of {archive.ledger}, not of {ledger}.",
            hint="Name another folder: --out",
        )
    if end.position < archive.last:
        what = (
            f"The log ends at position {end.position}, and the archive holds {archive.last} events."
        )
    elif log.chain_at(archive.last) != bytes.fromhex(archive.chain):
        what = f"The log's event {archive.last} is not the one that the archive holds."
    else:
        return
    raise IntegrityFailure(
        f"{what} Either the log was changed, or put back to an older state.",
        hint="Find out which: rollout verify, rollout verify --archive. Nothing was written.",
    )


def _remove_leftovers(path: Path) -> None:
    """Remove what a killed export left. Nobody else writes here: the folder is locked."""
    for entry in path.iterdir():
        if layout.is_temporary(entry.name) and entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)


def _listed(archive: Archive, ranges: list[Range], provenance: Provenance) -> Archive:
    """Enter ``ranges`` into the archive's list."""
    grown = Archive(archive.path, archive.ledger, tuple(ranges), 0)
    record = ArchiveList(
        format=FORMAT,
        ledger=grown.ledger,
        events=grown.last,
        last=grown.last,
        chain=grown.chain,
        written_at=iso(provenance.clock.now()),
        ranges=tuple(each.listed() for each in ranges),
    )
    files.write_atomically(archive.path / LIST, record.encoded())
    return grown
