"""Values and texts of configurations, drawn by hypothesis, and what tests do with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from hypothesis import strategies as st

from ledger.configuration import loader
from ledger.configuration.keys import SecretKey
from ledger.configuration.snapshot import Snapshot, snapshot_under
from ledger.configuration.source import decode
from ledger.domain.errors import BadInput
from ledger.domain.values.fingerprints import Value

T = TypeVar("T")

KEY = SecretKey(bytes(range(32)))

# What could look like a secret by chance is kept out by the alphabets.
words = st.text(alphabet="abc é\u4e2d\U0001f600#:'\"\\/-{}[],&*!|>%@`\n\t.~", max_size=12)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words
)
keys = st.text(alphabet="abcxyz.[]\" é$#:'\\-", max_size=5)
values: st.SearchStrategy[Value] = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)
mappings = st.dictionaries(keys, values, max_size=5)


def read(name: str, text: str) -> Value:
    return loader.parse(decode(name, text.encode()))


def snapshot(*files: tuple[str, str]) -> Snapshot:
    return snapshot_under([(name, text.encode()) for name, text in files], lambda: KEY)


def as_toml(value: Value) -> str:
    """An inline TOML value; None has no form there."""
    if isinstance(value, dict):
        entries = (f"{json.dumps(key)} = {as_toml(item)}" for key, item in value.items())
        return "{" + ", ".join(entries) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(as_toml(item) for item in value) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def attempt(action: Callable[[], T]) -> tuple[T | None, str]:
    """What came of it, or None and the refusal with its hint."""
    try:
        return action(), ""
    except BadInput as error:
        return None, f"{error.message} {error.hint}"
