"""A file that `rollout export jsonl` wrote, as something that a ledger can be restored from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from ledger.domain.errors import BadInput, FileNotRead, IntegrityFailure, SchemaNewer
from ledger.domain.log import lines
from ledger.domain.log.envelope import Recorded
from ledger.domain.values.shapes import is_mapping
from ledger.service.backups import pieces
from ledger.store import migrate

HOW: Final = "rollout export jsonl --out FILE, with no system, --since or --until, writes one."


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A whole log in one file of JSON lines."""

    path: Path
    last: int
    chain: bytes
    blob_count: int
    """How many blobs it had when it was written."""

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self.path)

    def blobs(self) -> Iterator[bytes]:
        """Yield the bytes that its events name. Raises as `pieces.parsed` does."""
        return (line.content for line in self._lines() if isinstance(line, lines.Blob))

    def events(self, after: int = 0) -> Iterator[Recorded]:
        """Yield its events after a position.

        Raises:
            IntegrityFailure: a line is not what was written; or, in the end, a blob is missing, of which the
                chain tells nothing.
        """
        blobs = 0
        for line in self._lines():
            if isinstance(line, Recorded) and line.position > after:
                yield line
            blobs += isinstance(line, lines.Blob)
        if blobs != self.blob_count:
            raise IntegrityFailure(
                f"{self.path} has {blobs} blobs, and had {self.blob_count} when it was written.",
                hint="Use another one; nothing was changed.",
            )

    def _lines(self) -> Iterator[lines.Line]:
        return pieces.parsed(_text(self.path), self.path)


def read(path: Path) -> ExportFile:
    """Return the export in ``path``, gzipped or not, if it is whole.

    Raises:
        BadInput: it is none, or does not hold all of a log, or no file that can be read twice.
        SchemaNewer: a newer version of the program wrote it.
        IntegrityFailure: it was cut off.
        FileNotRead: it can't be read.
    """
    if path.exists() and not path.is_file():
        raise BadInput(
            f"{path} is no regular file.",
            hint="It is read more than once: write it to a file first.",
        )
    first, last = b"", b""
    for line in _text(path):
        first, last = first or line, line or last
    head, end = _parsed(first), _parsed(last)
    if not isinstance(head, lines.Header):
        _require_format(first, path)
        raise BadInput(f"{path} is no export of a ledger.", hint=HOW)
    if head.schema > migrate.HEAD:
        raise SchemaNewer(
            f"{path} was written by a newer rollout-ledger, {head.program} (migration {head.schema}).",
            hint="Upgrade rollout-ledger; nothing was changed.",
        )
    if not head.whole or head.first != 1:
        raise BadInput(f"{path} does not hold the whole log.", hint=HOW)
    if not isinstance(end, lines.End):
        raise IntegrityFailure(f"{path} was cut off: its last line is not its end.", hint=HOW)
    if end.events != head.last:
        raise IntegrityFailure(f"{path} has {end.events} events, and should have {head.last}.")
    return ExportFile(path, head.last, end.chain, end.blobs)


def _require_format(line: bytes, path: Path) -> None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return
    if is_mapping(record) and record.get("record") == "export":
        raise SchemaNewer(
            f"{path} is of format {record.get('format')!r}, and this program knows {lines.FORMAT}.",
            hint="Use the version of rollout-ledger that wrote it, or a newer one.",
        )


def _parsed(line: bytes) -> lines.Line | None:
    try:
        return lines.parse(line)
    except ValueError:
        return None


def _text(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, without their line feeds."""
    try:
        with path.open("rb") as file:
            yield from pieces.text(file, path, compressed=path.suffix == ".gz")
    except FileNotFoundError:
        raise BadInput(f"{path} does not exist.", hint="Correct the path.") from None
    except OSError as error:
        raise FileNotRead(
            f"{path} can't be read: {(error.strerror or 'it failed').lower()}.",
            hint="Check the path, its permissions and the disk.",
        ) from None
