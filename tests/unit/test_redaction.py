"""Secrets leave the files before anything is stored, and come back byte for byte (promise I6)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.configuration.keys import load_key
from ledger.configuration.restore import restore
from ledger.configuration.snapshot import (
    Snapshot,
    SnapshotFile,
    fingerprint_of_redacted,
    snapshot_of_files,
)
from ledger.domain.errors import BadInput, IntegrityFailure, SecretMissing

HEX = "4f3edf983ac636a65a842ce7c78d9aa706d3b113bce9c46f30d7d21715b23b1d"
PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIAhHtQ8z\nq1Z9\n-----END EC PRIVATE KEY-----\n"


def put(home: Path, *files: tuple[str, str]) -> Snapshot:
    return snapshot_of_files([(name, text.encode()) for name, text in files], home=home)


def put_back(home: Path, file: SnapshotFile, *in_place: tuple[str, str], **environ: str) -> bytes:
    return restore(
        file.name,
        file.redacted,
        content_digest=file.content_digest,
        in_place=[(name, text.encode()) for name, text in in_place],
        home=home,
        environ=environ,
    )


def shown(file: SnapshotFile) -> str:
    """The stored bytes with every digest as ``<>``, and ``<~>`` or ``</>`` where it has a spelling."""
    return re.sub(
        r"secret:hmac-sha256:[0-9a-f]{8}:[0-9a-f]{64}(?:([~/])[0-9a-f]{64})?",
        r"<\1>",
        file.redacted.decode(),
    )


# (name, text, how it is stored, which keys), each secret of each text being one of SECRETS.
SECRETS = [
    "hunter2",
    "S3cr/et",
    HEX,
    "MHcCAQEEIAhHtQ8z",
    "q1Z9",
    "87654321",
    "h\u00fcnter2",
    "trading",
]
CASES: list[tuple[str, str, str, list[str]]] = [
    (
        "a.yaml",
        "a: 1\npassword: hunter2 # old: hunter2\r\nb: 2\n",
        "a: 1\npassword: <> # old: <>\r\nb: 2\n",
        ["password", "comment on line 2"],
    ),
    (
        "a.yaml",
        "password: 'hunter2'\napi_key: \"hunter2\"",
        "password: '<>'\napi_key: \"<>\"",
        ["api_key", "password"],
    ),
    (
        "a.yaml",
        "# password: hunter2\nlabel: hunter2\n",
        "# password: <>\nlabel: <>\n",
        ["label", "comment on line 1"],
    ),
    ("a.yaml", 'password: "h\\u00fcnter2"', 'password: "</>"', ["password"]),
    (
        "a.yaml",
        "key: &k !!str hunter2\npassword: *k",
        "key: &k !!str <>\npassword: *k",
        ["key", "password"],
    ),
    (
        "a.yaml",
        "d: &d\n  secret: hunter2\ne:\n  <<: *d",
        "d: &d\n  secret: <>\ne:\n  <<: *d",
        ["d.secret", "e.secret"],
    ),
    (
        "a.yaml",
        "pem: | # mine\n  " + PEM.replace("\n", "\n  ") + "\nb: 1",
        'pem: "</>"\n  \nb: 1',
        ["pem"],
    ),
    ("a.yaml", "x: {pin: 87654321, y: [1]}", 'x: {pin: "</>", y: [1]}', ["x.pin"]),
    ("a.yaml", f"deployer: 0x{HEX}", 'deployer: "</>"', ["deployer"]),
    (
        "a.yaml",
        "password: trading\nmode: trading # trading",
        "password: <>\nmode: trading # trading",
        ["password"],
    ),
    ("a.yaml", "dsn: postgresql://bot:hunter2@db/x\n", "dsn: postgresql://bot:<>@db/x\n", ["dsn"]),
    (
        "a.yaml",
        "- name: API_SECRET\n  value: hunter2\n- name: MODE\n  value: live",
        "- name: API_SECRET\n  value: <>\n- name: MODE\n  value: live",
        ["[0].value"],
    ),
    (
        "a.yaml",
        "env:\n- API_SECRET=hunter2\n- MODE=live",
        "env:\n- API_SECRET=<>\n- MODE=live",
        ["env[0]"],
    ),
    (
        "a.yaml",
        "credentials: {user: bob, x: hunter2, on: true, n: 5}",
        "credentials: {user: bob, x: <>, on: true, n: 5}",
        ["credentials.x"],
    ),
    (
        "a.yaml",
        "note: use hunter2 here\npassword: hunter2",
        "note: use <> here\npassword: <>",
        ["note", "password"],
    ),
    (
        "a.yaml",
        f"# PRIVATE_KEY: 0x{HEX}\na: 1 # api_secret = hunter2",
        "# PRIVATE_KEY: <>\na: 1 # api_secret = <>",
        ["comment on line 1", "comment on line 2"],
    ),
    (
        "a.yaml",
        "# " + PEM.strip().replace("\n", "\n# ") + "\na: 1\n# b",
        "# <>\n# <>\n# <>\n# <>\na: 1\n# b",
        [f"comment on line {n}" for n in (1, 2, 3, 4)],
    ),
    (
        "a.yaml",
        "script: |\n  export API_SECRET=hunter2\n  run\nb: 1",
        "script: |\n  export API_SECRET=<>\n  run\nb: 1",
        ["script"],
    ),
    (
        "a.yaml",
        "password: >-\n  hunter2\n\n# c\nb: 1",
        'password: "</>"\n\n# c\nb: 1',
        ["password"],
    ),
    (
        "a.json",
        '\ufeff{"a": 1, "password" : "h\\u00fcnter2"}\n',
        '\ufeff{"a": 1, "password" : "</>"}\n',
        ["password"],
    ),
    (
        "a.json",
        '{"u": "redis:\\/\\/:S3cr\\/et@h", "pin": 87654321}',
        '{"u": "redis:\\/\\/:<~>@h", "pin": "</>"}',
        ["pin", "u"],
    ),
    (
        "a.json",
        '{"trading": {"secret": "trading", "mode": "trading"}}',
        '{"trading": {"secret": "<>", "mode": "trading"}}',
        ["trading.secret"],
    ),
    (
        "a.toml",
        "# hunter2\npassword = 'hunter2' # x\nn = 1",
        "# <>\npassword = '<>' # x\nn = 1",
        ["password", "comment on line 1"],
    ),
    (
        "a.toml",
        'pin = 87_654_321\n[b.c]\nsecret = """\nhunter2"""',
        'pin = "</>"\n[b.c]\nsecret = "</>"',
        ["b.c.secret", "pin"],
    ),
    (
        "a.toml",
        "'trading' = {secret = 'trading'}\nm = 'trading'",
        "'trading' = {secret = '<>'}\nm = 'trading'",
        ["trading.secret"],
    ),
]


@pytest.mark.parametrize(
    ("name", "text", "stored", "keys"), CASES, ids=[f"{c[0]} {c[1][:20]!r}" for c in CASES]
)
def test_only_the_secret_is_cut_out_and_it_comes_back(
    tmp_path: Path, name: str, text: str, stored: str, keys: list[str]
) -> None:
    """I6: no secret in what is stored; every other byte as it was; a restore is byte for byte."""
    snapshot = put(tmp_path, (name, text))
    (file,) = snapshot.files
    assert shown(file) == stored
    assert list(file.secrets) == keys
    for secret in SECRETS:
        if secret != "trading":
            assert secret.encode() not in file.redacted + snapshot.canonical
    assert fingerprint_of_redacted([(name, file.redacted)]) == snapshot.fingerprint
    assert put_back(tmp_path, file, (name, text)) == text.encode()


@pytest.mark.parametrize(
    "text",
    [
        f"condition_id: '0x{HEX}'\nmarkets: {{'0x{HEX}': 1}}\ntx_hash: 0x{HEX}",
        "wallet: '0x"
        + HEX[:40]
        + "'\ntoken: USDC\nquote_token: USDC\ntoken_address: '0x"
        + HEX[:40]
        + "'",
        "password: ${DB_PASSWORD}\napi_key: env:API_KEY\nsecret: ''\ntoken: null\nauth: true\n",
        "max_tokens: 100000\nseed: 42\nkey: grid\npin: 17\nauth: basic\nsecret_name: prod/bot",
        "max_approval: 115792089237316195423570985008687907853269984665640564039457584007913129639935",
        "# PRIVATE_KEY should be set by the environment\n# password: see the vault\nmode: live",
    ],
)
def test_what_is_no_secret_is_stored_as_it_is(tmp_path: Path, text: str) -> None:
    """A file without secrets needs no key, and makes none."""
    (file,) = put(tmp_path, ("a.yaml", text)).files
    assert (file.redacted, file.secrets, file.content_digest) == (text.encode(), (), None)
    assert not list(tmp_path.iterdir())


def test_a_changed_secret_shows_and_its_value_does_not(tmp_path: Path) -> None:
    """I6: equal secrets have equal digests, in any format and spelling, under one key."""
    yaml = put(tmp_path, ("a.yaml", "password: hunter2"))
    toml = put(tmp_path, ("a.toml", 'password = "hunter\\u0032"'))
    other = put(tmp_path, ("a.yaml", "password: hunter3"))
    elsewhere = put(tmp_path / "other", ("a.yaml", "password: hunter2"))
    assert yaml.fingerprint == toml.fingerprint
    assert len({yaml.fingerprint, other.fingerprint, elsewhere.fingerprint}) == 3
    assert "hunter" not in repr(yaml)


def test_a_secret_of_one_file_is_cut_out_of_the_others_too(tmp_path: Path) -> None:
    """I6: a note beside the configuration is part of it."""
    snapshot = put(tmp_path, ("a.yaml", "password: hunter2"), ("b.toml", "note = 'it is hunter2'"))
    assert [shown(file) for file in snapshot.files] == ["password: <>", "note = 'it is <>'"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"accounts: {{'0x{HEX}': 1}}",
            "a.yaml has a key below accounts that is or holds a secret",
        ),
        (
            "a: {hunter2: 1}\npassword: hunter2",
            "a.yaml has a key below a that is or holds a secret",
        ),
        ("x: &p trading\npassword: *p", "a secret can't be cut out of a.yaml"),
        ("x: &hunter2 1\npassword: hunter2", "a secret can't be cut out of a.yaml"),
        (
            "a: 1\np: secret:hmac-sha256:" + "0" * 8 + ":" + "0" * 64,
            "a.yaml line 2 column 4: the digest of a secret",
        ),
    ],
)
def test_a_secret_that_can_not_be_cut_out_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    """I6: rather than stored, and without telling it."""
    with pytest.raises(BadInput) as caught:
        put(tmp_path, ("a.yaml", text))
    assert message in caught.value.message
    assert "hunter2" not in caught.value.message + str(caught.value.hint)
    assert HEX not in caught.value.message


def test_a_secret_comes_back_from_another_version_of_the_file(tmp_path: Path) -> None:
    """The file in place differs in everything but the secret, and spells it otherwise."""
    (file,) = put(tmp_path, ("a.yaml", 'password: "hunter2" # mine\nsize: 1\n')).files
    in_place = ("b.json", '{"db": {"password": "hunter2", "size": 2}}')
    assert put_back(tmp_path, file, in_place) == b'password: "hunter2" # mine\nsize: 1\n'


def test_a_secret_comes_back_from_a_broken_file(tmp_path: Path) -> None:
    """What is in place may be what has to be rolled back from."""
    (file,) = put(tmp_path, ("a.yaml", "password: hunter2\nkey: {api_key: S3cr/et}\n")).files
    broken = ("a.yaml", "password: hunter2\nkey: {api_key: S3cr/et\n  - [")
    assert put_back(tmp_path, file, broken) == b"password: hunter2\nkey: {api_key: S3cr/et}\n"


def test_a_secret_comes_back_from_the_environment(tmp_path: Path) -> None:
    """Under any name, and out of a URL."""
    text = "password: 'hunter2'\nkey: {api_key: \"S3cr/et\"}\npin: 87654321\n"
    (file,) = put(tmp_path, ("a.yaml", text)).files
    environ = {
        "A": "hunter2",
        "B": "wss://S3cr/et",
        "DSN": "postgres://x:hunter9@h",
        "PIN": "87654321",
    }
    environ["C"] = "S3cr/et"
    assert put_back(tmp_path, file, **environ) == text.encode()


def test_a_missing_secret_is_named_by_its_key(tmp_path: Path) -> None:
    """The refusal says what to do and tells nothing."""
    (file,) = put(tmp_path, ("a.yaml", "db: {password: hunter2}\napi_key: S3cr/et")).files
    with pytest.raises(SecretMissing) as caught:
        put_back(
            tmp_path, file, ("a.yaml", "api_key: S3cr/et\ndb: {password: hunter9}"), HOME="/root"
        )
    assert "a.yaml" in caught.value.message
    assert "db.password" in caught.value.message
    assert "api_key" not in caught.value.message
    assert "export" in str(caught.value.hint)
    assert "hunter" not in caught.value.message + str(caught.value.hint)


def test_another_key_is_told_and_not_taken_for_missing_secrets(tmp_path: Path) -> None:
    (file,) = put(tmp_path / "one", ("a.yaml", "password: hunter2")).files
    other = load_key(tmp_path / "two")
    with pytest.raises(SecretMissing, match=other.key_id):
        put_back(tmp_path / "two", file, PASSWORD="hunter2")


def test_changed_stored_bytes_do_not_pass_for_a_restore(tmp_path: Path) -> None:
    """A restore is proven by the digest of the original bytes."""
    (file,) = put(tmp_path, ("a.yaml", "password: hunter2\nsize: 1")).files
    with pytest.raises(IntegrityFailure, match=r"a\.yaml"):
        restore(
            file.name,
            file.redacted.replace(b"size: 1", b"size: 2"),
            content_digest=file.content_digest,
            in_place=[],
            home=tmp_path,
            environ={"P": "hunter2"},
        )


def test_the_snapshot_is_told_by_names_and_bytes(tmp_path: Path) -> None:
    """Comments don't change the fingerprint, and the snapshot is another."""
    one = put(tmp_path, ("a.yaml", "a: 1"))
    two = put(tmp_path, ("a.yaml", "a: 1 # c"))
    three = put(tmp_path, ("b.yaml", "a: 1"))
    assert len({one.fingerprint, two.fingerprint, three.fingerprint}) == 1
    assert len({one.snapshot_id, two.snapshot_id, three.snapshot_id}) == 3
    assert re.fullmatch("[0-9a-f]{64}", one.snapshot_id)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no configuration file"),
        ([("a.yaml", b""), ("a.yaml", b"")], "same name"),
        ([("a.yaml", b"a: 1\n"), ("b.yaml", b"#" * (8 * 2**20))], r"with b\.yaml .* 8 MiB"),
    ],
)
def test_sets_of_files_that_make_no_configuration(
    tmp_path: Path, files: list[tuple[str, bytes]], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        snapshot_of_files(files, home=tmp_path)


def test_reading_a_configuration_without_secrets_loads_no_pattern_library(tmp_path: Path) -> None:
    """A bot computes its fingerprint at each start."""
    program = (
        "import sys; from pathlib import Path; from ledger.configuration.snapshot import snapshot_of_files;"
        "snapshot_of_files([('a.yaml', b'grid: {levels: [1, 2.5]}')], home=Path(sys.argv[1]));"
        "assert 'detect_secrets' not in sys.modules"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    subprocess.run(command, check=True, timeout=60, env={**os.environ})
