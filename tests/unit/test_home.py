"""Where the ledger is kept when nobody says where."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from ledger.domain.errors import BadInput, LedgerUnreachable
from ledger.store.home import SYSTEM_HOME, default_home, ensure_home, real_home

pytestmark = pytest.mark.as_root
IS_ROOT = os.geteuid() == 0
DATA = "Library/Application Support" if sys.platform == "darwin" else ".local/share"


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"HOME": "/home/ada"}, f"/home/ada/{DATA}/rollout-ledger"),
        ({"HOME": "/home/ada", "XDG_DATA_HOME": "/data"}, "/data/rollout-ledger"),
        ({"HOME": "/home/ada", "XDG_DATA_HOME": "rel"}, f"/home/ada/{DATA}/rollout-ledger"),
        ({"HOME": "/home/ada", "XDG_DATA_HOME": ""}, f"/home/ada/{DATA}/rollout-ledger"),
    ],
)
def test_root_and_others_have_their_own_place(env: dict[str, str], expected: str) -> None:
    """Root's is outside home directories, which Postgres' user can't enter."""
    assert default_home(env) == (SYSTEM_HOME if IS_ROOT else Path(expected))


def test_missing_folders_are_made_and_present_ones_left_alone(tmp_path: Path) -> None:
    """No permission of a folder that exists is changed."""
    tmp_path.chmod(0o755)
    old = os.umask(0o077)
    try:
        ensure_home(tmp_path / "a" / "b")
        ensure_home(tmp_path / "a" / "b")
    finally:
        os.umask(old)
    for made in (tmp_path / "a", tmp_path / "a" / "b"):
        assert stat.S_IMODE(made.stat().st_mode) == (0o711 if IS_ROOT else 0o700)
    (tmp_path / "a").chmod(0o750)
    ensure_home(tmp_path / "a" / "c")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o750
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


@pytest.mark.parametrize("below", ["file", "file/home"])
def test_a_file_in_the_way_is_told(tmp_path: Path, below: str) -> None:
    """One sentence with the path, and the next step."""
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerUnreachable) as raised:
        ensure_home(tmp_path / below)
    assert str(tmp_path / "file") in raised.value.message
    assert "ROLLOUT_HOME" in (raised.value.hint or "")


def test_one_folder_has_one_name(tmp_path: Path) -> None:
    """Through a symlink or ``..`` it is the same server."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert real_home(tmp_path / "link" / ".." / "link") == (tmp_path / "real").resolve()


@pytest.mark.parametrize("name", ["new\nline", "tab\t", "\x1b[31m"])
def test_a_path_that_postgres_cannot_write_down_is_refused(name: str) -> None:
    """The pid file is line by line."""
    with pytest.raises(BadInput):
        real_home(Path("/srv") / name)
