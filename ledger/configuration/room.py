"""One more entry in a file of a format that has an outline: an entry in braces, a line of a file of lines."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

from ledger.configuration import line_formats, places
from ledger.configuration.outline import Path, Room
from ledger.configuration.source import TEXTS_ONLY, Source
from ledger.domain.errors import BadInput
from ledger.domain.values.fingerprints import key_path, shortened

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INI_KEY: Final = re.compile(r"[^\s=:\[#;][^=:\r\n]*")
_REST_OF_LINE: Final = re.compile(
    r"[ \t]*(?P<comma>,?)[ \t]*(?:(?://|\#)[^\r\n]*|/\*[^\r\n]*?\*/)?[ \t]*(?=\r?\n)"
)


def written(source: Source, text: str, old: str) -> str:
    """Return a text as a file of texts writes it."""
    if source.format != "ini":
        return line_formats.written(source, text, old)
    # Lines that go on are indented; what can't be said so is found when it is read again.
    return text.replace("\n", "\n    ")


def with_entry(source: Source, above: Path, missing: Sequence[str], value: str, key: str) -> str:
    """Return the text with one more entry in the mapping ``above``: ``missing`` names it, level by level.

    Raises:
        BadInput: the format has no place for it.
    """
    rooms = places.outline(source).rooms
    if source.format in TEXTS_ONLY:
        return _with_line(source, above, missing, value, key, rooms)
    place = rooms.get(above)
    if place is None:
        raise _no_place(source, key, "")
    names = [_key(source, name) for name in missing]
    entry = ": {".join(names) + f": {value}" + "}" * (len(names) - 1)
    return _in_braces(source, place, entry)


def _key(source: Source, name: str) -> str:
    plain = source.format != "json" and _PLAIN_KEY.fullmatch(name)
    return name if plain else json.dumps(name, ensure_ascii=False)


def _in_braces(source: Source, room: Room, entry: str) -> str:
    text = source.text
    newline = "\r\n" if "\r\n" in text else "\n"
    if room.first is None:
        joint = newline if not room.braces and room.start else ""
        return f"{text[: room.start]}{joint}{entry}{text[room.start :]}"
    on_lines = not room.braces or "\n" in text[room.start : room.first]
    if not on_lines and source.format != "hjson":
        return f"{text[: room.end]}, {entry}{text[room.end :]}"
    indent = re.split(r"[\r\n]", text[: room.first])[-1]
    indent = indent if not indent.strip() else ""
    rest = _REST_OF_LINE.match(text, room.end)
    if rest is None:
        comma = "" if source.format == "hjson" else ","
        return f"{text[: room.end]}{comma}{newline}{indent}{entry}{text[room.end :]}"
    # Behind the comment of the last entry, which goes on to be that one's.
    comma = "" if rest["comma"] or source.format == "hjson" else ","
    again = "," if rest["comma"] else ""
    return (
        f"{text[: room.end]}{comma}{text[room.end : rest.end()]}"
        f"{newline}{indent}{entry}{again}{text[rest.end() :]}"
    )


def _with_line(
    source: Source,
    above: Path,
    missing: Sequence[str],
    value: str,
    key: str,
    rooms: dict[Path, Room],
) -> str:
    if len(missing) > 1 and source.format != "ini":
        flat = key_path([".".join(missing)])
        raise _no_place(
            source, key, f"its keys have no parts: write {flat} for the name {'.'.join(missing)}"
        )
    if len(above) + len(missing) != (2 if source.format == "ini" else 1):
        raise _no_place(source, key, "a key is a section and a name in it: section.name")
    name = missing[-1]
    if source.format == "ini":
        if not _INI_KEY.fullmatch(name) or name != name.strip():
            raise _no_place(source, key, "the name can't be written in an INI file")
        line = f"{name} = {value}" if value else f"{name} ="
        if len(missing) == 2:
            line = f"[{missing[0]}]\n{line}"
    else:
        line = line_formats.line(source, name, value)
    text = source.text
    room = rooms.get(above)
    at = _line_end(text, room.end if room is not None else len(text))
    newline = "\r\n" if "\r\n" in text else "\n"
    line = line.replace("\n", newline)
    if at and text[at - 1] != "\n":
        return f"{text[:at]}{newline}{line}{text[at:]}"
    return f"{text[:at]}{line}{newline}{text[at:]}"


def _line_end(text: str, at: int) -> int:
    """Return where the line ends that ``at`` is on, its line break included; ``at``, if it begins one."""
    if at == 0 or text[at - 1] == "\n":
        return at
    newline = text.find("\n", at)
    return len(text) if newline < 0 else newline + 1


def _no_place(source: Source, key: str, why: str) -> BadInput:
    return BadInput(
        f"{source.name} has no key {shortened(key)}, and it can't be written there"
        + (f": {why}." if why else "."),
        hint="Add it to the file, and put that in force; the phase then sets its value.",
    )
