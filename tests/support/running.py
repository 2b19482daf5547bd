"""Supervised programs that wait, for whoever signals or kills them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.commands import Rollout, read_until

WAITS = "import os, time; print('ready', os.getpid(), flush=True); time.sleep(60)"


def python(text: str) -> tuple[str, ...]:
    """Return a program that is Python code."""
    return sys.executable, "-c", text


def run_words(folder: Path, *command: str, tag: str = "t1") -> tuple[str, ...]:
    """Return the words of a run without a countdown."""
    return ("run", "bot", "--out", str(folder / "out"), "--countdown", "0", "--run-tag", tag,
            "--reason", "go", "--", *command)  # fmt: skip


@contextmanager
def running(
    rollout: Rollout, folder: Path, code: str = WAITS, **env: str
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run ``code``, which says ready and its process; yield the supervisor and the program's process."""
    supervisor = rollout.start(*run_words(folder, *python(code)), **env)
    ready = re.search(r"ready (\d+)", read_until(supervisor, "ready"))
    assert ready is not None
    program = int(ready[1])
    try:
        yield supervisor, program
    finally:
        for pid in (supervisor.pid, program):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        supervisor.communicate()
