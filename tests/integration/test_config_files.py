"""Configuration files in place, on a real disk; and what a pause may import."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ledger.actuators.config_files import ConfigFiles
from ledger.domain.errors import FileNotWritten, IntegrityFailure


def test_a_folder_that_is_missing_is_not_made_up(tmp_path: Path) -> None:
    """A path that is wrong must not look like one that is right."""
    target = tmp_path / "missing" / "config.yaml"
    with pytest.raises(FileNotWritten, match="no such file or directory"):
        ConfigFiles({"config.yaml": target}).write({"config.yaml": b"a: 1"})
    assert not target.parent.exists()


def test_a_new_configuration_file_is_not_for_everybody(tmp_path: Path) -> None:
    """I6: a rollback may put a secret's real value back."""
    target = tmp_path / "config.yaml"
    ConfigFiles({"config.yaml": target}).write({"config.yaml": b"api_key: x"})
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_file_that_is_right_already_is_not_touched(tmp_path: Path) -> None:
    """I16: a bot that watches its files must not be woken for nothing."""
    target = tmp_path / "config.yaml"
    target.write_bytes(b"a: 1")
    before = target.stat()
    ConfigFiles({"config.yaml": target}).write({"config.yaml": b"a: 1"})
    after = target.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_file_that_reads_otherwise_than_it_was_written_is_told(tmp_path: Path) -> None:
    """I3's spirit, for the world: two names that lead to one file can't both be restored."""
    (tmp_path / "a.yaml").symlink_to("b.yaml")
    actuator = ConfigFiles({name: tmp_path / name for name in ("a.yaml", "b.yaml")})
    with pytest.raises(IntegrityFailure, match=r"a\.yaml does not hold what was just written"):
        actuator.write({"a.yaml": b"a: 1", "b.yaml": b"b: 1"})


def test_the_hot_path_imports_nothing_heavy() -> None:
    """`rollout pause` has 1.6 times the import of its drivers, as a whole process."""
    code = """
        import sys
        from pathlib import Path
        from ledger.actuators import mode_actuators
        from ledger.store import spool
        mode_actuators(http_admin_url=None, control_file=Path("mode.json"))
        heavy = {"httpx", "tenacity", "http.client", "yaml", "rich", "sqlalchemy", "asyncio"}
        print(sorted(heavy & set(sys.modules)))
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
