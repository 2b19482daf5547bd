"""Bytes of configuration files -> the value that they mean. Whatever is unclear is refused.

``docs/fingerprint.md`` lists the answers: duplicate keys, aliases, dates, large numbers and so on.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from ledger.configuration import braces, ini_format, lexing, line_formats
from ledger.configuration.source import Format, Source
from ledger.configuration.times import tagged
from ledger.domain.errors import BadInput
from ledger.domain.values.fingerprints import (
    DEPTH_MAX,
    INTEGER_BITS_MAX,
    TAGS,
    Value,
    key_path,
    merge,
    shortened,
)

_JSON_NOT_FINITE: Final = re.compile(r"-?(?:NaN|Infinity|\d[\d.]*[eE]\+?\d{3,})")
_TOML_NOT_FINITE: Final = re.compile(r"[+-]?(?:inf|nan|\d[\d_.]*[eE]\+?\d{3,})")
_LONG_INTEGER: Final = re.compile(r"[+-]?[\d_]{300,}|0[xob][\da-fA-F_]{250,}")
_HALF_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_TOML_PLACE: Final = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)")


@dataclass(frozen=True, slots=True)
class _Unfit(Exception):
    """A value that has no place in a configuration, and its path."""

    problem: str
    path: tuple[str | int, ...] = ()
    hint: str | None = None


def parse(source: Source) -> Value:
    """Return the value that one file means. `BadInput` names file, line, key and what to do."""
    if source.format == "yaml":
        # Here and not above: a process that touches no YAML saves 15 ms.
        from ledger.configuration import yaml_tree

        return yaml_tree.read(source)
    try:
        return _READERS[source.format](source)
    except RecursionError as error:
        raise BadInput(f"{source.name} nests more than {DEPTH_MAX} levels deep") from error


def resolve(values: Iterable[tuple[str, Value]]) -> Value:
    """Lay the values of (name, value) over one another, the last on top."""
    named = list(values)
    if len(named) > 1:
        for name, value in named:
            if not isinstance(value, dict):
                raise BadInput(
                    f"{name} holds no mapping, and only mappings can be laid over one another",
                    hint="name it alone, or make it a mapping of keys to values",
                )
    return merge(value for _, value in named)


def _parse_json(source: Source) -> Value:
    if not source.text.strip():
        raise BadInput(f"{source.name} is empty, which is not JSON", hint="write {} into it")
    try:
        value = _json_value(source)
    except json.JSONDecodeError as error:
        raise BadInput(
            f"{source.where(error.pos)} is not JSON: {error.msg}",
            hint="comments and trailing commas are read; if the program reads JSON5 or HJSON, give the file "
            "a name that says so (NAME.hjson=PATH, or --as NAME.hjson)",
        ) from error
    except ValueError as error:
        # Python refuses to read integers of more than 4300 digits.
        raise _too_long(source, lexing.JSON_WORD) from error
    except _Unfit as unfit:
        raise _repeated(source, unfit) from None
    half_surrogates = _HALF_SURROGATE.search(source.text) is not None
    return _checked(source, value, lexing.JSON_WORD, _JSON_NOT_FINITE, half_surrogates)


def _json_value(source: Source) -> Any:
    """Return what the text is as JSON; where it is none, what it is without comments and trailing commas."""
    try:
        return json.loads(source.text, object_pairs_hook=_unique)
    except json.JSONDecodeError:
        plain = lexing.plain_json(source.text)
        if plain == source.text:
            raise
        return json.loads(plain, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise _Unfit("a key is set twice")
    return mapping


def _repeated(source: Source, unfit: _Unfit) -> BadInput:
    for first, again, path in braces.outline(source).repeated:
        return braces.repeated(source, first, again, path[-1:])
    return BadInput(f"{source.name}: {unfit.problem}")


def _parse_json5(source: Source) -> Value:
    value = braces.read_json5(source)
    return _checked(source, value, lexing.JSON_WORD, _JSON_NOT_FINITE, False)


def _parse_hjson(source: Source) -> Value:
    try:
        value = braces.read_hjson(source)
    except braces.TwiceHere:
        for first, again, path in braces.outline(source).repeated:
            raise braces.repeated(source, first, again, path) from None
        raise BadInput(f"{source.name}: a key is set twice", hint="keep one of the two") from None
    half_surrogates = _HALF_SURROGATE.search(source.text) is not None
    return _checked(source, value, lexing.JSON_WORD, _JSON_NOT_FINITE, half_surrogates)


def _parse_lines(source: Source) -> Value:
    value = line_formats.read(source)
    half_surrogates = _HALF_SURROGATE.search(source.text) is not None
    return _checked(source, value, lexing.JSON_WORD, _JSON_NOT_FINITE, half_surrogates)


def _parse_toml(source: Source) -> Value:
    _check_toml_keys(source)
    try:
        value = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(source, str(error)) from error
    except ValueError as error:
        raise _too_long(source, lexing.TOML_WORD) from error
    return _checked(source, value, lexing.TOML_WORD, _TOML_NOT_FINITE, False)


def _check_toml_keys(source: Source) -> None:
    """Refuse keys of very many parts, on which the reader spends the square of their number."""
    if not any(line.count(".") >= DEPTH_MAX for line in source.text.split("\n")):
        return
    dots = 0
    for word in lexing.TOML_WORD.finditer(source.text):
        if word.lastgroup in {"mark", "comment"}:
            dots = 0
        elif word.lastgroup == "bare":
            dots += word.group().count(".")
            if dots >= DEPTH_MAX:
                raise BadInput(
                    f"{source.where(word.start())}: a key has more than {DEPTH_MAX} parts"
                )


def _not_toml(source: Source, message: str) -> BadInput:
    place = _TOML_PLACE.search(message)
    problem = _TOML_PLACE.sub("", message)
    if place is None:
        return BadInput(f"{source.name} is not TOML: {problem}")
    at = source.where(len(source.text))  # "at end of document"
    line = source.text.count("\n") + 1
    if place.group(1):
        line = int(place.group(1))
        at = f"{source.name} line {line} column {place.group(2)}"
    if "overwrite" in problem or "twice" in problem:
        earlier = _earlier_toml_line(source.text, line)
        first = f", first on line {earlier}" if earlier else ""
        return BadInput(f"{at}: a key is set twice{first}", hint="keep one of the two")
    return BadInput(f"{at} is not TOML: {problem}")


def _earlier_toml_line(text: str, line: int) -> int | None:
    """Return the line above ``line`` (1-based) that sets the same key in the same table, if one is plain."""
    lines = text.split("\n")
    # The reader points behind what it read, which may be the beginning of the next line.
    for at in (line - 1, line - 2):
        if not 0 <= at < len(lines):
            continue
        key = _toml_key(lines[at])
        for above in range(at - 1, -1, -1):
            if key and _toml_key(lines[above]) == key:
                return above + 1
            if lines[above].lstrip().startswith("[") and not key.startswith("["):
                break
    return None


def _toml_key(line: str) -> str:
    line = line.strip()
    return line if line.startswith("[") else line.partition("=")[0].strip()


def _too_long(source: Source, word: re.Pattern[str]) -> BadInput:
    offset = lexing.first_bare(word, source.text, _LONG_INTEGER)
    place = source.where(offset) if offset is not None else source.name
    return BadInput(f"{place}: an integer has more than {INTEGER_BITS_MAX} bits")


def _checked(
    source: Source,
    value: Any,
    word: re.Pattern[str],
    not_finite: re.Pattern[str],
    half_surrogates: bool,
) -> Value:
    """Return the value with tags for what JSON has no type for; `BadInput` if some of it has no form."""
    try:
        return _json_like(value, (), half_surrogates)
    except _Unfit as unfit:
        wanted = not_finite if "finite" in unfit.problem else _LONG_INTEGER
        offset = lexing.first_bare(word, source.text, wanted) if unfit.path else None
        place = source.where(offset) if offset is not None else source.name
        raise BadInput(
            f"{place}, key {shortened(key_path(unfit.path))}: {unfit.problem}", hint=unfit.hint
        ) from None


def _json_like(value: Any, path: tuple[str | int, ...], half_surrogates: bool) -> Value:
    if isinstance(value, str):
        if half_surrogates:
            _check_text(value, path)
        return value
    if isinstance(value, dict):
        return _json_like_mapping(cast("dict[str, Any]", value), path, half_surrogates)
    if isinstance(value, list):
        _check_depth(path)
        items = cast("list[Any]", value)
        return [_json_like(v, (*path, i), half_surrogates) for i, v in enumerate(items)]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        if value.bit_length() > INTEGER_BITS_MAX:
            raise _Unfit(f"the integer has more than {INTEGER_BITS_MAX} bits", path)
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _Unfit("the number is not finite", path, "write a finite number, or null")
        return value
    return tagged(value)


def _json_like_mapping(
    value: dict[str, Any], path: tuple[str | int, ...], half_surrogates: bool
) -> Value:
    _check_depth(path)
    if len(value) == 1 and next(iter(value)) in TAGS:
        raise _Unfit(
            f"a mapping's only key is {next(iter(value))}, which the canonical form reserves",
            path,
            "give the key another name",
        )
    if half_surrogates:
        for key in value:
            _check_text(key, path)
    return {k: _json_like(v, (*path, k), half_surrogates) for k, v in value.items()}


def _check_depth(path: tuple[str | int, ...]) -> None:
    if len(path) >= DEPTH_MAX:
        raise _Unfit(f"the text nests more than {DEPTH_MAX} levels deep", path[:3])


def _check_text(text: str, path: tuple[str | int, ...]) -> None:
    try:
        _ = text.encode()
    except UnicodeEncodeError:
        raise _Unfit(
            "the text is not Unicode (half of a surrogate pair)",
            path,
            "write the character itself instead of a \\ud800 to \\udfff escape",
        ) from None


_READERS: Final[Mapping[Format, Callable[[Source], Value]]] = {
    "json": _parse_json,
    "json5": _parse_json5,
    "hjson": _parse_hjson,
    "toml": _parse_toml,
    "ini": ini_format.read,
    "properties": _parse_lines,
    "env": _parse_lines,
}
