"""Ctrl-C, a full disk, kill -9, nowhere to print to: one line, and no half of an export (I12)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ledger.store.postgres import PostgresStore
from tests.support.builders import events
from tests.support.commands import Rollout

pytestmark = pytest.mark.timeout(180)
COUNT = 20_000
FORMS = ("parquet", "jsonl", "csv", "cdevents")
FILE_BLOCKS = "4000"
"""At most so many blocks of 512 bytes may a file have, where it would need more."""


@pytest.fixture
def rollout(embedded_dsn: str, tmp_path: Path) -> Rollout:
    """A ledger of some events, and a folder of one's own for temporary files."""
    store = PostgresStore(embedded_dsn)
    for _ in range(0, COUNT, 1000):
        store.append(events(1000))
    store.close()
    (tmp_path / "tmp").mkdir()
    return Rollout(tmp_path / "home", embedded_dsn, env={"TMPDIR": str(tmp_path / "tmp")})


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where exports go."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def begun(folder: Path) -> Iterator[Path]:
    """Yield what an export has begun to fill, under any name but its own."""
    for path in folder.rglob(".*"):
        with suppress(FileNotFoundError):  # it has its own name by now
            if any(path.iterdir()) if path.is_dir() else path.stat().st_size:
                yield path


@pytest.mark.parametrize("form", FORMS)
def test_interrupted_it_leaves_nothing(form: str, rollout: Rollout, out: Path) -> None:
    """I12: Ctrl-C ends it with 130 and one line, and what it had begun is gone."""
    process = rollout.start("export", form, "--out", out / "it")
    while process.poll() is None and next(begun(out), None) is None:
        pass
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate()
    assert process.returncode == 130, told
    assert told.strip() == "rollout: Interrupted."
    assert list(out.iterdir()) == list((rollout.home.parent / "tmp").iterdir()) == []


@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_is_told_and_leaves_nothing(form: str, rollout: Rollout, out: Path) -> None:
    """I12: one line that says so, exit 1; with room, the same command does it."""
    within = 'ulimit -f "$1"; shift; exec "$@"'
    told = subprocess.run(
        ["sh", "-c", within, "sh", FILE_BLOCKS, sys.executable, "-m", "cli.main",
         "export", form, "--out", out / "it"],
        env=os.environ | rollout.env | {"ROLLOUT_DSN": rollout.dsn or "", "ROLLOUT_HOME": str(out.parent)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 1, told
    assert "can't be written: file too large" in told.stderr
    assert told.stderr.count("rollout: ") == 1
    assert list(out.iterdir()) == list((rollout.home.parent / "tmp").iterdir()) == []
    rollout("export", form, "--out", out / "it")


@pytest.mark.parametrize("form", ["jsonl", "csv", "annotations"])
def test_nowhere_to_print_it(form: str, rollout: Rollout) -> None:
    """One line, exit 1."""
    with Path("/dev/full").open("wb") as full:
        told = subprocess.run(
            [sys.executable, "-m", "cli.main", "export", form],
            env=os.environ | {"ROLLOUT_DSN": rollout.dsn or "", "ROLLOUT_HOME": str(rollout.home)},
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert told.returncode == 1
    assert "What it prints can't be written: no space left on device." in told.stderr


def test_what_a_killed_export_left_is_removed(rollout: Rollout, out: Path) -> None:
    """I12: neither in the archive nor among the temporary files does anything stay for good."""
    temporary = rollout.home.parent / "tmp"
    process = rollout.start("export", "parquet", "--out", out / "it")
    while process.poll() is None and not list(temporary.glob("*/*.copy")):
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert list(temporary.iterdir()) != []
    rollout("export", "parquet", "--out", out / "it")
    assert list(temporary.iterdir()) == []
    assert sorted(path.name[:6] for path in (out / "it").iterdir()) == ["archiv", "range="]


def test_verifying_can_be_interrupted(rollout: Rollout, out: Path) -> None:
    """SIGINT ends it with 130, in the middle of the engine's work."""
    rollout("export", "parquet", "--out", out / "it")
    temporary = rollout.home.parent / "tmp"
    process = rollout.start("verify", "--archive", out / "it")
    # Python itself begins with a file of its own, to see whether it can write there.
    while process.poll() is None and not list(temporary.glob("rollout-archive-*")):
        pass
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate()
    assert (process.returncode, told.strip()) == (130, "rollout: Interrupted.")
    assert list(temporary.iterdir()) == []
