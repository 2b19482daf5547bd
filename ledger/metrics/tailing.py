"""Reading a file that grows: the whole lines that came since the last time."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

TAKEN_AT_ONCE_BYTES: Final = 4 * 2**20
"""Of a file that is met for the first time, no more than so much of its end is read."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a file was read, so that whoever comes next goes on from there."""

    inode: int
    offset: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What came."""

    lines: tuple[str, ...] = ()
    first: str | None = None
    """The file's first line, whole, where it may be another than the last time."""
    from_start: bool = False
    """Whether ``lines`` begin with it."""
    problem: str | None = None


class Tail:
    """One file that grows. It may be rotated or cut off; a line that is half written waits."""

    def __init__(self, path: Path, place: Place | None = None) -> None:
        self._path = path
        self._first_known = False
        self.place = place

    def take(self) -> Taken:
        """Return what is new. A missing file, or none that can be read, is a problem, not an error."""
        try:
            # Not blocking, because opening a pipe to read would wait for a writer for ever.
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                return self._take(file, os.fstat(file.fileno()))
        except FileNotFoundError:
            return Taken(problem=f"{self._path} does not exist")
        except OSError as error:
            return Taken(problem=f"{self._path}: {error.strerror}")

    def _take(self, file: BinaryIO, status: os.stat_result) -> Taken:
        if not stat.S_ISREG(status.st_mode):
            return Taken(problem=f"{self._path} is no regular file")
        start, met = self._start(status)
        wanted = met or not start or not self._first_known
        first = _line(file.readline(TAKEN_AT_ONCE_BYTES)) if wanted else None
        self._first_known = True
        file.seek(start)
        taken = file.read(TAKEN_AT_ONCE_BYTES)
        from_start = start == 0
        if start and self.place is None:
            cut = taken.find(b"\n") + 1  # it begins within a line
            start, taken = start + cut, taken[cut:]
        whole = taken[: taken.rfind(b"\n") + 1]
        problem = None
        if not whole and len(taken) == TAKEN_AT_ONCE_BYTES:
            problem = f"a line of {self._path} is longer than 4 MiB, and was left out"
            start += len(taken)
        self.place = Place(status.st_ino, start + len(whole))
        lines = whole.decode(errors="replace").split("\n")[:-1]
        return Taken(tuple(line.removesuffix("\r") for line in lines), first, from_start, problem)

    def _start(self, status: os.stat_result) -> tuple[int, bool]:
        """Return where to read on, and whether that is not where the last time ended."""
        if self.place is None:
            return max(0, status.st_size - TAKEN_AT_ONCE_BYTES), True
        if self.place.inode != status.st_ino or status.st_size < self.place.offset:
            return 0, True  # rotated, or cut off
        return self.place.offset, False


def _line(line: bytes) -> str | None:
    """Return a line that is written to its end."""
    return line.decode(errors="replace").rstrip("\r\n") if line.endswith(b"\n") else None
