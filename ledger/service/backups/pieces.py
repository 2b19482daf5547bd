"""The files of a backup, one piece of the log each: JSON lines, compressed, perhaps encrypted, hashed."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ledger import files
from ledger.domain.errors import IntegrityFailure
from ledger.domain.log import lines
from ledger.service.backups.sealing import Opener, Seal

COMPRESSION: Final = 1
"""Of 1 to 9: twice as fast as the usual 6, for files a fifth larger."""
GZIP: Final = 16 + zlib.MAX_WBITS
PIECE_BYTES_MAX: Final = 2 * 2**30
READ_BYTES: Final = 1 << 20


def packed(content: Iterable[bytes], seal: Seal) -> bytes:
    """Return lines as a file holds them."""
    packer = zlib.compressobj(COMPRESSION, zlib.DEFLATED, GZIP)
    parts = [part for line in content for part in (packer.compress(line), packer.compress(b"\n"))]
    parts.append(packer.flush())
    return seal.close(b"".join(parts))


def write(path: Path, content: bytes) -> None:
    """Write a new file, flushed to the disk; it has its name only when it is whole.

    Raises:
        FileNotWritten: nothing of that name is there.
    """
    temporary = path.with_name(f"{path.name}.part")
    with files.told_as_not_written(path):
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


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
    return parsed(split(chunks(content, path)), path)


def chunks(content: bytes, path: Path) -> Iterator[bytes]:
    """Yield what compressed ``content`` says, in pieces. Raises as `unpacked` does."""
    unpacker = zlib.decompressobj(GZIP)
    try:
        for at in range(0, len(content), READ_BYTES):
            yield unpacker.decompress(content[at : at + READ_BYTES])
        yield unpacker.flush()
    except zlib.error:
        unpacker = zlib.decompressobj(GZIP)
    if not unpacker.eof:
        raise IntegrityFailure(
            f"{path} is damaged: it can't be decompressed to its end.", hint="Use another one."
        )


def split(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a text that comes in pieces, without their line feeds."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n") if rest else piece.split(b"\n")
        yield from whole
    if rest:
        yield rest


def parsed(text: Iterable[bytes], path: Path) -> Iterator[lines.Line]:
    """Yield what lines say. Raises as `unpacked` does."""
    for number, line in enumerate(text, start=1):
        try:
            yield lines.parse(line)
        except ValueError as error:
            raise IntegrityFailure(
                f"{path}, line {number}: {error}.", hint="Use another one; nothing was changed."
            ) from None
