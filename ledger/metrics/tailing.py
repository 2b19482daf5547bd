"""Reading a file that grows: the whole lines that came since the last time, whatever rotates it."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

TAKEN_AT_ONCE_BYTES: Final = 4 * 2**20
"""Of a file that is met for the first time, no more than so much of its end is read."""
HEAD_BYTES: Final = 1024
"""By so much of its beginning, at most, a file is known again."""
_ROTATED: Final = re.compile(r"[.-]?\d[\d._:TZ-]*")
"""What is added to the name of a file that was moved away: ``.1``, ``-20260601``."""
_PACKED: Final = (".gz", ".bz2", ".xz", ".zst")


@dataclass(frozen=True, slots=True)
class Place:
    """How far a file was read, so that whoever comes next goes on from there."""

    inode: int
    offset: int
    head: str = ""
    """The SHA-256 of what was read of its first bytes; empty: not known."""
    previous: Place | None = None
    """The file that this one took the place of: who writes may hold it open for a while."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of one file."""

    lines: tuple[str, ...] = ()
    first: str | None = None
    """The file's first line, if it is whole."""
    from_start: bool = False
    """Whether ``lines`` begin with it."""
    problem: str | None = None
    lost: str | None = None
    """What was written and is not to be found any more."""


class Tail:
    """One file that grows. It may be moved away, copied and cut off; a line that is half written waits."""

    def __init__(self, path: Path, place: Place | None = None) -> None:
        self._path = path
        self.place: Place | None = place

    def take(self) -> list[Taken]:
        """Return what is new, file by file: first what is left of those that this one took the place of.

        A missing file, or none that can be read, is a problem, not an error.
        """
        try:
            with _opened(self._path) as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    return [Taken(problem=f"{self._path} is no regular file")]
                earlier = list(self._before(file, status))
                return [*earlier, self._take(file, status)]
        except FileNotFoundError:
            return [Taken(problem=f"{self._path} does not exist")]
        except OSError as error:
            return [Taken(problem=f"{self._path}: {error.strerror}")]

    def _take(self, file: BinaryIO, status: os.stat_result) -> Taken:
        place = self.place
        if place is None:
            offset = max(0, status.st_size - TAKEN_AT_ONCE_BYTES)
            place = Place(status.st_ino, _line_end(file, offset) if offset else 0)
        taken, self.place = _read_on(file, place, self._path)
        return taken

    def _before(self, file: BinaryIO, status: os.stat_result) -> Iterator[Taken]:
        """Yield what is left of the files before this one; know from then on which one this is."""
        place = self.place
        if place is None:
            return
        if not _is_at(file, status, place):
            yield from self._left(place)
            old = replace(place, previous=None)
            self.place = Place(status.st_ino, 0, previous=self._rest if self._rest else old)
        elif place.previous is not None:
            path = self._found(place.previous, copies=False)
            if path is not None:
                taken, previous = self._all_of(path, place.previous)
                self.place = replace(place, previous=previous)
                yield from taken

    _rest: Place | None = None

    def _left(self, place: Place) -> Iterator[Taken]:
        """Yield what was written to the file that was read to ``place``, and to those that came after it."""
        self._rest = None
        path = self._found(place, copies=True)
        if path is None:
            what_happened = (
                f"{self._path} was replaced or cut off; what was written to it after byte"
            )
            yield Taken(
                lost=f"{what_happened} {place.offset:,} is not to be found, and was not read"
            )
            return
        since = path.stat().st_mtime_ns
        taken, self._rest = self._all_of(path, place)
        yield from taken
        for later in self._later(path, since):
            if later.name.endswith(_PACKED):
                yield Taken(lost=f"{later} was packed before it was read")
                continue
            taken, self._rest = self._all_of(later, Place(later.stat().st_ino, 0))
            yield from taken

    def _all_of(self, path: Path, place: Place) -> tuple[list[Taken], Place]:
        pieces: list[Taken] = []
        with _opened(path) as file:
            place = replace(place, inode=os.fstat(file.fileno()).st_ino, previous=None)
            while True:
                taken, after = _read_on(file, place, path)
                if after.offset == place.offset:
                    return pieces, place
                pieces.append(taken)
                place = after

    def _found(self, place: Place, *, copies: bool) -> Path | None:
        """Return the file in the folder that was read to ``place``, by its inode, or its copy."""
        copy: Path | None = None
        with os.scandir(self._path.parent) as entries:
            for entry in entries:
                if entry.name == self._path.name or not entry.is_file(follow_symlinks=False):
                    continue
                same = entry.inode() == place.inode
                if same or (copies and place.head and entry.name.startswith(self._path.stem)):
                    path = Path(entry.path)
                    with _opened(path) as file:
                        status = os.fstat(file.fileno())
                        if _is_at(file, status, replace(place, inode=status.st_ino)):
                            if same:
                                return path
                            copy = path
        return copy

    def _later(self, path: Path, since: int) -> list[Path]:
        """Return what was moved away after ``path`` was last written to, the oldest first."""
        rotated: list[tuple[int, Path]] = []
        for other in self._path.parent.iterdir():
            if other in {path, self._path} or not other.name.startswith(self._path.stem):
                continue
            added = other.name.removeprefix(self._path.name)
            if added == other.name:
                added = other.name.removeprefix(self._path.stem).removesuffix(self._path.suffix)
            for ending in _PACKED:
                added = added.removesuffix(ending)
            changed = other.stat().st_mtime_ns
            if _ROTATED.fullmatch(added) and changed > since:
                rotated.append((changed, other))
        return [other for _, other in sorted(rotated)]


def _opened(path: Path) -> BinaryIO:
    # Not blocking, because opening a pipe to read would wait for a writer for ever.
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb")


def _is_at(file: BinaryIO, status: os.stat_result, place: Place) -> bool:
    """Tell whether ``file`` is what was read to ``place``, and still has all of that."""
    if status.st_ino != place.inode or status.st_size < place.offset:
        return False
    return not place.head or _head(file, place.offset) == place.head


def _head(file: BinaryIO, offset: int) -> str:
    file.seek(0)
    content = file.read(min(offset, HEAD_BYTES))
    return hashlib.sha256(content).hexdigest() if content else ""


def _line_end(file: BinaryIO, offset: int) -> int:
    """Return where the line ends that ``offset`` lies in."""
    file.seek(offset)
    return offset + len(file.readline(TAKEN_AT_ONCE_BYTES))


def _read_on(file: BinaryIO, place: Place, path: Path) -> tuple[Taken, Place]:
    """Return the whole lines from ``place`` on, and the place after them."""
    file.seek(0)
    first = _line(file.readline(TAKEN_AT_ONCE_BYTES))
    file.seek(place.offset)
    taken = file.read(TAKEN_AT_ONCE_BYTES)
    whole = taken[: taken.rfind(b"\n") + 1]
    read, problem = len(whole), None
    if not whole and len(taken) == TAKEN_AT_ONCE_BYTES:
        problem = f"a line of {path} is longer than 4 MiB, and was left out"
        read = len(taken)
    after = place.offset + read
    lines = whole.decode(errors="replace").split("\n")[:-1]
    lines_taken = Taken(
        tuple(one.removesuffix("\r") for one in lines), first, not place.offset, problem
    )
    return lines_taken, replace(place, offset=after, head=_head(file, after))


def _line(line: bytes) -> str | None:
    """Return a line that is written to its end."""
    return line.decode(errors="replace").rstrip("\r\n") if line.endswith(b"\n") else None
