"""Whatever a configuration holds, none of its secrets is kept, and every byte comes back (promise I6)."""

from __future__ import annotations

import json
import re
import string
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings, strategies as st

from ledger.configuration.restore import restore
from ledger.configuration.secrets import Findings
from ledger.configuration.snapshot import fingerprint_of_redacted, snapshot_of_files
from ledger.domain.values.fingerprints import Value, diff, flatten
from tests.support.configurations import KEY, as_toml, attempt, leaves, read, snapshot

HOME = Path(tempfile.gettempdir()) / "rollout-ledger-tests-have-no-key-here"
ENVIRON = {"ROLLOUT_SECRET_KEY": KEY.material.hex()}

# Long enough to be told from what else is in the file.
secret_texts = st.text(
    alphabet=string.ascii_letters + string.digits + "é\u4e2d\U0001f600'\"\\/#:@&*!-{}[], \n.~%=",
    min_size=1,
    max_size=24,
).map(lambda text: f"Zq7{text}Xw9")
names = st.sampled_from(
    ["password", "apiKey", "BOT_SECRET", "private_key", "mnemonic", "wallet.passphrase"]
)


@st.composite
def secret_files(draw: st.DrawFn) -> tuple[str, str, str]:
    """(name, text, secret): a file that holds a secret, in one of many spellings."""
    secret, name = draw(secret_texts), draw(names)
    before = draw(
        st.dictionaries(st.text(alphabet="klm", min_size=1, max_size=3), leaves, max_size=3)
    )
    after = draw(
        st.dictionaries(st.text(alphabet="nop", min_size=1, max_size=3), leaves, max_size=3)
    )
    value: dict[str, Value] = {
        **before,
        "q": {name: secret, "list": [1, {name: [secret]}]},
        **after,
    }
    ends = draw(st.sampled_from(["\n", "\r\n"]))
    bom = draw(st.sampled_from(["", "\ufeff"]))
    form = draw(st.sampled_from(["json", "yaml", "toml", "block"]))
    if form == "json":
        text = json.dumps(
            value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 2]))
        )
        return "a.json", bom + text.replace("\n", ends), secret
    if form == "yaml":
        quote = draw(st.sampled_from([None, "'", '"']))
        style: dict[str, Any] = {
            "width": draw(st.integers(20, 99)),
            "default_style": quote,
            "allow_unicode": draw(st.booleans()),
        }
        text = "# top\n" + yaml.safe_dump(
            value, default_flow_style=draw(st.sampled_from([True, False, None])), **style
        )
        return "a.yaml", bom + text.replace("\n", ends), secret
    if form == "block":
        indicator = draw(st.sampled_from(["|", "|-", "|+", ">", ">-"]))
        lines = re.sub(r"[^\S ]+", "\n    ", secret)
        text = f"q: # first\n  {name}: {indicator} # second\n    {lines}\n\n# third\nz: 1\n"
        return "a.yaml", text.replace("\n", ends), secret.partition("\n")[0]
    lines = [
        f"{json.dumps(k)} = {as_toml(v)} # c"
        for k, v in value.items()
        if "null" not in flatten(v).values()
    ]
    return "a.toml", bom + ends.join(lines), secret


@given(secret_files())
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_no_secret_is_kept_and_every_byte_comes_back(case: tuple[str, str, str]) -> None:
    """I6: whatever the format, the quotes, the escapes, the line ends."""
    name, text, secret = case
    taken, refusal = attempt(lambda: snapshot((name, text)))
    if taken is None:
        # Refusing is allowed for what can't be cut out; telling is not.
        assert secret not in refusal
        assert "cut out" in refusal
        return
    (file,) = taken.files
    assert file.secrets
    for stored in (file.redacted.decode(), taken.canonical.decode(), repr(taken)):
        assert secret not in stored
        assert json.dumps(secret)[1:-1] not in stored
    assert fingerprint_of_redacted([(name, file.redacted)]) == taken.fingerprint
    back = restore(
        name,
        file.redacted,
        content_digest=file.content_digest,
        in_place=[(name, text.encode())],
        home=HOME,
        environ=ENVIRON,
    )
    assert back == text.encode()


SECRET = "Zq7hunter2Xw9"
secret_pieces = [
    SECRET,
    "password: ",
    "note: ",
    "- ",
    "\n",
    "\n  ",
    "\n",
    "# ",
    "'",
    '"',
    "&a ",
    "*a",
    "|",
    ">-",
    "{",
    "}",
    "[",
    "]",
    ", ",
    f"password: {SECRET}\n",
    f"  apiKey: '{SECRET}'\n",
    f"# {SECRET}\n",
    "<<: *a\n",
    "x: &a\n",
    "!!str ",
    "?",
    ": ",
    "\r\n",
]


@given(st.lists(st.sampled_from(secret_pieces), min_size=3, max_size=25).map("".join))
@settings(max_examples=300)
def test_no_odd_yaml_keeps_a_secret(text: str) -> None:
    """I6: with anchors, comments and quotes wherever they may stand."""
    taken, refusal = attempt(lambda: snapshot(("a.yaml", text)))
    if taken is None:
        # What stands where a key belongs is taken for one until the text is read as a whole.
        assert SECRET not in re.sub(r"key .*?(: |$)", "", refusal)
        return
    (file,) = taken.files
    for secret in Findings("a.yaml", read("a.yaml", text)).secrets():
        assert len(secret) < 10 or secret.encode() not in file.redacted
    back = restore(
        "a.yaml",
        file.redacted,
        content_digest=file.content_digest,
        in_place=[("a.yaml", text.encode())],
        home=HOME,
        environ=ENVIRON,
    )
    assert back == text.encode()


@given(secret_texts, secret_texts)
def test_a_changed_secret_is_a_changed_digest(one: str, other: str) -> None:
    """I6: a change of one is visible, in the fingerprint and under its key."""
    old, new = (
        snapshot(("a.json", json.dumps({"a": 1, "password": text}))) for text in (one, other)
    )
    assert (old.fingerprint == new.fingerprint) == (one == other)
    changes = diff(json.loads(old.canonical), json.loads(new.canonical))
    assert [change.key for change in changes] == ([] if one == other else ["password"])


def test_the_key_of_a_home_is_not_asked_for_without_a_secret(tmp_path: Path) -> None:
    """A bot on another host needs the key only if its configuration holds a secret."""
    assert snapshot_of_files([("a.yaml", b"a: 1")], home=tmp_path, create_key=False).files
    assert not list(tmp_path.iterdir())
