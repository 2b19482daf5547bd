"""Text files line by line: within bounds, gzipped or not, hashed while they are read."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from ledger.domain.errors import BadInput, FileNotRead
from ledger.service.imports.base import BadRecord

LINE_BYTES_MAX: Final = 8 * 2**20
"""The longest line that is read. A file without line ends would otherwise fill the memory."""
_BOM: Final = b"\xef\xbb\xbf"
_GZIP: Final = b"\x1f\x8b"
_OTHER_ENCODINGS: Final = (b"\xff\xfe", b"\xfe\xff")


class Lines:
    """A file's lines, in order. A second pass over a file that grows stops where the first one did."""

    def __init__(self, path: Path, *, bytes_max: int | None = None) -> None:
        """Take the path; ``bytes_max`` is where to stop, in bytes of the (unpacked) content."""
        self._path = path
        self._bytes_max = bytes_max
        self._hash = hashlib.sha256()
        self.bytes_read = 0
        self.number = 0
        """Of the line that was yielded last, from 1."""
        self.after_nuls = 0
        """How many lines had NUL bytes before them, as a file has after a power cut."""

    @property
    def digest(self) -> str:
        """SHA-256 of what was read so far, in hex."""
        return self._hash.hexdigest()

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Yield each line's number (from 1) and its bytes without the line end.

        Raises:
            FileNotRead: it can't be read, or not to its end.
            BadInput: it isn't text in UTF-8, or a line of it is longer than `LINE_BYTES_MAX`.
        """
        try:
            with self._path.open("rb") as plain:
                packed = plain.read(2) == _GZIP
                plain.seek(0)
                with gzip.open(plain, "rb") if packed else plain as file:
                    yield from self._lines(file)
        except FileNotFoundError:
            raise BadInput(f"There is no file {self._path}.", hint="Correct the path.") from None
        except IsADirectoryError:
            raise BadInput(
                f"{self._path} is a folder, not a file.", hint="Name the files in it."
            ) from None
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FileNotRead(
                f"{self._path} is damaged: it can't be unpacked after line {self.number} ({error}).",
                hint="Get the whole file, or unpack what there is: gzip -dc FILE > FILE.jsonl",
            ) from None
        except OSError as error:
            raise FileNotRead(f"{self._path} can't be read: {error.strerror or error}.") from None

    def _lines(self, file: IO[bytes] | gzip.GzipFile) -> Iterator[tuple[int, bytes]]:
        read, update = file.readline, self._hash.update
        while line := read(LINE_BYTES_MAX + 1):
            if self._bytes_max is not None and self.bytes_read + len(line) > self._bytes_max:
                line = line[: self._bytes_max - self.bytes_read]
                if not line:
                    return
            self.number += 1
            if len(line) > LINE_BYTES_MAX:
                raise BadInput(
                    f"{self._path}, line {self.number}: longer than {LINE_BYTES_MAX // 2**20} MB.",
                    hint="A record a line is expected; is this the right file?",
                )
            update(line)
            self.bytes_read += len(line)
            if self.number == 1:
                if line.startswith(_OTHER_ENCODINGS):
                    raise BadInput(f"{self._path} is UTF-16, not UTF-8.", hint="Save it as UTF-8.")
                line = line.removeprefix(_BOM)
            yield self.number, self._without_nuls(line.rstrip(b"\r\n"))

    def _without_nuls(self, line: bytes) -> bytes:
        """Return a line without the NULs before it. One of NULs alone stays: what stood there is lost."""
        if not line.startswith(b"\0"):
            return line
        rest = line.lstrip(b"\0")
        self.after_nuls += bool(rest)
        return rest or line


AFTER_NULS: Final = "lines began with NUL bytes, as after a power cut; these were dropped"


def decoded(line: bytes) -> str:
    """Return a line as text.

    Raises:
        BadRecord: it isn't UTF-8.
    """
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise BadRecord(
            f"is not UTF-8 (byte {error.start + 1} is 0x{line[error.start]:02x})"
        ) from None
