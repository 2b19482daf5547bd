"""The commands of the tests are processes, though they were forked from one that had loaded the program."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.commands import Told, run, start
from tests.support.fork_server import ROOT, Forked, starts_alike
from tests.support.outages import NOWHERE

ENVIRONMENT = os.environ | {"ROLLOUT_DSN": NOWHERE}


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment with a home and no ledger."""
    return ENVIRONMENT | {"ROLLOUT_HOME": str(tmp_path / "home")}


def test_it_answers_as_one_that_was_started_from_nothing(
    env: dict[str, str], tmp_path: Path
) -> None:
    """Every test of a command: same output, same errors, same exit codes, in the same folder."""
    (tmp_path / "config.yaml").write_text("size: 1\n")
    for words in (
        ("version",), ("--help",), ("fingerprint", "config.yaml"), ("status",), ("stauts",),
        ("fingerprint", "none.yaml"), ("config", "put"),
    ):  # fmt: skip
        forked = run(words, env=env, cwd=tmp_path)
        started = subprocess.run(
            [sys.executable, "-m", "cli.main", *words], env=env, cwd=tmp_path, text=True, check=False,
            capture_output=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert (forked.code, forked.out, forked.err) == (
            started.returncode, started.stdout, started.stderr,
        )  # fmt: skip


@pytest.fixture
def silent() -> Iterator[str]:
    """A database that takes connections and says nothing: whoever asks it waits."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"host=127.0.0.1 port={listening.getsockname()[1]} dbname=none user=none"


def test_it_has_a_process_of_its_own(env: dict[str, str], silent: str, tmp_path: Path) -> None:
    """I12: it can be looked at, limited and killed, and holds nothing that was not given to it."""
    process = start(("status",), env=env | {"ROLLOUT_DSN": silent}, cwd=tmp_path)
    assert isinstance(process, Forked)
    one = psutil.Process(process.pid)
    while Path(one.cwd()) != tmp_path:
        time.sleep(0.01)
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (8192, 8192))
    os.kill(process.pid, signal.SIGKILL)
    assert process.communicate(timeout=20) == ("", None)
    assert process.returncode == -signal.SIGKILL
    assert not psutil.pid_exists(process.pid)


def test_it_is_interrupted_as_at_a_terminal(env: dict[str, str], silent: str) -> None:
    """Ctrl-C is for the command, and the fork server lives on."""
    process = start(("status",), env=env | {"ROLLOUT_DSN": silent})
    while len(psutil.Process(process.pid).net_connections()) == 0:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=20)
    assert (process.returncode, said) == (130, "\nrollout: Interrupted.\n")
    assert run(("version",), env=env).code == 0


def test_many_at_once(env: dict[str, str]) -> None:
    """Threads of a test start theirs without getting into each other's way."""
    told: list[Told] = []
    threads = [
        threading.Thread(target=lambda: told.append(run(("version",), env=env))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == len(set(told)) * 8 == 8


@pytest.mark.parametrize(
    ("change", "alike"),
    [
        ({"ROLLOUT_ACTOR": "bob", "PGHOST": "nowhere", "COLUMNS": "40"}, True),
        ({"PYTHONPATH": str(ROOT)}, True),
        ({"PYTHONPATH": "/elsewhere"}, False),
        ({"PYTHONHASHSEED": "1"}, False),
        ({"LC_ALL": "C"}, False),
        ({"TZ": "Asia/Tokyo"}, False),
        ({"HOME": "/nowhere"}, False),
    ],
)
def test_what_is_read_at_the_start_needs_a_start(change: dict[str, str], alike: bool) -> None:
    """A locale, a hash seed, a home: the fork server has its own already."""
    assert starts_alike(os.environ | change) is alike
    assert run(("version",), env=os.environ | change).code == 0
