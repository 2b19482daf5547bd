"""The real command line, as its own process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.support.fork_server import Forked, starts_alike

KILLED = -signal.SIGKILL
PROGRESS = re.compile(r"^[a-z ]+: [\d,]+ of [\d,]+\n", re.MULTILINE)


@dataclass(frozen=True)
class Told:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its stdout as JSON."""
        return json.loads(self.out)

    @property
    def talk(self) -> str:
        """Its stderr, but for how far it was: a machine that is busy has what is quick take a second."""
        return PROGRESS.sub("", self.err)


@dataclass(frozen=True)
class Rollout:
    """`rollout` with a home, a ledger and an actor of its own."""

    home: Path
    dsn: str | None
    actor: str = "human:ann"
    env: dict[str, str] = field(default_factory=dict)

    def __call__(
        self, *arguments: str | Path, exits: int | None = 0, fail_at: str | None = None, **env: str
    ) -> Told:
        """Run one command and return what it told; it must end with ``exits`` (None: any way)."""
        if fail_at is not None:
            env["ROLLOUT_FAIL_AT"] = fail_at
            exits = KILLED
        told = run(arguments, env=self._environment(env))
        assert "Traceback" not in told.err, told.err
        if exits is not None:
            assert told.code == exits, f"rollout {' '.join(map(str, arguments))}: {told}"
        return told

    def start(self, *arguments: str | Path, **env: str) -> subprocess.Popen[str]:
        """Start one command, with its stdout and stderr in one pipe; the caller ends it."""
        return start(arguments, env=self._environment(env))

    def _environment(self, env: Mapping[str, str]) -> dict[str, str]:
        environment = os.environ | {"ROLLOUT_HOME": str(self.home), "ROLLOUT_ACTOR": self.actor}
        if self.dsn is not None:
            environment["ROLLOUT_DSN"] = self.dsn
        return environment | self.env | dict(env)

    def log(self, system: str, *types: str) -> list[dict[str, Any]]:
        """Return the events of a system (of those types), oldest first."""
        rows = self("log", system, "-o", "json").json
        return [row for row in rows if not types or row["type"] in types]


def start(
    arguments: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdout: int | IO[Any] = subprocess.PIPE,
    stderr: int | IO[Any] = subprocess.STDOUT,
) -> subprocess.Popen[str]:
    """Start `rollout` with this environment; the caller ends it."""
    words = list(map(str, arguments))
    program, kind = words, Forked
    if not starts_alike(env):
        program, kind = [sys.executable, "-m", "cli.main", *words], subprocess.Popen
    return kind(
        program, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, text=True
    )


def run(
    arguments: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path | None = None
) -> Told:
    """Run `rollout` to its end."""
    with start(arguments, env=env, cwd=cwd, stderr=subprocess.PIPE) as process:
        try:
            out, err = process.communicate(timeout=120)
        except BaseException:
            process.kill()
            raise
    return Told(process.returncode, out, err)


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Return the first line of a started command that has ``text`` in it."""
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return line
    raise AssertionError(f"it ended without saying {text!r}")
