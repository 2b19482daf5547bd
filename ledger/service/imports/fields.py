"""A record's keys and values as texts: canonical JSON, no number rounded, no secret kept (I6).

Nearly every value of an audit file is a number, a word, an identifier or a time, under a name that
announces no secret. Those are told by one look each; only a record with anything else in it goes through
the full search, which takes ten times as long.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from ledger.configuration.keys import KeyProvider
from ledger.configuration.names import Hint, hint_of
from ledger.configuration.secrets import Findings, redact_text
from ledger.domain.values.shapes import is_list, is_mapping

EXACT_MAX: Final = 2**53
"""Beyond this a double does not hold every whole number."""

# A word, a number, an identifier; a time; several words. None has what every pattern for secrets needs:
# a separator such as "=", ":" or "://", a run of twenty characters, "--" or "Bearer" before a blank, or
# twelve words.
_PLAIN_TEXT: Final = re.compile(
    r"[\w.+/%-]{0,19}+"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)?"
    r"|(?=.{0,45}\Z)(?!.*(?:--|[Bb][Ee][Aa][Rr][Ee][Rr]|[Bb][Aa][Ss][Ii][Cc]))"
    r"[\w.+/%-]{0,19}+(?:[ ,][\w.+/%-]{0,19}+)*+"
).fullmatch


class Inexact(Exception):
    """A number is too large for the double that it was read as."""


def field_texts(
    record: Mapping[str, Any], keys: KeyProvider, *, exact: bool = False
) -> tuple[dict[str, str], bool]:
    """Return each key's value as canonical JSON text, and whether there were secrets to replace.

    ``exact`` says that whole numbers were read as such, however large.

    Raises:
        Inexact: the record holds a number that may have been read with a loss.
    """
    if not exact:
        plain: dict[str, str] = {}
        for key, value in record.items():
            text = _plain_text(value) if _is_plain_name(key) else None
            if text is None:
                break
            plain[key] = text
        else:
            return plain, False
        if _holds_large(record):
            raise Inexact
    findings = Findings("record", record)  # type: ignore[arg-type] -- a mapping of JSON values is one
    secret = bool(findings.spans)
    if secret:
        record = findings.redacted(keys())  # type: ignore[assignment] -- a mapping stays a mapping
    return {_key(key): json_text(value) for key, value in record.items()}, secret


def json_text(value: Any) -> str:
    """Return ``value`` in its RFC 8785 form, but whole numbers with all their digits."""
    if isinstance(value, str):
        return orjson.dumps(value).decode()
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if is_mapping(value):
        keys = sorted(value, key=_utf16)
        return "{" + ",".join(f"{_key_text(key)}:{json_text(value[key])}" for key in keys) + "}"
    return "[" + ",".join(map(json_text, value)) + "]"


def _plain_text(value: Any) -> str | None:
    """Return the text of a value that can't be a secret under a plain name; None: look closer."""
    kind = type(value)  # pyright: ignore[reportUnknownVariableType] -- of anything
    if kind is str:
        return f'"{value}"' if _PLAIN_TEXT(value) else None
    if kind is float:
        if abs(value) >= EXACT_MAX:
            raise Inexact
        return _number(value)
    if kind is int:
        return str(value)
    if kind is dict:
        texts: list[str] = []
        for key in sorted(value, key=_utf16):
            text = _plain_text(value[key]) if _is_plain_name(key) else None
            if text is None:
                return None
            texts.append(f'"{key}":{text}')
        return "{" + ",".join(texts) + "}"
    return json_text(value) if value is None or kind is bool else None


def _number(value: float) -> str:
    if abs(value) < EXACT_MAX:
        if value == int(value):
            return str(int(value))
        if abs(value) >= 1e-4:
            return repr(value)  # here Python writes what JavaScript does
    import rfc8785

    return rfc8785.dumps(value).decode()


def _holds_large(value: Any) -> bool:
    if isinstance(value, float):
        return abs(value) >= EXACT_MAX
    if is_mapping(value):
        return any(map(_holds_large, value.values()))
    return is_list(value) and any(map(_holds_large, value))


@lru_cache(maxsize=4096)
def _is_plain_name(key: str) -> bool:
    """Tell whether a name announces no secret, and is no text that needs a closer look itself."""
    return _PLAIN_TEXT(key) is not None and hint_of(key) in {Hint.PLAIN, Hint.HASH}


@lru_cache(maxsize=4096)
def _key(key: str) -> str:
    """A key, without what looks like a secret in it."""
    return redact_text(key)


@lru_cache(maxsize=4096)
def _key_text(key: str) -> str:
    return orjson.dumps(_key(key)).decode()


@lru_cache(maxsize=4096)
def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")
