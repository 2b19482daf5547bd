"""The scan of a tree for secrets: it finds them, and never tells one (I6)."""

from __future__ import annotations

from pathlib import Path

from ledger.preflight.kinds.secrets import secrets_in
from ledger.profiles import shipped
from tests.support.preflight import find, put

WALLET = "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
PASSWORD = "hunter2-Secret!"
PLANTED = {
    "src/bot.py": f'import os\nAPI_SECRET = "{PASSWORD}9x8y7z"\nTOKEN = "{GITHUB}"\n',
    "config/live.yaml": f"exchange:\n  name: okx\n  api_secret: {PASSWORD}\n# old: {WALLET}\n",
    "deploy/run.sh": f"export PRIVATE_KEY={WALLET}\n",
    "docs/notes.txt": f"db: postgresql://bot:{PASSWORD}@db.internal/x\n",
    "keys/id": "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----\n",
    "settings.toml": f'[a]\npassword = "{PASSWORD}"\n',
}
CLEAN = {
    "src/clean.py": "password = read_password()\nsecret = os.environ['SECRET']\ntoken: str = given.token\n",
    "config/refs.yaml": "api_secret: ${API_SECRET}\nmax_tokens: 4096\nsymbol: APEUSDTPERP\n",
    "src/url.py": "# redis://user:password@host\nif password == 'x1y2z3': pass\n",
    "requirements.txt": "detect-secrets==1.5.0 \\\n",
    "README.md": "Put your key in .env, as PRIVATE_KEY=<your key>.\n",
    "blob.bin": b"\0\1\2" + PASSWORD.encode(),
}


def test_what_is_planted_is_found_with_file_line_and_kind(tmp_path: Path) -> None:
    for name, content in PLANTED.items():
        put(tmp_path / name, content)
    found = find(tmp_path, "kind: secret_scan, path: .")
    assert found.result == "FAIL"
    assert sorted(found.detail.splitlines()) == [
        "config/live.yaml:3 value of exchange.api_secret",
        "config/live.yaml:4 private key of a wallet",
        "deploy/run.sh:1 value of PRIVATE_KEY",
        "docs/notes.txt:1 password or key in an address",
        "keys/id:1 private key",
        "settings.toml:2 value of a.password",
        "src/bot.py:2 value of API_SECRET",
        "src/bot.py:3 value of TOKEN",
    ]
    assert found.measured == "8 in 6 files"
    for secret in (WALLET, GITHUB, PASSWORD, "MIIEvQ"):
        assert secret not in repr(found)


def test_code_that_reads_a_secret_holds_none(tmp_path: Path) -> None:
    """A scan that cries wolf is switched off."""
    for name, content in CLEAN.items():
        put(tmp_path / name, content)
    found = find(tmp_path, "kind: secret_scan, path: .")
    assert (found.result, found.measured, found.detail) == ("PASS", "0 in 6 files", "")


def test_a_json_schema_names_keys_and_holds_no_values(tmp_path: Path) -> None:
    """The schema of a profile lies beside it, and has a check called secret_scan."""
    schema = (shipped.FOLDER / shipped.SCHEMA).read_bytes()
    assert secrets_in("profile.schema.json", schema) == []
    planted = schema.replace(b'"title": "Profile"', f'"title": "{GITHUB}"'.encode(), 1)
    assert [kind for _, kind in secrets_in("s.json", planted)] == ["access key"]


def test_what_is_to_be_left_out_is_left_out(tmp_path: Path) -> None:
    for name in (".env", ".git/config", ".venv/lib/x.py", "tests/fixtures/key.yaml", "old/a.sh"):
        put(tmp_path / name, f"api_secret: {PASSWORD}\n")
    put(tmp_path / "example.yaml", f"api_secret: {PASSWORD}  # pragma: allowlist secret\n")
    item = "kind: secret_scan, path: ., ignore: ['tests/fixtures', 'old/*.sh']"
    assert find(tmp_path, item).measured == "0 in 1 files"
    assert find(tmp_path, "kind: secret_scan, path: .").measured == "2 in 3 files"


def test_what_was_not_read_is_told(tmp_path: Path) -> None:
    """I8: a scan that left something out says so."""
    put(tmp_path / "big.log", "x" * 3000)
    put(tmp_path / "small.log", "x")
    found = find(tmp_path, "kind: secret_scan, path: ., max_file_size: 2KB")
    assert (found.result, found.measured) == ("WARN", "0 in 1 files, 1 not read")
    assert "big.log is larger than 2000 bytes" in found.detail
    few = find(tmp_path, "kind: secret_scan, path: ., max_files: 1")
    assert (few.result, "more than 1 files" in few.detail) == ("WARN", True)
    assert find(tmp_path, "kind: secret_scan, path: absent").result == "ERROR"
