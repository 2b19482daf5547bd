"""The key under which secrets are digested: one per home, whoever is first."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.configuration.keys import KEY_FILE, KEY_VARIABLE, HomeKey, SecretKey, load_key
from ledger.domain.errors import BadInput, FileNotWritten


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """I6: a digest of a short secret is worth what the key's secrecy is worth."""
    home = tmp_path / "home"
    first = load_key(home)
    assert load_key(home) == first
    assert stat.S_IMODE((home / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == [KEY_FILE]


def test_processes_that_make_the_key_at_once_agree(tmp_path: Path) -> None:
    """I6: two keys would make one secret look like two."""
    program = (
        "import sys; from pathlib import Path; from ledger.configuration.keys import load_key;"
        "sys.stdin.read(1); print(load_key(Path(sys.argv[1])).key_id)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "home")]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    answers = {process.communicate("x", timeout=60)[0] for process in started}
    assert len(answers) == 1
    assert answers == {load_key(tmp_path / "home").key_id + "\n"}


def test_without_a_key_a_bot_on_another_host_is_told_to_copy_it(tmp_path: Path) -> None:
    """A new key there would give another fingerprint for the same configuration."""
    with pytest.raises(BadInput, match="no key for that") as caught:
        load_key(tmp_path, create=False)
    assert KEY_FILE in str(caught.value.hint)
    assert KEY_VARIABLE in str(caught.value.hint)
    assert not list(tmp_path.iterdir())


def test_the_environment_gives_the_same_key_as_the_file(tmp_path: Path) -> None:
    """ROLLOUT_SECRET_KEY is the text of secret.key."""
    key = load_key(tmp_path)
    text = (tmp_path / KEY_FILE).read_text()
    assert HomeKey(tmp_path / "elsewhere", {KEY_VARIABLE: text}, create=False)() == key


@pytest.mark.parametrize("text", ["", "abc", "zz" * 32, "00" * 31])
def test_a_damaged_key_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    """I6: nor is it replaced, as every digest would change."""
    (tmp_path / KEY_FILE).write_text(text)
    with pytest.raises(BadInput, match="holds no key") as caught:
        load_key(tmp_path)
    assert not text or text not in caught.value.message
    assert (tmp_path / KEY_FILE).read_text() == text


def test_a_home_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    """A file is where the folder should be: root can't write there either."""
    (tmp_path / "home").write_text("")
    with pytest.raises(FileNotWritten, match=r"secret\.key"):
        load_key(tmp_path / "home")


def test_a_key_never_shows() -> None:
    """I6: not in a repr, and its id is not a part of it."""
    key = SecretKey(bytes(range(32)))
    shown = repr(key) + repr(
        HomeKey(Path(os.sep), {KEY_VARIABLE: key.material.hex()}, create=False)
    )
    assert key.material.hex() not in shown
    assert key.key_id not in key.material.hex()
