"""The real command line, as its own process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
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
        environment = os.environ | {"ROLLOUT_HOME": str(self.home), "ROLLOUT_ACTOR": self.actor}
        if self.dsn is not None:
            environment["ROLLOUT_DSN"] = self.dsn
        if fail_at is not None:
            environment["ROLLOUT_FAIL_AT"] = fail_at
            exits = KILLED
        result = subprocess.run(
            [sys.executable, "-m", "cli.main", *map(str, arguments)],
            env=environment | self.env | env,
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

    def log(self, system: str, *types: str) -> list[dict[str, Any]]:
        """Return the events of a system (of those types), oldest first."""
        rows = self("log", system, "-o", "json").json
        return [row for row in rows if not types or row["type"] in types]
