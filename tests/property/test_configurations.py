"""Whatever a configuration holds: one fingerprint for one value, another for any change, no traceback."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import random
from typing import Any

import yaml
from hypothesis import assume, example, given, settings, strategies as st

from ledger.domain.values.fingerprints import (
    TAGS,
    Value,
    canonical,
    diff,
    fingerprint,
    flatten,
    key_path,
)
from tests.support.configurations import (
    as_toml,
    attempt,
    leaves,
    mappings,
    read,
    snapshot,
    values,
)


def as_yaml(value: Value, *, flow: bool, width: int, ascii_only: bool) -> str:
    style: dict[str, Any] = {
        "default_flow_style": flow,
        "width": width,
        "allow_unicode": not ascii_only,
    }
    return yaml.safe_dump(value, sort_keys=False, **style)


def shuffled(value: Value, chance: random.Random) -> Value:
    if isinstance(value, dict):
        pairs = list(value.items())
        chance.shuffle(pairs)
        return {key: shuffled(item, chance) for key, item in pairs}
    if isinstance(value, list):
        return [shuffled(item, chance) for item in value]
    return value


@given(
    mappings, st.randoms(use_true_random=False), st.booleans(), st.integers(20, 200), st.booleans()
)
def test_order_format_and_layout_do_not_change_the_fingerprint(
    value: dict[str, Value], chance: random.Random, flow: bool, width: int, ascii_only: bool
) -> None:
    """The same content is the same configuration."""
    wanted = fingerprint(value)
    other = shuffled(value, chance)
    text = as_yaml(other, flow=flow, width=width, ascii_only=ascii_only)
    assert snapshot(("a.yaml", f"# comment\n{text}# more\n")).fingerprint == wanted
    text = json.dumps(other, ensure_ascii=ascii_only, indent=width % 3 or None)
    assert snapshot(("a.json", text.replace("\n", "\r\n"))).fingerprint == wanted


@given(mappings, st.randoms(use_true_random=False))
def test_toml_has_the_fingerprint_of_the_same_json(
    value: dict[str, Value], chance: random.Random
) -> None:
    """But for null, which TOML has not, and integers beyond 64 bits, which writers refuse."""
    assume("null" not in flatten(value).values())
    lines = (
        f"{json.dumps(key)} = {as_toml(shuffled(item, chance))}  # comment"
        for key, item in value.items()
    )
    assert snapshot(("a.toml", "\n".join(lines))).fingerprint == fingerprint(value)


@given(mappings, st.data())
def test_any_changed_leaf_is_another_fingerprint_and_shows_in_the_diff(
    value: dict[str, Value], data: st.DataObject
) -> None:
    """And nothing else shows."""
    paths = list(leaf_paths(value, ()))
    path = data.draw(st.sampled_from(paths))
    new = data.draw(leaves)
    old = at(value, path)
    assume(canonical(old) != canonical(new))
    changed = replaced(value, path, new)
    assert fingerprint(changed) != fingerprint(value)
    assert [change.key for change in diff(value, changed)] == [key_path(path)]


@given(mappings, mappings)
def test_the_diff_leads_from_the_old_to_the_new(
    old: dict[str, Value], new: dict[str, Value]
) -> None:
    """Applied to the old leaves it gives the new ones; it is empty for equal configurations only."""
    flat = flatten(old)
    for change in diff(old, new):
        assert flat.get(change.key) == change.old
        if change.new is None:
            del flat[change.key]
        else:
            flat[change.key] = change.new
    assert flat == flatten(new)
    assert (not diff(old, new)) == (fingerprint(old) == fingerprint(new))


@given(values)
def test_key_paths_tell_leaves_apart(value: Value) -> None:
    """As many key paths as leaves, and the same from the canonical form."""
    assert len(flatten(value)) == len(list(leaf_paths(value, ())))
    assert flatten(json.loads(canonical(value))) == flatten(value)


# --- what PyYAML reads --------------------------------------------------------------------------

pieces = [
    *"ab01:- \n#'\"&*!|>[]{},?.~<=%@`\\_+eExnNyY\té",
    "\n  ",
    ": ",
    "<<: ",
    "\n- ",
    "!!str ",
    "&a ",
    "*a",
    "1e+3",
    "0x1F",
    "2026-02-01",
]
yaml_ish = st.lists(st.sampled_from(pieces), max_size=40).map("".join)


def plain(value: Any) -> Any:
    """What PyYAML made, as a resolved value; ValueError if that has no place in a configuration."""
    if isinstance(value, dict):
        made = {plain_key(key): plain(item) for key, item in value.items()}
        if len(made) < len(value) or (len(made) == 1 and set(made) <= TAGS):
            raise ValueError
        return made
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dt.datetime):
        return {"$datetime": value.isoformat()}
    if isinstance(value, dt.date):
        return {"$date": value.isoformat()}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError
    return value


def plain_key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, tuple):
        raise ValueError  # noqa: TRY004 -- what YAML can say and a configuration can't
    if isinstance(key, dt.date | bytes):
        return str(next(iter(plain(key).values())))
    return canonical(key).decode()


@given(yaml_ish)
@example("a: 1\n<<: {b: 1}\nb: 2")
@example("a: &x 017\n*x : 1_0")
@example("? a\n: - b\n  -  c\n")
@settings(max_examples=300)
def test_yaml_means_what_pyyaml_says_or_is_refused(text: str) -> None:
    """Whatever the text, a value or a sentence comes out; and the value is what a bot sees."""
    value, refusal = attempt(lambda: read("a.yaml", text))
    if refusal:
        assert "\n" not in refusal
        return
    try:
        read_by_bots = yaml.safe_load(text)
    except yaml.YAMLError:
        # The parser in C, which is used here, takes a few tabs that the one in Python refuses.
        read_by_bots = yaml.load(text, yaml.CSafeLoader)
    # An empty document is the one difference: nothing at all is an empty configuration.
    if read_by_bots is None and value == {}:
        return
    assert value == plain(read_by_bots)


@given(mappings)
def test_what_pyyaml_writes_is_read(value: dict[str, Value]) -> None:
    """Nothing that has a place in a configuration is refused."""
    assert read("a.yaml", yaml.safe_dump(value)) == value


@given(
    st.text(alphabet="ab01.=\n[]{}\"'#_- ,\\u:+eTZ", max_size=40),
    st.sampled_from(["a.toml", "a.json"]),
)
@settings(max_examples=200)
def test_any_text_is_a_value_or_a_sentence(text: str, name: str) -> None:
    """Never a traceback."""
    value, refusal = attempt(lambda: read(name, text))
    assert "\n" not in refusal
    assert refusal or canonical(value)


def leaf_paths(value: Value, path: tuple[str | int, ...]) -> list[tuple[str | int, ...]]:
    if isinstance(value, dict) and value:
        return [leaf for key, item in value.items() for leaf in leaf_paths(item, (*path, key))]
    if isinstance(value, list) and value:
        return [
            leaf for index, item in enumerate(value) for leaf in leaf_paths(item, (*path, index))
        ]
    return [path]


def at(value: Any, path: tuple[str | int, ...]) -> Value:
    for step in path:
        value = value[step]
    return value


def replaced(value: Any, path: tuple[str | int, ...], new: Value) -> Value:
    if not path:
        return new
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy
