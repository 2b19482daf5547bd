"""The documented answers for what a configuration file may hold: one value, or one clear sentence."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ledger.configuration import loader
from ledger.configuration.source import BYTES_MAX, decode, read_bytes
from ledger.domain.errors import BadInput
from ledger.domain.values.fingerprints import Value, canonical


def read(name: str, text: str | bytes) -> Value:
    return loader.parse(decode(name, text.encode() if isinstance(text, str) else text))


def resolved(*files: tuple[str, str]) -> Value:
    return loader.resolve((name, read(name, text)) for name, text in files)


VALUES: list[tuple[str, str, Value]] = [
    ("aliases", "a: &x [1, 2]\nb: *x", {"a": [1, 2], "b": [1, 2]}),
    (
        "merges",
        "d: &d {a: 1, b: 2}\nx: {<<: *d, a: 9}",
        {"d": {"a": 1, "b": 2}, "x": {"a": 9, "b": 2}},
    ),
    ("the first of two merges wins", "x: {<<: [{a: 1}, {a: 2, b: 3}]}", {"x": {"a": 1, "b": 3}}),
    ("a quoted << is a key", "'<<': 5", {"<<": 5}),
    ("an alias as a key", "? &k foo\n: 1\nb: {*k : 3}", {"foo": 1, "b": {"foo": 3}}),
    ("a date", "a: 2026-02-01", {"a": {"$date": "2026-02-01"}}),
    ("a text that looks like a date", "a: '2026-02-01'", {"a": "2026-02-01"}),
    (
        "a time stamp",
        "a: 2026-02-01 10:00:00.5Z",
        {"a": {"$datetime": "2026-02-01T10:00:00.500000+00:00"}},
    ),
    ("bytes", "a: !!binary aGVsbG8=", {"a": {"$bytes": "aGVsbG8="}}),
    (
        "keys of other types",
        "1: a\ntrue: b\n~: c\n1.5: d\n2026-01-01: e",
        {"1": "a", "true": "b", "null": "c", "1.5": "d", "2026-01-01": "e"},
    ),
    ("1.1 booleans", "a: yes\nb: off\nno: x", {"a": True, "b": False, "false": "x"}),
    (
        "1.1 numbers",
        "a: 017\nb: 0o17\nc: 1_000\nd: 1:30\ne: 1e3\nf: 1.5e+3\ng: 0x1F",
        {"a": 15, "b": "0o17", "c": 1000, "d": 90, "e": "1e3", "f": 1500.0, "g": 31},
    ),
    ("a large integer", "a: 1000000000000000001", {"a": 10**18 + 1}),
    ("nothing", "", {}),
    ("only comments", "# nothing\n", {}),
    ("only a document mark", "---\n", {}),
    ("null", "~", None),
    ("a list", "[1, a]", [1, "a"]),
    ("core tags", "a: !!str 5\nb: !!int '7'\nc: !!float 2", {"a": "5", "b": 7, "c": 2.0}),
]


@pytest.mark.parametrize(("text", "value"), [v[1:] for v in VALUES], ids=[v[0] for v in VALUES])
def test_yaml_is_read_as_pyyaml_reads_it(text: str, value: Value) -> None:
    """The bots read theirs with PyYAML, and its surprises are theirs too."""
    assert read("a.yaml", text) == value


@pytest.mark.parametrize("name", ["a.yaml", "a.yml", "A.YML"])
def test_both_suffixes_of_yaml_are_read(name: str) -> None:
    assert read(name, "a: 1") == {"a": 1}


def test_toml_times_are_tagged_and_an_empty_file_is_empty() -> None:
    assert read("a.toml", "a = 1979-05-27T07:32:00Z\nb = 07:32:00\nc = 1979-05-27\nd = 1e3") == {
        "a": {"$datetime": "1979-05-27T07:32:00+00:00"},
        "b": {"$time": "07:32:00"},
        "c": {"$date": "1979-05-27"},
        "d": 1000.0,
    }
    assert read("a.toml", "") == {}


def test_a_byte_order_mark_and_windows_line_ends_change_nothing() -> None:
    for name, text in [("a.json", '{"a":\r\n1}'), ("a.yaml", "a: 1\r\n"), ("a.toml", "a = 1\r\n")]:
        assert read(name, b"\xef\xbb\xbf" + text.encode()) == {"a": 1}


# (file name, text, what the message must say)
REFUSED: list[tuple[str, str | bytes, str]] = [
    (
        "a.yaml",
        "grid:\n  a: 1\n  b: 2\n  a: 3",
        "a.yaml line 4 column 3: the key grid.a is set twice, first on line 2",
    ),
    (
        "a.json",
        '{"a": 1,\n"b": {"c": 1,\n"c": 2}}',
        "a.json line 3 column 1: the key c is set twice, first on line 2",
    ),
    (
        "a.toml",
        "a = 1\nb = 2\na = 3\n",
        "a.toml line 3 column 6: a key is set twice, first on line 1",
    ),
    (
        "a.toml",
        "[x]\na = 1\n[y]\na = 1\n[x]\n",
        "a.toml line 5 column 3: a key is set twice, first on line 1",
    ),
    ("a.yaml", "1: a\n'1': b", "the key 1 is set twice, first on line 1"),
    (
        "a.yaml",
        "a: !!python/object/apply:os.system [ls]",
        "line 1 column 4, key a: the tag !!python/object/apply:os.system is not read",
    ),
    ("a.yaml", "a: !vault x", "the tag !vault is not read"),
    ("a.yaml", "a: !!set {x, y}", "the tag !!set is not read"),
    ("a.yaml", "a: 1\n---\nb: 2", "a.yaml line 2 column 1: a second YAML document begins"),
    ("a.yaml", "x:\n - .inf", "a.yaml line 2 column 4, key x[0]: the number is not finite"),
    ("a.yaml", "a: .nan", "not finite"),
    (
        "a.json",
        '{"s": "NaN", "a": [NaN]}',
        "a.json line 1 column 20, key a[0]: the number is not finite",
    ),
    ("a.json", '{"a": 1e999}', "a.json line 1 column 7, key a: the number is not finite"),
    ("a.toml", "b = 'inf'\na = inf", "a.toml line 2 column 5, key a: the number is not finite"),
    (
        "a.json",
        '{"a": ' + "9" * 400 + "}",
        "a.json line 1 column 7, key a: the integer has more than 1024 bits",
    ),
    (
        "a.json",
        '{"a": ' + "9" * 9000 + "}",
        "a.json line 1 column 7: an integer has more than 1024 bits",
    ),
    ("a.toml", "a = " + "9" * 9000, "a.toml line 1 column 5: an integer has more than 1024 bits"),
    ("a.yaml", "a: 0x" + "f" * 400, "more than 1024 bits"),
    ("a.yaml", "a: " + "9" * 9000, "a.yaml line 1 column 4, key a"),
    ("a.yaml", "a: 2026-13-45", "looks like a YAML timestamp"),
    ("a.yaml", "? [1]\n: x", "a list or a mapping is used as a key"),
    ("a.yaml", "a: *x", "an alias has no anchor above it"),
    ("a.yaml", "a: &x [*x]", "an alias points to what it stands in"),
    ("a.yaml", "a: &x 1\nb: &x 2", "a.yaml line 2 column 4, key b: the anchor &x is defined twice"),
    ("a.yaml", "<<: 5", "not a mapping"),
    ("a.yaml", "a: &d {x: 1}\nb: {<<: *d, <<: *d}", "two merge keys"),
    ("a.yaml", "a: [1, 2", "a.yaml line 2 column 1 is not YAML"),
    ("a.yaml", "a: \x01", "U+0001"),
    ("a.yaml", 'a: "\\ud800"', "not YAML"),
    ("a.json", '{"a": {"b": "\\ud800"}}', "key a.b: the text is not Unicode"),
    ("a.json", '{"a\\ud800": 1}', "not Unicode"),
    ("a.yaml", "a: {$date: x}", "only key is $date"),
    ("a.json", '{"a": {"$integer": "1"}}', "key a: a mapping's only key is $integer"),
    ("a.json", "", "a.json is empty, which is not JSON"),
    ("a.json", "[1, 2", "a.json line 1 column 6 is not JSON"),
    ("a.json", "{'a': 1}", "not JSON"),
    ("a.toml", "a = \n", "a.toml line 1 column 5 is not TOML"),
    ("a.txt", "a: 1", "a.txt has no suffix that names a configuration format"),
    ("config", "a: 1", "config has no suffix"),
    ("a.yaml", "ä: 1".encode("utf-16"), "a.yaml is UTF-16, not UTF-8"),
    ("a.json", b"{}\n\xff", "a.json line 2 is not UTF-8 (byte 3 of the file, 0xff)"),
    ("a.toml", b"a = 1\nb = '\0'", "a.toml line 2 holds a NUL byte (byte 11 of the file)"),
]


@pytest.mark.parametrize(
    ("name", "text", "message"), REFUSED, ids=[f"{r[0]}: {r[2][-30:]}" for r in REFUSED]
)
def test_what_is_unclear_is_refused_in_one_clear_line(
    name: str, text: str | bytes, message: str
) -> None:
    with pytest.raises(BadInput) as caught:
        read(name, text)
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    "text", ["a: !!int hunter2", "a: !!bool hunter2", "a: !!timestamp hunter2"]
)
def test_a_value_that_can_not_be_read_is_not_repeated(text: str) -> None:
    """I6: it may be a secret."""
    with pytest.raises(BadInput) as caught:
        read("a.yaml", text)
    assert "hunter2" not in caught.value.message + str(caught.value.hint)


def hostile() -> dict[str, tuple[str, str]]:
    nine = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    nine += [
        f"{b}: &{b} [{','.join(['*' + a] * 9)}]"
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    deep = [f"a{i}: &a{i} {'[' * 90}{f'*a{i - 1}' if i else 1}{']' * 90}" for i in range(200)]
    merges = ["a: &a {x: 1}"] + [
        f"m{i}: &m{i} {{<<: [{','.join(['*a'] * 5000)}]}}" for i in range(60)
    ]
    return {
        "alias bomb": ("a.yaml", "\n".join(nine)),
        "deep by aliases": ("a.yaml", "\n".join(deep)),
        "merge bomb": ("a.yaml", "\n".join(merges)),
        "long text, aliased": ("a.yaml", f"a: &a {'x' * 4_000_000}\nb: [{'*a,' * 100}]"),
        "flow lists": ("a.yaml", "[" * 1_000_000),
        "flow mappings": ("a.yaml", "{a: " * 300_000),
        "block lists": ("a.yaml", "- " * 1_000_000),
        "nested keys": ("a.yaml", "? " * 1_000_000),
        "tag lines": ("a.yaml", "".join(f"%TAG !a{i}! !a\n" for i in range(200_000))),
        "open quote": ("a.yaml", '"' + "\\x41" * 500_000),
        "JSON lists": ("a.json", "[" * 1_000_000),
        "JSON mappings": ("a.json", '{"a":' * 500_000),
        "TOML lists": ("a.toml", "a = " + "[" * 100_000),
        "TOML key": ("a.toml", "a." * 2_000_000 + "b = 1"),
        "TOML quoted key": ("a.toml", '"a".' * 1_000_000 + "b = 1"),
        "TOML table": ("a.toml", "[" + "a." * 1_000_000 + "b]"),
    }


@pytest.mark.parametrize("case", hostile())
def test_a_hostile_file_is_refused_soon(case: str) -> None:
    """Bounded depth, bounded aliases, no recursion: a sentence instead of a dead process."""
    name, text = hostile()[case]
    started = time.process_time()
    with pytest.raises(BadInput):
        read(name, text)
    assert time.process_time() - started < 4


def test_later_files_are_laid_over_earlier_ones() -> None:
    """Mappings merge key by key; anything else replaces, null too."""
    assert resolved(
        ("base.yaml", "grid: {levels: [1, 2], size: 5}\nmode: live\nlimit: {max: 1}"),
        ("over.toml", "mode = 'shadow'\n[grid]\nlevels = [3]"),
        ("last.json", '{"limit": null, "new": {"a": 1}}'),
    ) == {
        "grid": {"levels": [3], "size": 5},
        "mode": "shadow",
        "limit": None,
        "new": {"a": 1},
    }
    assert resolved(("a.yaml", ""), ("b.yaml", "a: 1")) == {"a": 1}


def test_only_a_single_file_may_hold_something_else_than_a_mapping() -> None:
    with pytest.raises(BadInput, match=r"b\.yaml holds no mapping"):
        resolved(("a.yaml", "a: 1"), ("b.yaml", "[1]"))


def test_a_file_that_can_not_be_read_is_told_with_the_systems_reason(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").mkdir()
    os.mkfifo(tmp_path / "p.yaml")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    with (tmp_path / "big.yaml").open("wb") as file:
        file.truncate(BYTES_MAX + 1)
    for name, reason in [
        ("gone.yaml", "does not exist"),
        ("d.yaml", "no regular file"),
        ("p.yaml", "no regular file"),
        ("loop.yaml", "can't be read"),
        ("big.yaml", "larger than"),
        ("x\0.yaml", "NUL"),
    ]:
        with pytest.raises(BadInput, match=reason):
            read_bytes(tmp_path / name)


def test_five_megabytes_are_read() -> None:
    """5 MB are an ordinary file, if a large one."""
    text = "\n".join(
        f"market-{i}:\n  price: {i}.5\n  note: the spread is fine" for i in range(100_000)
    )
    assert len(text) > 5_000_000
    value = read("a.yaml", text)
    assert isinstance(value, dict)
    assert len(value) == 100_000
    assert value["market-99999"] == {"price": 99999.5, "note": "the spread is fine"}
    assert len(canonical(value)) > 5_000_000
