"""The real command line, as its own process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KILLED = -signal.SIGKILL


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
        result = subprocess.run(
            _words(arguments),
            env=self._environment(env),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
            timeout=120,
        )
        told = Told(result.returncode, result.stdout, result.stderr)
        assert "Traceback" not in told.err, told.err
        if exits is not None:
            assert told.code == exits, f"rollout {' '.join(map(str, arguments))}: {told}"
        return told

    def start(self, *arguments: str | Path, **env: str) -> subprocess.Popen[str]:
        """Start one command, with its stdout and stderr in one pipe; the caller ends it."""
        return subprocess.Popen(
            _words(arguments),
            env=self._environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _environment(self, env: Mapping[str, str]) -> dict[str, str]:
        environment = os.environ | {"ROLLOUT_HOME": str(self.home), "ROLLOUT_ACTOR": self.actor}
        if self.dsn is not None:
            environment["ROLLOUT_DSN"] = self.dsn
        return environment | self.env | dict(env)

    def log(self, system: str, *types: str) -> list[dict[str, Any]]:
        """Return the events of a system (of those types), oldest first."""
        rows = self("log", system, "-o", "json").json
        return [row for row in rows if not types or row["type"] in types]


def _words(arguments: Sequence[str | Path]) -> list[str]:
    return [sys.executable, "-m", "cli.main", *map(str, arguments)]


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Return the first line of a started command that has ``text`` in it."""
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return line
    raise AssertionError(f"it ended without saying {text!r}")
