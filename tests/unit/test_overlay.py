"""Keys set in configuration files: what is asked for, and not one byte besides."""

from __future__ import annotations

import pytest

from ledger.configuration.loader import parse, resolve
from ledger.configuration.overlay import overlaid
from ledger.configuration.source import decode
from ledger.domain.errors import BadInput
from ledger.domain.values.fingerprints import Plain, flatten, key_path, key_steps, leaf_text

YAML = """\
# The grid, as agreed on Monday
mode: "staging"      # staging | production
grid:
  per_grid_amount: 10   # USDT
  levels: [1, 2.5, 3]

v3_features:
  # the master switch
  level_generation_enabled: false
  score_refresh_only: true   # locked

symbols:
  - {name: BTC, on_hold: no}
  - name: ETH
    size: 1_000
"""


def one(name: str, text: str, **overlay: Plain) -> str:
    return set_in(name, text, {key.replace("__", "."): value for key, value in overlay.items()})


def set_in(name: str, text: str, overlay: dict[str, Plain]) -> str:
    ((_, content),) = overlaid([(name, text.encode())], overlay)
    return content.decode()


@pytest.mark.parametrize(
    ("key", "value", "old", "new"),
    [
        ("mode", "production", '"staging" ', '"production" '),
        ("grid.per_grid_amount", 100, "10   #", "100   #"),
        ("grid.per_grid_amount", 1e-05, "10   #", "1.0e-05   #"),
        ("grid.per_grid_amount", "10", "10   #", '"10"   #'),
        ("grid.levels[1]", 4, "2.5", "4"),
        ("v3_features.level_generation_enabled", True, "enabled: false", "enabled: true"),
        ("v3_features.score_refresh_only", None, "true   #", "null   #"),
        ("symbols[0].on_hold", True, "on_hold: no", "on_hold: true"),
        ("symbols[1].size", 5, "1_000", "5"),
    ],
)
def test_a_value_is_replaced_where_it_stands(key: str, value: Plain, old: str, new: str) -> None:
    """Comments, order and layout are the owner's."""
    assert YAML.count(old) == 1
    assert set_in("config.yaml", YAML, {key: value}) == YAML.replace(old, new)


@pytest.mark.parametrize(
    ("key", "value", "after", "line"),
    [
        ("v3_features.kline_sync", True, "only: true   # locked\n", "  kline_sync: true\n"),
        ("grid.max_levels", 5, "levels: [1, 2.5, 3]\n", "  max_levels: 5\n"),
        ("risk.limits.daily", 0.5, "size: 1_000\n", "risk:\n  limits:\n    daily: 0.5\n"),
        ("symbols[1].note", "a: b", "size: 1_000\n", '    note: "a: b"\n'),
        ('grid["a.b"]', 1, "levels: [1, 2.5, 3]\n", '  "a.b": 1\n'),
        ("grid.yes", 1, "levels: [1, 2.5, 3]\n", '  "yes": 1\n'),
    ],
)
def test_a_missing_key_is_written_at_the_end_of_its_mapping(
    key: str, value: Plain, after: str, line: str
) -> None:
    """Behind what belongs to the last key, its comment among it."""
    assert set_in("config.yaml", YAML, {key: value}) == YAML.replace(after, after + line)


def test_a_missing_key_in_braces() -> None:
    assert one("c.yaml", "a: {b: 1} # x\n", a__c=2) == "a: {b: 1, c: 2} # x\n"
    assert one("c.yaml", "a: {}\n", a__c__d=2) == "a: {c: {d: 2}}\n"
    assert (
        one("c.yaml", "symbols: [{a: 1}]\n", **{"symbols[0]__b": 2}) == "symbols: [{a: 1, b: 2}]\n"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a: 1\n"),
        ("# nothing yet", "# nothing yet\na: 1\n"),
        ("b: 2", "b: 2\na: 1"),
        ("b: |\n  many\n  lines\n", "b: |\n  many\n  lines\na: 1\n"),
        ("b:\n- 1\n- 2\n", "b:\n- 1\n- 2\na: 1\n"),
        ("b:\n  c:\n", "b:\n  c:\na: 1\n"),
        ("b: 2\r\nc: 3 # x\r\n", "b: 2\r\nc: 3 # x\r\na: 1\r\n"),
        ("\ufeffb: 2\n", "\ufeffb: 2\na: 1\n"),
    ],
)
def test_the_end_of_a_file(text: str, expected: str) -> None:
    assert one("c.yaml", text, a=1) == expected


def test_json_and_toml() -> None:
    text = '{\n  "size": 1,\n  "risk": {"on": true}\n}\n'
    assert one("c.json", text, size=2) == text.replace("1", "2")
    assert one("c.json", text, risk__on=False) == text.replace("true", "false")
    assert one("c.json", text, risk__max=0.5) == text.replace("true}", 'true, "max": 0.5}')
    assert one("c.json", text, new="é") == text.replace("true}\n", 'true},\n  "new": "é"\n')
    toml = 'size = 1 # one\n[risk]\non = true\nname = "a"\n'
    assert one("c.toml", toml, size=2) == toml.replace("= 1", "= 2")
    assert one("c.toml", toml, risk__on=False) == toml.replace("true", "false")
    assert one("c.toml", toml, risk__name='b"') == toml.replace('"a"', '"b\\""')
    with pytest.raises(BadInput, match=r"has no key risk\.max"):
        one("c.toml", toml, risk__max=1)
    with pytest.raises(BadInput, match="TOML has no such value"):
        one("c.toml", toml, size=None)


def test_of_several_files_the_one_that_counts_is_written() -> None:
    """The last that has the key; else the last that has most of the way to it."""
    files = [("a.yaml", b"x: {y: 1}\nz: 1\n"), ("b.yaml", b"x: {y: 2}\n"), ("c.yaml", b"w: 1\n")]
    assert [content for _, content in overlaid(files, {"x.y": 3, "x.q": 4, "z": 5, "m": 6})] == [
        b"x: {y: 1}\nz: 5\n", b"x: {y: 3, q: 4}\n", b"w: 1\nm: 6\n",
    ]  # fmt: skip


def test_what_is_said_already_is_left_alone() -> None:
    """I16: not a byte changes for the same value in another spelling."""
    text = "a: 0x10\nb: 'x'\n"
    assert one("c.yaml", text, a=16, b="x") == text


@pytest.mark.parametrize(
    ("text", "overlay"),
    [
        ("a: &x 1\nb: *x\n", {"a": 2}),
        ("a: &x {c: 1}\nb: *x\n", {"b.c": 2}),
        ("a: &x {c: 1}\nb:\n  <<: *x\n", {"b.c": 2}),
        ("a: {b: 1}\n", {"a": 2}),
        ("a: [1, 2]\n", {"a": 2}),
        ("a: 1\n", {"a.b": 2}),
        ("a:\n", {"a.b": 2}),
        ("[1, 2]\n", {"a": 2}),
        ("a: [1]\n", {"a[1]": 2}),
        ("? a\n: 1\n", {"b.c": 2, "a.x": 1}),
    ],
)
def test_what_would_change_something_else_is_refused(text: str, overlay: dict[str, Plain]) -> None:
    """Honest: the outcome is exactly the key, or nothing is written."""
    with pytest.raises(BadInput, match=r"^c\.yaml") as refused:
        set_in("c.yaml", text, overlay)
    assert refused.value.hint


def test_a_text_over_several_lines_is_replaced_whole() -> None:
    assert one("c.yaml", "a: |\n  text\n  more\nb: 1\n", a=2) == "a: 2\nb: 1\n"


@pytest.mark.parametrize(
    "path", [["a"], ["a", "b", 2, "c"], ["a.b", "c"], [0, "x"], ["a", 'q"]', 1]]
)
def test_key_paths_lead_back(path: list[str | int]) -> None:
    assert key_steps(key_path(path)) == path


@pytest.mark.parametrize("key", ["", ".a", "a.", "a..b", "a[", "a[x]", "a b", 'a["b]'])
def test_what_is_no_key_path(key: str) -> None:
    with pytest.raises(BadInput, match="no key path"):
        key_steps(key)


def test_the_result_resolves_to_the_overlay() -> None:
    overlay: dict[str, Plain] = {"mode": "production", "grid.max": 5, "v3_features.x.y": False}
    ((name, content),) = overlaid([("config.yaml", YAML.encode())], overlay)
    said = flatten(resolve([(name, parse(decode(name, content)))]))
    assert {key: said[key] for key in overlay} == {k: leaf_text(v) for k, v in overlay.items()}
