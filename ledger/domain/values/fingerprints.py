"""What a configuration is: one value, its canonical form, its fingerprint, its keys, its changes.

A *resolved value* is what the files of a configuration mean together: null, booleans, numbers,
strings, lists, and mappings with string keys. What YAML and TOML have and JSON has not (dates,
times, bytes) is a mapping with one reserved key (`TAGS`), so that it can't be mistaken for a
string. Everything here is pure; ``docs/fingerprint.md`` says the same for people outside.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

import rfc8785

from ledger.domain.errors import BadInput

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
Plain: TypeAlias = str | int | float | bool | None

CANONICAL_FORM = 1
"""The version of the rules that lead from files to a canonical form; each registration records it.

It is raised where files that were read before come to another form. Fingerprints that other versions made
can't be compared; what was kept is (docs/fingerprint.md, 6).
"""

SAFE_INTEGER_MAX = 2**53 - 1
"""The largest integer that every JSON reader reads exactly."""

INTEGER_BITS_MAX = 1024
"""Integers beyond this are refused: no double reaches further, and 256 bits are an EVM word."""

DEPTH_MAX = 100
"""How many lists and mappings may stand inside one another."""

TAGS = frozenset({"$integer", "$date", "$datetime", "$time", "$bytes"})
"""Keys that mark a value JSON has no type for; a mapping may not have one as its only key."""

ROOT_KEY = "$"
"""The key path of the whole configuration, when that is not a mapping or a list."""

_BARE_KEY = re.compile(r"[\w/:@%+-]+")
_STEP = re.compile(
    r'(?P<dot>\.)?(?P<bare>[\w/:@%+-]+)|\[(?P<index>\d+)\]|\[(?P<quoted>"(?:[^"\\]|\\.)*")\]'
)


@dataclass(frozen=True, slots=True)
class Change:
    """One key whose value differs. ``old`` or ``new`` is None where the key did not exist."""

    key: str
    old: str | None
    new: str | None


def canonical(value: Value) -> bytes:
    """Return the RFC 8785 form of a resolved value: one value, one sequence of bytes.

    Integers beyond ``SAFE_INTEGER_MAX``, which RFC 8785 can't carry, become
    ``{"$integer": "<digits>"}``. Raises `BadInput` for what has no canonical form.
    """
    tagged = _tag_numbers(value, 0)
    try:
        return rfc8785.dumps(tagged)  # pyright: ignore[reportArgumentType] -- its type is narrower
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        # Numbers were checked above, which leaves half of a surrogate pair in a text.
        raise BadInput(
            "the configuration holds text that is not Unicode (half of a surrogate pair)",
            hint="write the character itself instead of a \\ud800 to \\udfff escape",
        ) from error


def fingerprint_of(canonical_form: bytes) -> str:
    """Return the fingerprint of a canonical form: ``sha256:<64 hex>``."""
    return "sha256:" + hashlib.sha256(canonical_form).hexdigest()


def fingerprint(value: Value) -> str:
    """Return the fingerprint of a resolved value whose secrets were replaced by digests already."""
    return fingerprint_of(canonical(value))


def merge(values: Iterable[Value]) -> Value:
    """Merge values that lie over one another: mappings merge key by key, anything else replaces."""
    merged: Value = {}
    for number, value in enumerate(values):
        merged = value if number == 0 else _overlay(merged, value)
    return merged


def flatten(value: Value) -> dict[str, str]:
    """Return every leaf of a value as key path -> canonical JSON text; an empty container is a leaf.

    The text tells types apart (``"0.5"`` in quotes is a string); integers show all digits.
    """
    flat: dict[str, str] = {}
    _flatten_into(flat, "", value)
    return flat


def diff(old: Value, new: Value) -> list[Change]:
    """Return the leaves that differ, sorted by key path. Lists are compared by index."""
    return diff_flat(flatten(old), flatten(new))


def diff_flat(old: Mapping[str, str], new: Mapping[str, str]) -> list[Change]:
    """Return what `diff` does for two configurations that are flat already."""
    return [
        Change(key, old.get(key), new.get(key))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def child_key(parent: str, name: str) -> str:
    """Return the key path of a mapping's entry: ``parent.name``, or ``parent["na.me"]`` if need be."""
    if _BARE_KEY.fullmatch(name):
        return f"{parent}.{name}" if parent else name
    return f"{parent}[{json.dumps(name, ensure_ascii=False)}]"


def key_path(path: Iterable[str | int]) -> str:
    """Return the key path for mapping keys (str) and list indexes (int), outermost first."""
    key = ""
    for step in path:
        key = child_key(key, step) if isinstance(step, str) else f"{key}[{step}]"
    return key or ROOT_KEY


def key_steps(key: str) -> list[str | int]:
    """Return the mapping keys and list indexes that a key path leads through: `key_path` the other way round.

    Raises `BadInput` for what is no key path.
    """
    steps: list[str | int] = []
    at = 0
    while at < len(key):
        match = _STEP.match(key, at)
        if match is None or (match["bare"] and (match["dot"] is None) != (at == 0)):
            break
        if match["bare"] is not None:
            steps.append(match["bare"])
        elif match["index"] is not None:
            steps.append(int(match["index"]))
        else:
            steps.append(str(json.loads(match["quoted"])))
        at = match.end()
    if not steps or at < len(key):
        raise BadInput(
            f"{shortened(key)!r} is no key path", hint='write grid.levels[2].price, or a["b.c"].d'
        )
    return steps


def shortened(key: str, characters_max: int = 120) -> str:
    """Return a key path for a message: the middle of a very long one is left out."""
    if len(key) <= characters_max:
        return key
    half = characters_max // 2
    return f"{key[:half]}…{key[-half:]}"


def tag_of(value: Value) -> str | None:
    """Return the reserved key, if the value is a tagged one (a date, bytes, a large integer)."""
    if isinstance(value, dict) and len(value) == 1:
        (key,) = value
        return key if key in TAGS else None
    return None


def number_text(number: float) -> str:
    """Return a number as canonical JSON text; integral numbers of any size as plain digits."""
    if isinstance(number, int):
        return str(number)
    if number.is_integer() and abs(number) > SAFE_INTEGER_MAX:
        return str(int(number))
    return rfc8785.dumps(number).decode()


def leaf_text(value: Value) -> str:
    """Return one leaf as canonical JSON text, without white space."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, dict) and tag_of(value) == "$integer":
        return str(value["$integer"])
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _tag_numbers(value: Value, depth: int) -> Value:
    if isinstance(value, dict):
        _check_depth(depth)
        return {key: _tag_numbers(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        _check_depth(depth)
        return [_tag_numbers(item, depth + 1) for item in value]
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if abs(value) <= SAFE_INTEGER_MAX:
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadInput("the configuration holds a number that is not finite (nan or infinity)")
        return {"$integer": str(int(value))}  # Doubles of this size have no fraction.
    if value.bit_length() > INTEGER_BITS_MAX:
        raise BadInput(f"the configuration holds an integer of more than {INTEGER_BITS_MAX} bits")
    return {"$integer": str(value)}


def _check_depth(depth: int) -> None:
    if depth >= DEPTH_MAX:
        raise BadInput(f"the configuration nests more than {DEPTH_MAX} levels deep")


def _overlay(base: Value, top: Value) -> Value:
    if not isinstance(base, dict) or not isinstance(top, dict) or tag_of(base) or tag_of(top):
        return top
    merged = dict(base)
    for key, item in top.items():
        merged[key] = _overlay(base[key], item) if key in base else item
    return merged


def _flatten_into(flat: dict[str, str], key: str, value: Value) -> None:
    if isinstance(value, dict) and value and not tag_of(value):
        for name, item in value.items():
            _flatten_into(flat, child_key(key, name), item)
    elif isinstance(value, list) and value:
        for index, item in enumerate(cast("list[Value]", value)):
            _flatten_into(flat, f"{key}[{index}]", item)
    else:
        flat[key or ROOT_KEY] = leaf_text(value)
