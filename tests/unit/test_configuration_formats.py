"""Configurations as their programs read them: `.env`, INI, properties, JSON with comments, JSON5, HJSON."""

from __future__ import annotations

import pytest

from ledger.configuration.overlay import overlaid, text_keys
from ledger.configuration.snapshot import snapshot_under
from ledger.configuration.source import known_format
from ledger.domain.errors import BadInput
from ledger.domain.plans.configuration import says
from ledger.domain.values.fingerprints import Plain, Value, key_path
from tests.support.configurations import KEY, attempt, read, snapshot

FREQTRADE = """\
{
    // trade small until the end of the month
    "max_open_trades": 3,
    "url": "https://x/*y*/", /* was
    50 */
    "exchange": {"pair_whitelist": ["BTC/USDT", "ETH/USDT",],},
}
"""
JSON5 = (
    "// top\n{a: 1, 'b': 'it\\'s', c: [0x10, .5, +2,], d: {e: null,}, /* x */ \"f\\u0041\": true}\n"
)
HJSON = """\
# top
a: 1
b: no quotes # and no comment
c: [1
    two
]
m: '''
   many
   lines
   '''
d: {e: null, f: true} // behind
"""
ENV = """\
# top
export A=1
B='two words' # note
C=
D= # nothing yet
E
F="x
y"
G=${A}/z
H=a#b
"""
PROPERTIES = (
    "# top\n! too\na.b = 1\nname two words\nlong=x\\\n   y\npath=c:\\\\x\nu=\\u00e9\nempty\n"
)
INI = """\
; top
[main]
Size = 10 ; five
b: 2
long = x
  y
# between
empty =
alone
[DEFAULT]
b = 0
"""


@pytest.mark.parametrize(
    ("name", "text", "meant"),
    [
        (
            "c.json",
            FREQTRADE,
            {
                "max_open_trades": 3,
                "url": "https://x/*y*/",
                "exchange": {"pair_whitelist": ["BTC/USDT", "ETH/USDT"]},
            },
        ),
        ("c.jsonc", '{"a": 1, // x\n}', {"a": 1}),
        ("c.json5", JSON5, {"a": 1, "b": "it's", "c": [16, 0.5, 2], "d": {"e": None}, "fA": True}),
        (
            "c.hjson",
            HJSON,
            {
                "a": 1,
                "b": "no quotes # and no comment",
                "c": [1, "two"],
                "m": "many\nlines",
                "d": {"e": None, "f": True},
            },
        ),
        (
            ".env",
            ENV,
            {"A": "1", "B": "two words", "C": "", "D": "", "E": None, "F": "x\ny", "G": "${A}/z",
             "H": "a#b"},
        ),
        (
            "c.properties",
            PROPERTIES,
            {"a.b": "1", "name": "two words", "long": "xy", "path": "c:\\x", "u": "é", "empty": ""},
        ),
        (
            "c.ini",
            INI,
            {
                "main": {"Size": "10 ; five", "b": "2", "long": "x\ny", "empty": "", "alone": None},
                "DEFAULT": {"b": "0"},
            },
        ),
    ],
)  # fmt: skip
def test_a_file_means_what_its_program_reads(name: str, text: str, meant: Value) -> None:
    """Also with a byte order mark and Windows' line ends (which stay in a text in quotes)."""
    assert read(name, text) == meant
    assert read(name, "\ufeff" + text) == meant
    if name == ".env" and isinstance(meant, dict):
        meant = {**meant, "F": "x\r\ny"}
    assert read(name, text.replace("\n", "\r\n")) == meant


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("c.json", '{"a": 1, "b": 2}', '// x\n{"b": 2, /* y */ "a": 1.0,}'),
        ("c.json5", "{a: 1, b: 2}", "{/*x*/ 'b': 0x2, \"a\": 1,}"),
        ("c.hjson", "{a: 1, b: 2}", "# x\nb: 2\na: 1\n"),
        (".env", "A=1\nB=2", "# x\nexport B='2' # y\nA=\"1\"\n"),
        ("c.properties", "a=1\nb=2", "! x\nb : 2\na 1"),
        ("c.ini", "[s]\na=1\n[t]\nb=2", "; x\n[t]\nb: 2\n[s]\n# y\na = 1\n"),
    ],
)
def test_comments_order_and_spelling_do_not_count(name: str, one: str, other: str) -> None:
    """Any changed value does."""
    one = one if name != "c.hjson" else "{a: 1, b: 2\n}"
    assert snapshot((name, one)).fingerprint == snapshot((name, other)).fingerprint
    assert snapshot((name, one)).fingerprint != snapshot((name, one.replace("2", "3"))).fingerprint


def test_names_tell_the_format() -> None:
    """A file whose own name says nothing is given one that does."""
    known = {
        ".env": "env", ".env.live": "env", "live.env": "env", ".ENV": "env", "a.cfg": "ini",
        ".env.json": "json", "a.jsonc": "json", "bot.conf": None, "env": None, "a.environment": None,
    }  # fmt: skip
    assert {name: known_format(name) for name in known} == known
    _, refusal = attempt(lambda: read("bot.conf", "a=1"))
    assert "bot.conf has no suffix" in refusal
    assert "--config-file bot.ini=bot.conf" in refusal


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("c.json", '{"a": 1 // x\n "b": 2}', "c.json line 2 column 2 is not JSON"),
        ("c.json", "{'a': 1}", "NAME.hjson=PATH"),
        ("c.json", "[1,,]", "is not JSON"),
        ("c.json", '{"a": 1, // x\n"a": 2,}', "line 2 column 1: the key a is set twice, first on line 1"),
        ("c.json5", "{a: 1,\n a: 2}", "line 2 column 2: the key a is set twice, first on line 1"),
        ("c.json5", "{a: 1,\n b}", "c.json5 line 2 column 3 is not JSON5: Expected"),
        ("c.json5", "", "c.json5 is empty"),
        ("c.json5", "{a: Infinity}", "key a: the number is not finite"),
        ("c.json5", "[" * 101 + "]" * 101, "more than 100 levels"),
        ("c.hjson", "a: 1\nb: {\n  c: 1\n c: 2}", "line 4 column 2: the key b.c is set twice, first"),
        ("c.hjson", "{a: 1", "is not HJSON"),
        ("c.hjson", "a: 1\nb: x\nc: [1\n two]\n", "c.hjson line 5 column 1 is not HJSON"),
        ("c.hjson", "a: '''x", "is not HJSON"),
        ("c.hjson", "a: 1e999", "is not HJSON: a number has no end in sight"),
        ("c.hjson", "[" * 3000, "nests more than 100 levels deep"),
        (".env", "A=1\nB=2\nA=3", ".env line 3 column 1: the key A is set twice, first on line 1"),
        (".env", "A=1\nB='x", ".env line 2 column 1 is not of a .env file"),
        ("c.properties", "a=1\na:2", "c.properties line 2 column 1: the key a is set twice"),
        ("c.properties", "a=1\nb=\\uzzzz", "c.properties line 2 column 1: \\u is not followed by"),
        ("c.ini", "a=1", "c.ini line 1: a key stands before the first [section]"),
        ("c.ini", "[s]\na=1\na=2", "c.ini line 3: the key s.a is set twice"),
        ("c.ini", "[s]\na=1\nA=2", "the key s.A is set twice, as a and as A"),
        ("c.ini", "[s]\n[t]\n[s]", "c.ini line 3: the section [s] begins twice"),
        ("c.ini", "[s]\nalone\n  goes on", "c.ini"),
    ],
)  # fmt: skip
def test_what_is_unclear_is_refused_with_its_place(name: str, text: str, told: str) -> None:
    """In one sentence, and never with the reader's own traceback."""
    value, refusal = attempt(lambda: read(name, text))
    assert value is None
    assert told in refusal
    assert "\n" not in refusal


LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4cac\nsize 84977953\n"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("c.yaml", LFS, "c.yaml is a Git LFS pointer: what it points to is not here"),
        ("c.yaml", "just a sentence", "c.yaml is one single value"),
        ("c.json", "3", "c.json is one single value"),
        ("c.hjson", "a text", "c.hjson is one single value"),
    ],
)
def test_a_file_without_keys_is_refused_as_what_it_is(name: str, text: str, told: str) -> None:
    """All keys removed, in force, and a way back to it: that is not what a pointer means."""
    with pytest.raises(BadInput, match=told):
        snapshot_under([(name, text.encode())], lambda: KEY, new=True)
    assert snapshot((name, text)).files  # what was kept by an earlier release is still read


def set_in(name: str, text: str, overlay: dict[str, Plain]) -> str:
    ((_, content),) = overlaid([(name, text.encode())], overlay)
    return content.decode()


@pytest.mark.parametrize(
    ("name", "text", "key", "value", "old", "new"),
    [
        ("c.json", FREQTRADE, "max_open_trades", 5, "3,", "5,"),
        ("c.json", FREQTRADE, "dry_run", True, "],},\n", "],},\n    \"dry_run\": true,\n"),
        ("c.json", '{\n "a": 1 // one\n}\n', "b", 2, "1 // one\n", '1, // one\n "b": 2\n'),
        ("c.json", '{"a": 1,}', "b", 2, "1,", '1, "b": 2,'),
        ("c.json5", JSON5, "c[0]", 17, "0x10", "17"),
        ("c.json5", JSON5, "d.g", "x", "null,", 'null, g: "x",'),
        ("c.json5", "{}", "a-b", 1, "{}", '{"a-b": 1}'),
        ("c.hjson", HJSON, "b", "x", "no quotes # and no comment", '"x"'),
        ("c.hjson", HJSON, "new", 1, "behind\n", "behind\nnew: 1\n"),
        ("c.hjson", "{a: 1}", "b", 2, "{a: 1}", "{a: 1\nb: 2}"),
        (".env", ENV, "A", 2, "A=1", "A=2"),
        (".env", ENV, "B", "three", "'two words'", "'three'"),
        (".env", ENV, "B", "it's", "'two words'", '"it\'s"'),
        (".env", ENV, "D", 1, "D= #", "D=1 #"),
        (".env", ENV, "E", True, "E\n", "E=true\n"),
        (".env", ENV, "NEW", "a b", "H=a#b\n", "H=a#b\nNEW='a b'\n"),
        (".env", "A=1", "B", 2, "A=1", "A=1\nB=2"),
        ("c.properties", PROPERTIES, '["a.b"]', 2, "a.b = 1", "a.b = 2"),
        ("c.properties", PROPERTIES, "long", "é ", "x\\\n   y", "\\u00e9 "),
        ("c.properties", PROPERTIES, "new", " x", "empty\n", "empty\nnew=\\ x\n"),
        ("c.ini", INI, "main.b", 3, "b: 2", "b: 3"),
        ("c.ini", INI, "main.long", "z", "x\n  y", "z"),
        ("c.ini", INI, "main.alone", 1, "alone", "alone=1"),
        ("c.ini", INI, "main.new", 1, "alone\n", "alone\nnew = 1\n"),
        ("c.ini", INI, "risk.max", 1, "b = 0\n", "b = 0\n[risk]\nmax = 1\n"),
        # more/05: a key that stands there without a value
        ("c.yaml", "a: 1\nnul:\nb: 2\n", "nul", 5, "nul:", "nul: 5"),
        ("c.yaml", "a: 1\nnul:   # later\n", "nul", "x", "nul:", 'nul: "x"'),
        ("c.yaml", "a:\n  nul:", "a.nul", True, "nul:", "nul: true"),
        ("c.yaml", "a:\n-\n- 1\n", "a[0]", 2, "-\n-", "- 2\n-"),
    ],
)  # fmt: skip
def test_an_overlay_changes_what_it_names_and_not_a_byte_besides(
    name: str, text: str, key: str, value: Plain, old: str, new: str
) -> None:
    """Comments, quotes, order and layout are the owner's; a text stays one where there is nothing else."""
    assert text.count(old) == 1
    assert set_in(name, text, {key: value}) == text.replace(old, new)


@pytest.mark.parametrize(
    ("name", "text", "key", "value", "told"),
    [
        (".env", ENV, "A", None, r"\.env: A can't be null: all values are texts there"),
        (".env", ENV, "a.b", 1, r"\.env has no key a\.b, .* its keys have no parts: write \[\"a\.b\"\]"),
        ("c.properties", PROPERTIES, "a.b", 1, r"c\.properties has no key a\.b, .* no parts"),
        ("c.ini", INI, "a", 1, r"c\.ini has no key a, .* a section and a name in it"),
        ("c.ini", INI, "main.x.y", 1, r"c\.ini has no key main\.x\.y"),
        ("c.ini", INI, "main.b", "x\n\n[t]\n", r"c\.ini: main\.b can't be set there"),
        ("c.json5", JSON5, "c", 1, r"c\.json5: c can't be set there"),
        ("c.json5", JSON5, "c[5]", 1, r"c\.json5 has no key c\[5\]"),
        ("c.toml", "a = 1\n", "b", 1, r"c\.toml has no key b"),
    ],
)  # fmt: skip
def test_what_an_overlay_can_not_say_is_refused_with_file_and_key(
    name: str, text: str, key: str, value: Plain, told: str
) -> None:
    """Exit code 2, and nothing is written."""
    with pytest.raises(BadInput, match=told) as refused:
        set_in(name, text, {key: value})
    assert refused.value.exit_code == 2
    assert refused.value.hint


def test_a_number_is_said_by_a_text_where_there_is_nothing_else() -> None:
    """SIZE=5 says 5; in YAML "5" is another value, and "false" is true to a program."""
    files = [("a.yaml", b"SIZE: 5\nB: '5'\nC: '6'\n"), (".env", b"SIZE=5\n"), ("z.yaml", b"C: 1")]
    texts = text_keys(files)
    assert texts == {"SIZE"}
    assert says('"5"', 5, is_text=True)
    assert says('"false"', False, is_text=True)
    assert not says('"5"', 5, is_text=False)
    assert not says('"6"', 5, is_text=True)
    assert not says('"null"', None, is_text=True)
    assert text_keys([("c.ini", INI.encode())]) >= {"main.Size", key_path(["DEFAULT", "b"])}
