"""`.env` files and Java properties: names and texts, one after the other, and where they stand.

``.env`` is read by python-dotenv, properties by javaproperties. References such as ``${NAME}`` stay as they
are written: what they stand for may be of another machine, and a change of it shows where it is made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import StringIO
from typing import Final
from weakref import WeakKeyDictionary

from ledger.configuration.outline import Outline, Room
from ledger.configuration.patterns import Span
from ledger.configuration.source import Source
from ledger.domain.errors import BadInput
from ledger.domain.values.fingerprints import Value, key_path, shortened

_BEFORE_VALUE: Final = re.compile(
    r"\s*(?:export[^\S\r\n]+)?(?P<key>'[^']+'|[^=\#\s]+)(?:[^\S\r\n]*=(?P<space>[^\S\r\n]*))?"
)
_QUOTED: Final = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\"""", re.DOTALL)
_ENV_COMMENT: Final = re.compile(r"#[^\r\n]*")
_CONTINUED: Final = r"\\(?:\r\n|\r|\n)"
"""A backslash that ends a line: it goes on behind the next one's white space."""
_SPACE: Final = rf"(?:[ \t\f]|{_CONTINUED})*"
_PROPERTY: Final = re.compile(
    rf"{_SPACE}(?P<key>(?:{_CONTINUED}{_SPACE}|\\[^\r\n]|\\\Z|[^=: \t\f\r\n\\])*){_SPACE}(?:[=:]{_SPACE})?"
)
"""The key of a property; its value begins behind the match."""
_PROPERTIES_COMMENT: Final = re.compile(r"[ \t\f]*([#!][^\r\n]*)")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line that sets something, or what looks like several."""

    key: str
    value: str | None
    start: int
    """Where the key is."""
    span: Span
    """Of the value, quotes included. Empty where there is none."""


@dataclass(frozen=True, slots=True)
class _Lines:
    entries: tuple[_Entry, ...]
    comments: tuple[Span, ...]


_read: WeakKeyDictionary[Source, _Lines] = WeakKeyDictionary()


def read(source: Source) -> Value:
    """Return what a file of names and texts means; `BadInput` names the line."""
    seen: dict[str, _Entry] = {}
    for entry in _lines(source).entries:
        if entry.key in seen:
            line = source.text.count("\n", 0, seen[entry.key].start) + 1
            raise BadInput(
                f"{source.where(entry.start)}: the key {shortened(key_path([entry.key]))} is set twice, "
                f"first on line {line}",
                hint="keep one of the two",
            )
        seen[entry.key] = entry
    return {key: entry.value for key, entry in seen.items()}


def outline(source: Source) -> Outline:
    """Return where everything stands in a text that was read."""
    lines = _lines(source)
    ends = [entry.span[1] for entry in lines.entries]
    first = lines.entries[0].start if lines.entries else None
    return Outline(
        leaves={(entry.key,): entry.span for entry in lines.entries},
        comments=list(lines.comments),
        rooms={(): Room(0, first, max(ends, default=0), braces=False)},
    )


def _lines(source: Source) -> _Lines:
    if source not in _read:
        lines = _env(source) if source.format == "env" else _properties(source)
        _read[source] = lines
    return _read[source]


# --- .env ---------------------------------------------------------------------------------------


def variables(text: str) -> dict[str, str | None]:
    """Return what a program finds set that loads a file of NAME=VALUE; lines that are none are left out."""
    from dotenv.parser import parse_stream

    bindings = parse_stream(StringIO(text, newline=""))
    return {binding.key: binding.value for binding in bindings if binding.key is not None}


def _env(source: Source) -> _Lines:
    from dotenv.parser import parse_stream

    entries: list[_Entry] = []
    comments: list[Span] = []
    at = 0
    for binding in parse_stream(StringIO(source.text, newline="")):
        text = binding.original.string
        if binding.error:
            begun = at + len(text) - len(text.lstrip())
            raise BadInput(
                f"{source.where(begun)} is not of a .env file: NAME=VALUE was expected",
                hint="put a value of several words or lines in double quotes, and # before a comment",
            )
        after = at
        if binding.key is not None:
            entry = _env_entry(binding.key, binding.value, text, at)
            entries.append(entry)
            after = entry.span[1]
        comments += [
            match.span() for match in _ENV_COMMENT.finditer(source.text, after, at + len(text))
        ]
        at += len(text)
    return _Lines(tuple(entries), tuple(comments))


def _env_entry(key: str, value: str | None, text: str, at: int) -> _Entry:
    before = _BEFORE_VALUE.match(text)
    if before is None:  # nothing has a key that this does not fit
        raise BadInput(f"the key {shortened(key_path([key]))} can't be found where it is written")
    start = at + before.start("key")
    end = before.end()
    if value == "":
        quoted = _QUOTED.match(text, end)
        span = quoted.span() if quoted else (before.start("space"),) * 2
    elif value is None:
        span = (end, end)
    else:
        quoted = _QUOTED.match(text, end) if text[end] in "\"'" else None
        span = quoted.span() if quoted else (end, end + len(value))
    return _Entry(key, value, start, (at + span[0], at + span[1]))


# --- Java properties ----------------------------------------------------------------------------


def _properties(source: Source) -> _Lines:
    from javaproperties import Comment, InvalidUEscapeError, KeyValue, parse  # pyright: ignore[reportUnknownVariableType] -- types in part

    entries: list[_Entry] = []
    comments: list[Span] = []
    at = 0
    try:
        for element in parse(source.text):
            if isinstance(element, KeyValue):
                entries.append(_property(element.key, element.value, element.source, at))
            elif isinstance(element, Comment):
                match = _PROPERTIES_COMMENT.match(element.source)
                if match is not None:
                    comments.append((at + match.start(1), at + match.end(1)))
            at += len(element.source)
    except InvalidUEscapeError:
        raise BadInput(
            f"{source.where(at)}: \\u is not followed by four hex digits",
            hint="write \\\\u for a \\u",
        ) from None
    return _Lines(tuple(entries), tuple(comments))


def _property(key: str, value: str, text: str, at: int) -> _Entry:
    place = _PROPERTY.match(text)
    begun, start = (place.start("key"), place.end()) if place else (0, 0)
    end = len(text.rstrip("\r\n")) if text.endswith(("\r", "\n")) else len(text)
    return _Entry(key, value, at + begun, (at + start, at + max(start, end)))


# --- writing ------------------------------------------------------------------------------------

_BARE: Final = re.compile(r"[\w./:@%+,=-]+")


def written(source: Source, text: str, old: str) -> str:
    """Return a value as the file writes one; in the quotes of the ``old`` one, where they fit."""
    if source.format == "properties":
        from javaproperties import join_key_value

        ensure_ascii = source.text.isascii()
        return join_key_value("k", text, ensure_ascii=ensure_ascii)[2:]
    quote = old[:1] if old[:1] in {"'", '"'} else ""
    if not quote and _BARE.fullmatch(text):
        return text
    if "'" not in text and "\\" not in text and (quote != '"' or "$" in text):
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def line(source: Source, name: str, value: str) -> str:
    """Return a whole line that gives ``name`` a value, which is written already."""
    if source.format == "properties":
        from javaproperties import join_key_value

        return join_key_value(name, "", ensure_ascii=source.text.isascii()) + value
    return f"{name}={value}"
