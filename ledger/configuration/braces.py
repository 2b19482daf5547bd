"""JSON with comments, JSON5 and HJSON: what they mean, and where everything stands in them.

JSON5 is read by pyjson5, HJSON by hjson, which is what bots read it with. Neither keeps positions, so a text
that was read is gone through once more here.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final
from weakref import WeakKeyDictionary

from ledger.configuration.outline import Outline, Path, Room
from ledger.configuration.source import Source
from ledger.domain.errors import BadInput
from ledger.domain.values.fingerprints import DEPTH_MAX, key_path, shortened

_COMMENT: Final = r"//[^\r\n\u2028\u2029]*|/\*[\s\S]*?\*/"
_SKIPPED: Final = re.compile(rf"[\s\ufeff]+|(?P<comment>{_COMMENT})")
_SKIPPED_HJSON: Final = re.compile(rf"[\s\ufeff]+|(?P<comment>\#[^\r\n]*|{_COMMENT})")
_STRING: Final = re.compile(
    r"""'''[\s\S]*?'''|"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\]|\\[\s\S])*'""",
)
_STRING_JSON5: Final = re.compile(r""""(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\]|\\[\s\S])*'""")
_KEY: Final = re.compile(r"""[^\s:{}\[\],]+""")
_BARE: Final = re.compile(r"""[^\s{}\[\],:"'/]+""")
_LITERAL: Final = re.compile(
    r"(true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)[ \t]*(?=[,}\]#\r\n]|//|/\*|$)"
)
_QUOTELESS: Final = re.compile(r"[^\r\n]*")
_NEAR: Final = re.compile(r" (?:starting )?near (\d+)")

_outlines: WeakKeyDictionary[Source, Outline] = WeakKeyDictionary()


def read_json5(source: Source) -> Any:
    """Return what a JSON5 text means, as its reader gives it; `BadInput` names the place."""
    import pyjson5

    try:
        value = pyjson5.decode(source.text, maxdepth=DEPTH_MAX)
    except pyjson5.Json5Exception as error:
        raise _not_json5(source, str(error.args[0])) from None
    for first, again, path in outline(source).repeated:
        raise repeated(source, first, again, path)
    return value


def read_hjson(source: Source) -> Any:
    """Return what an HJSON text means, as its reader gives it; `BadInput` names the place."""
    hjson = _hjson()
    try:
        value = hjson.loads(source.text, object_pairs_hook=_pairs)
    except hjson.HjsonDecodeError as error:
        raise _not_hjson(source, error) from None
    except (OverflowError, IndexError, ValueError):
        # It counts on numbers being finite, and on texts of several lines being closed.
        raise BadInput(
            f"{source.name} is not HJSON: a number has no end in sight, or a text in ''' is not closed",
            hint="write a finite number, or put it in quotes",
        ) from None
    return value


def _hjson() -> Any:
    """HJSON's reader, which has no types."""
    import hjson  # pyright: ignore[reportMissingTypeStubs] -- it has none

    return hjson


def _not_hjson(source: Source, error: Any) -> BadInput:
    """Return where it is none; of a mapping without braces its reader only says that it is no text."""
    hjson = _hjson()
    line, column, problem = error.lineno, error.colno, error.msg
    if not source.text.lstrip().startswith(("{", "[")):
        try:
            hjson.loads(f"{{\n{source.text}\n}}")
        except hjson.HjsonDecodeError as inside:
            line, column, problem = inside.lineno - 1, inside.colno, inside.msg
        except (OverflowError, IndexError, ValueError, RecursionError):
            pass
    line = min(line, source.text.count("\n") + 1)  # not on the brace that was put behind it
    return BadInput(f"{source.name} line {line} column {column} is not HJSON: {problem}")


class TwiceHere(Exception):
    """A mapping has a key twice."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise TwiceHere
    return mapping


def repeated(source: Source, first: int, again: int, path: Path) -> BadInput:
    """Return what is wrong with a key that is set twice, by the offsets of both."""
    line = source.text.count("\n", 0, first) + 1
    return BadInput(
        f"{source.where(again)}: the key {shortened(key_path(path))} is set twice, first on line {line}",
        hint="keep one of the two",
    )


def outline(source: Source) -> Outline:
    """Return where everything stands in a text that was read.

    Raises:
        BadInput: its way of writing can't be followed.
    """
    if source not in _outlines:
        _outlines[source] = _Walk(source).run()
    return _outlines[source]


def _not_json5(source: Source, message: str) -> BadInput:
    near = _NEAR.search(message)
    if "nesting" in message:
        return BadInput(f"{source.name} nests more than {DEPTH_MAX} levels deep")
    if not source.text.strip():
        return BadInput(f"{source.name} is empty, which is not JSON5", hint="write {} into it")
    place = source.where(min(int(near[1]) - 1, len(source.text))) if near else source.name
    problem = re.sub(r"b'(\w+)'", r"\1", _NEAR.sub("", message))
    # What was found instead may be a piece of a secret.
    return BadInput(f"{place} is not JSON5: {problem.partition(', found')[0]}")


class _Walk:
    """One way through a text, from its beginning to its end."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._text = source.text
        self._hjson = source.format == "hjson"
        self._skipped = _SKIPPED_HJSON if self._hjson else _SKIPPED
        self._string = _STRING if self._hjson else _STRING_JSON5
        self._at = 0
        self._found = Outline()

    def run(self) -> Outline:
        self._skip()
        if self._hjson and self._is_bare_mapping():
            self._mapping((), braces=False)
        elif self._at < len(self._text):
            self._value(())
        self._skip()
        if self._at < len(self._text):
            raise self._lost()
        return self._found

    def _is_bare_mapping(self) -> bool:
        """Tell whether an HJSON text is a mapping without braces: its reader tries that before all else."""
        if self._text.startswith(("{", "["), self._at):
            return False
        return isinstance(_hjson().loads(self._text), dict)

    def _skip(self) -> None:
        while match := self._skipped.match(self._text, self._at):
            if match["comment"] is not None:
                self._found.comments.append(match.span())
            self._at = match.end()

    def _value(self, path: Path) -> None:
        if len(path) > DEPTH_MAX:
            raise self._lost()
        character = self._text[self._at : self._at + 1]
        if character == "{":
            self._at += 1
            self._mapping(path, braces=True)
        elif character == "[":
            self._at += 1
            self._list(path)
        else:
            self._leaf(path)

    def _leaf(self, path: Path) -> None:
        text, at = self._text, self._at
        match = self._string.match(text, at)
        if match is None and self._hjson:
            literal = _LITERAL.match(text, at)
            end = literal.end(1) if literal else _end_of(_QUOTELESS.match(text, at), text)
        else:
            word = match or _BARE.match(text, at)
            end = word.end() if word else at
        if end == at:
            raise self._lost()
        self._found.leaves[path] = (at, end)
        self._at = end

    def _mapping(self, path: Path, *, braces: bool) -> None:
        start = end = self._at
        first: int | None = None
        seen: dict[str, int] = {}
        while True:
            self._skip()
            character = self._text[self._at : self._at + 1]
            if character == "}" and braces:
                self._at += 1
                break
            if not character and not braces:
                break
            began = self._at
            first = began if first is None else first
            key = self._key()
            if key in seen:
                self._found.repeated.append((seen[key], began, (*path, key)))
            seen[key] = began
            self._skip()
            self._expect(":")
            self._skip()
            self._value((*path, key))
            end = self._at
            self._skip()
            self._comma()
        self._found.rooms[path] = Room(start, first, end, braces)

    def _list(self, path: Path) -> None:
        index = 0
        while True:
            self._skip()
            if self._text[self._at : self._at + 1] == "]":
                self._at += 1
                return
            self._value((*path, index))
            index += 1
            self._skip()
            self._comma()

    def _key(self) -> str:
        match = self._string.match(self._text, self._at) or _KEY.match(self._text, self._at)
        if match is None:
            raise self._lost()
        self._at = match.end()
        return self._meaning(match.group())

    def _meaning(self, key: str) -> str:
        """Return what a key says, by the format's own reader where it is not plain."""
        if key[0] not in "\"'" and "\\" not in key:
            return key
        if self._hjson:
            return str(_hjson().loads(key)) if key[0] in "\"'" else key
        if key[0] == '"' and self._source.format == "json":
            return str(json.loads(key))
        import pyjson5

        (meant,) = pyjson5.decode(f"{{{key}:0}}")
        return str(meant)

    def _expect(self, mark: str) -> None:
        if not self._text.startswith(mark, self._at):
            raise self._lost()
        self._at += len(mark)

    def _comma(self) -> None:
        if self._text.startswith(",", self._at):
            self._at += 1

    def _lost(self) -> BadInput:
        return BadInput(
            f"{self._source.where(self._at)}: it can't be told what stands here",
            hint="write the file plainly: a key, a colon, a value in quotes",
        )


def _end_of(match: re.Match[str] | None, text: str) -> int:
    """Return where a text without quotes ends: with its line, white space left out."""
    if match is None:
        return 0
    return match.start() + len(text[match.start() : match.end()].rstrip())
