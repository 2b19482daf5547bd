"""The files of a backup, one piece of the log each: JSON lines, compressed, perhaps encrypted, hashed."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from ledger import files
from ledger.domain.errors import IntegrityFailure
from ledger.domain.log import lines
from ledger.service.backups.sealing import Opener, Seal

COMPRESSION: Final = 1
"""Of 1 to 9: twice as fast as the usual 6, for files a fifth larger."""
GZIP: Final = 16 + zlib.MAX_WBITS
PIECE_BYTES_MAX: Final = 2 * 2**30
LINE_BYTES_MAX: Final = 1 << 30
"""A longer line is none of ours, and need not fit into memory."""


def packed(content: Iterable[bytes], seal: Seal) -> bytes:
    """Return lines as a file holds them."""
    packer = zlib.compressobj(COMPRESSION, zlib.DEFLATED, GZIP)
    parts = [part for line in content for part in (packer.compress(line), packer.compress(b"\n"))]
    parts.append(packer.flush())
    return seal.close(b"".join(parts))


def unpacked(path: Path, opener: Opener, *, encrypted: bool) -> Iterator[lines.Line]:
    """Yield the lines of a file.

    Raises:
        Refused: it can't be decrypted.
        IntegrityFailure: a line is not what was written; names file and line.
    """
    content = files.read_bounded(path, bytes_max=PIECE_BYTES_MAX)
    if content is None:
        raise IntegrityFailure(f"{path} is missing.", hint="Use another backup.")
    content = opener.open(content, str(path), encrypted=encrypted)
    return parsed(text(BytesIO(content), path), path)


def text(file: BinaryIO, path: Path, *, compressed: bool = True) -> Iterator[bytes]:
    """Yield the lines of a file, without their line feeds. Raises as `unpacked` does."""
    source = gzip.GzipFile(fileobj=file) if compressed else file
    try:
        while line := source.readline(LINE_BYTES_MAX):
            yield line.rstrip(b"\n")
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise IntegrityFailure(
            f"{path} is damaged: it can't be decompressed to its end.", hint="Use another one."
        ) from None


def parsed(content: Iterable[bytes], path: Path) -> Iterator[lines.Line]:
    """Yield what lines say. Raises as `unpacked` does."""
    for number, line in enumerate(content, start=1):
        try:
            yield lines.parse(line)
        except ValueError as error:
            raise IntegrityFailure(
                f"{path}, line {number}: {error}.", hint="Use another one; nothing was changed."
            ) from None
