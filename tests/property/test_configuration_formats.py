"""Every format: what is put, changed and put back is there to the byte, and no secret is ever stored (I6)."""

from __future__ import annotations

import json
import string
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st
from javaproperties import join_key_value

from ledger.configuration import places
from ledger.configuration.overlay import overlaid
from ledger.configuration.restore import restore
from ledger.configuration.secrets import Findings
from ledger.configuration.snapshot import fingerprint_of_redacted
from ledger.configuration.source import decode
from ledger.domain.errors import BadInput
from ledger.domain.values.fingerprints import Value, canonical, key_path
from tests.support.configurations import KEY, attempt, mappings, read, snapshot

HOME = Path(tempfile.gettempdir()) / "rollout-ledger-tests-have-no-key-here"
ENVIRON = {"ROLLOUT_SECRET_KEY": KEY.material.hex()}

names = st.text(alphabet="abcXYZ_", min_size=1, max_size=6).filter(
    lambda name: name.lower() not in {"c", "secret"}
)
texts = st.text(alphabet="abc é\u4e2d#;:=!'\"\\${}/,[]\n\t.~", max_size=12)
flat = st.dictionaries(names, texts, min_size=1, max_size=4)
secret_texts = st.text(
    alphabet=string.ascii_letters + string.digits + "é'\"\\/#;:@&*!-{}[], .~%=$", max_size=16
).map(lambda text: f"Zq7{text}Xw9")


def as_env(value: dict[str, str], draw: Callable[[Any], Any]) -> str:
    lines: list[str] = []
    for name, text in value.items():
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        ways = [f'"{escaped}"']
        if "'" not in text and "\\" not in text:
            ways.append(f"'{text}'")
        bare = text.strip() == text and "\n" not in text and text[:1] not in {"'", '"', "#", ""}
        if bare and " #" not in text and "\t#" not in text:
            ways.append(text)
        export = draw(st.sampled_from(["", "export "]))
        comment = draw(st.sampled_from(["", " # note"]))
        lines.append(f"{export}{name}={draw(st.sampled_from(ways))}{comment}")
    return "\n".join(lines)


def as_properties(value: dict[str, str], draw: Callable[[Any], Any]) -> str:
    lines: list[str] = []
    for name, text in value.items():
        separator = draw(st.sampled_from(["=", " = ", ":", " "]))
        # A text that begins like a separator would be taken for one.
        separator = "=" if text[:1] in {"=", ":"} else separator
        line = join_key_value(name, text, separator, ensure_ascii=draw(st.booleans()))
        begun = len(name) + len(separator)
        continued = line[:begun] + line[begun:].replace("b", "\\\n  b", 1)
        lines.append(draw(st.sampled_from([line, continued])))
    return "\n".join(lines)


def as_ini(value: dict[str, str], draw: Callable[[Any], Any]) -> str:
    mark = draw(st.sampled_from(["=", ": "]))
    indent = "\n" + draw(st.sampled_from(["  ", "\t"]))
    lines = (name + mark + text.replace("\n", indent) for name, text in value.items())
    return "; note\n[s]\n" + "\n".join(lines)


def as_lax_json(value: dict[str, Value], draw: Callable[[Any], Any]) -> str:
    text = json.dumps(
        value, indent=draw(st.sampled_from([None, 2])), ensure_ascii=draw(st.booleans())
    )
    if text.endswith("\n}"):
        text = text.removesuffix("\n}") + ", // last\n}"
    return draw(st.sampled_from(["", "// top\n", "/* top\n*/ "])) + text + " // end"


def as_hjson(value: dict[str, Value], draw: Callable[[Any], Any]) -> str:
    lines = ["# top"]
    for name, item in value.items():
        text = json.dumps(item, ensure_ascii=draw(st.booleans()))
        if isinstance(item, str) and item and item.strip() == item and draw(st.booleans()):
            plain = item[0] in string.ascii_letters and "\n" not in item and "\r" not in item
            text = item if plain and not item.startswith(("t", "f", "n")) else text
        lines.append(f"{json.dumps(name)}: {text}")
    return "\n".join(lines)


WRITERS: dict[str, Callable[[Any, Callable[[Any], Any]], str]] = {
    ".env": as_env,
    "a.properties": as_properties,
    "a.ini": as_ini,
    "a.json": as_lax_json,
    "a.json5": as_lax_json,
    "a.hjson": as_hjson,
}


def meant(name: str, value: Any) -> Value:
    return {"s": value} if name == "a.ini" else value


@pytest.mark.parametrize("name", WRITERS)
@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_what_was_put_and_changed_is_put_back_to_the_byte(name: str, data: st.DataObject) -> None:
    """I6: no secret in what is stored, one fingerprint from it, and the very bytes from the changed file."""
    secret = data.draw(secret_texts)
    texts_only = name in {".env", "a.properties", "a.ini"}
    value: dict[str, Any] = {**data.draw(flat if texts_only else mappings), "api_secret": secret}
    _ = value.pop("c", None)
    if name == "a.ini":
        value = {key: _one_line(text) for key, text in value.items()}
        assume(len({key.lower() for key in value}) == len(value))
        secret = value["api_secret"]
    text = WRITERS[name](value, data.draw)
    text = (
        data.draw(st.sampled_from(["", "\ufeff"])) + text + data.draw(st.sampled_from(["", "\n"]))
    )
    assert read(name, text) == meant(name, value)

    taken, refusal = attempt(lambda: snapshot((name, text)))
    if taken is None:  # refusing is allowed for what can't be cut out; telling is not
        assert secret not in refusal
        assert "cut out" in refusal
        return
    (file,) = taken.files
    assert file.secrets
    for stored in (file.redacted.decode(), taken.canonical.decode()):
        assert secret not in stored
        assert json.dumps(secret)[1:-1] not in stored
    assert fingerprint_of_redacted([(name, file.redacted)]) == taken.fingerprint

    key = key_path(["s", "c"] if name == "a.ini" else ["c"])
    ((_, changed),) = overlaid([(name, text.encode())], {key: "new"})
    assert read(name, changed.decode()) == meant(name, {**value, "c": "new"})
    back = restore(
        name,
        file.redacted,
        content_digest=file.content_digest,
        in_place=[(name, changed)],
        home=HOME,
        environ=ENVIRON,
    )
    assert back == text.encode()


def _one_line(text: str) -> str:
    """What an INI file can say: no text of several lines that are empty or look like something else."""
    return " ".join(text.split()).lstrip("#;[ ")


pieces = [
    *"ab1:=- \n#;!'\"\\{}[],/$",
    "\n  ",
    "\r\n",
    "// x\n",
    "/* x */",
    "'''",
    "[s]\n",
    "a: 1\n",
    "export A=b\n",
    "\\u00e9",
    "true",
    "1e9",
    "\t",
    "é",
]
anything = st.lists(st.sampled_from(pieces), max_size=25).map("".join)


def paths_of(value: Value, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    if isinstance(value, dict):
        return {leaf for key, item in value.items() for leaf in paths_of(item, (*path, key))}
    if isinstance(value, list):
        return {leaf for i, item in enumerate(value) for leaf in paths_of(item, (*path, i))}
    return {path}


@pytest.mark.parametrize("name", [*WRITERS, "a.jsonc"])
@given(text=anything)
@settings(max_examples=250)
def test_any_text_is_a_value_with_its_places_or_a_sentence(name: str, text: str) -> None:
    """Never a traceback; and each leaf of what was read stands somewhere, outside of all comments."""
    value, refusal = attempt(lambda: read(name, text))
    assert "\n" not in refusal
    if refusal:
        return
    assert canonical(value)
    if name in {"a.json", "a.jsonc"}:
        return
    found = places.outline(decode(name, text.encode()))
    assert set(found.leaves) == paths_of(value) - ({()} if value == {} else set())
    for start, end in found.comments:
        assert all(b <= start or end <= a or a == b for a, b in found.leaves.values())


SECRET = "Zq7hunter2Xw9"


@pytest.mark.parametrize("name", [*WRITERS, "a.jsonc"])
@given(
    text=st.lists(
        st.sampled_from([*pieces, SECRET, f"password: {SECRET}\n", f"password={SECRET}\n",
                         f"# {SECRET}\n", f"// api_key={SECRET}\n", f'"password": "{SECRET}"', "{", "}"]),
        min_size=2, max_size=20,
    ).map("".join)
)  # fmt: skip
@settings(max_examples=200)
def test_no_odd_text_keeps_a_secret_that_it_names(name: str, text: str) -> None:
    """I6: in comments, in quotes and without, wherever they stand."""
    try:
        taken = snapshot((name, text))
    except BadInput:
        return
    (file,) = taken.files
    for secret in Findings(name, read(name, text)).secrets():
        for spelled in {secret, secret.strip("\"'")}:
            assert len(spelled) < 10 or spelled.encode() not in file.redacted
    back = restore(
        name,
        file.redacted,
        content_digest=file.content_digest,
        in_place=[(name, text.encode())],
        home=HOME,
        environ=ENVIRON,
    )
    assert back == text.encode()
