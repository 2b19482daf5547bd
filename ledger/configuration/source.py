"""One configuration file as text: read once, within bounds, decoded, its format known by its suffix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from ledger.domain.errors import BadInput, FileProblem
from ledger.files import read_bounded

BYTES_MAX: Final = 8 * 2**20
"""The largest configuration that is read, all its files together."""

Format: TypeAlias = Literal["yaml", "json", "toml", "json5", "hjson", "ini", "properties", "env"]

SUFFIXES: Final[dict[str, Format]] = {
    ".yaml": "yaml",
    ".yml": "yaml",
    ".json": "json",
    ".jsonc": "json",
    ".toml": "toml",
    ".json5": "json5",
    ".hjson": "hjson",
    ".ini": "ini",
    ".cfg": "ini",
    ".properties": "properties",
    ".env": "env",
}
TEXTS_ONLY: Final[frozenset[Format]] = frozenset({"ini", "properties", "env"})
"""Formats whose values are texts, whatever they look like: ``SIZE=10`` is ``"10"``."""

_BOM: Final = b"\xef\xbb\xbf"
_OTHER_ENCODINGS: Final = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Source:
    """A file's text, without the byte order mark that ``bom`` remembers. Line ends are as they were.

    Two are never equal, so that what is worked out about one can be kept by it.
    """

    name: str
    format: Format
    text: str
    bom: bool

    def encoded(self, text: str) -> bytes:
        """Return ``text`` as this file would hold it."""
        return (_BOM if self.bom else b"") + text.encode()

    def where(self, offset: int) -> str:
        """Return ``NAME line L column C``, the beginning of a message."""
        line = self.text.count("\n", 0, offset) + 1
        return f"{self.name} line {line} column {offset - self.text.rfind(chr(10), 0, offset)}"


def known_format(name: str) -> Format | None:
    """Return the format that a file's name stands for: by its suffix, or as a ``.env`` (``.env.live``)."""
    path = Path(name)
    file_format = SUFFIXES.get(path.suffix.lower())
    if file_format is None and (
        path.name.lower() == ".env" or path.name.lower().startswith(".env.")
    ):
        return "env"
    return file_format


def format_of(name: str) -> Format:
    """Return the format that a file's name stands for; `BadInput` if none."""
    file_format = known_format(name)
    if file_format is None:
        raise BadInput(
            f"{name} has no suffix that names a configuration format",
            hint=f"accepted are {', '.join(SUFFIXES)}, .env and .env.NAME; a file with another name is given "
            "one that says what it is: --config-file bot.ini=bot.conf, config put --as bot.ini bot.conf",
        )
    return file_format


def read_bytes(path: Path, *, bytes_max: int = BYTES_MAX) -> bytes:
    """Return a file's bytes, read once. `BadInput` gives the system's reason if it can't be read."""
    try:
        raw = read_bounded(path, bytes_max=bytes_max)
    except FileProblem as error:
        raise BadInput(error.message, hint=error.hint) from error
    except ValueError as error:
        raise BadInput("a path holds a NUL character", hint="correct the path") from error
    if raw is None:
        raise BadInput(f"{path} does not exist", hint="correct the path")
    return raw


def decode(name: str, raw: bytes) -> Source:
    """Return the text of a file's bytes. `BadInput` unless it is UTF-8 without NUL characters."""
    file_format = format_of(name)
    for mark, encoding in _OTHER_ENCODINGS.items():
        if raw.startswith(mark):
            raise BadInput(f"{name} is {encoding}, not UTF-8", hint="save it as UTF-8")
    bom = raw.startswith(_BOM)
    body = raw[len(_BOM) :] if bom else raw
    nul = body.find(b"\0")
    if nul >= 0:
        offset = nul + len(raw) - len(body)
        line = raw.count(b"\n", 0, offset) + 1
        raise BadInput(
            f"{name} line {line} holds a NUL byte (byte {offset} of the file)",
            hint="a configuration is text: save it as UTF-8, without NUL bytes",
        )
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        offset = error.start + len(raw) - len(body)
        line = raw.count(b"\n", 0, offset) + 1
        raise BadInput(
            f"{name} line {line} is not UTF-8 (byte {offset} of the file, 0x{raw[offset]:02x})",
            hint="save it as UTF-8",
        ) from error
    return Source(name, file_format, text, bom)
