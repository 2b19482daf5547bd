"""`rollout watch` by a clock that a play moves on: each round's files are written, and the process measured.

Run as a process of its own: ``python -m tests.soak.played FOLDER ROUNDS``, with ROLLOUT_HOME, ROLLOUT_DSN and
ROLLOUT_ACTOR as a command has them; FOLDER/measured.json says what it took.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import psutil

from cli.main import main
from ledger.domain.log.ids import Actor, ActorKind, Channel
from ledger.metrics.sources import Measured
from ledger.service.core import sampling
from ledger.service.core.recorder import Origin, Recorder
from ledger.store.postgres import PostgresStore
from tests.support.fakes import FrozenClock

INTERVAL_SECONDS: Final = 60
MEASURED_TIMES: Final = 40
ROTATED_EVERY: Final = 150
RECORDED_EVERY: Final = 7
FOREIGN: Final = Origin(Actor("desk", "desk", ActorKind.HUMAN), Channel.CLI)


class PlayedClock(FrozenClock):
    """A clock that moves when it is slept on, and plays what happens between two rounds."""

    def __init__(self, folder: Path, rounds: int) -> None:
        super().__init__(datetime.now(UTC))
        self._folder = folder
        self._rounds = rounds
        self._played = 0
        self._store = PostgresStore(os.environ["ROLLOUT_DSN"])
        self._recorder = Recorder(self._store, self, lambda text, **_: text)
        self._process = psutil.Process()
        self.measured: list[dict[str, Any]] = []
        self._play()

    def sleep(self, seconds: float) -> None:
        if seconds < 0.05:
            return
        self.advance(INTERVAL_SECONDS)
        self._played += 1
        self._play()
        if self._played % max(self._rounds // MEASURED_TIMES, 1) == 0:
            self.measure()
        if self._played >= self._rounds:
            os.kill(os.getpid(), signal.SIGTERM)

    def measure(self) -> None:
        """Note what the process takes, between two rounds."""
        self.measured.append(
            {
                "round": self._played,
                "rss": self._process.memory_info().rss,
                "descriptors": self._process.num_fds(),
                "threads": self._process.num_threads(),
                "seconds": resource.getrusage(resource.RUSAGE_SELF).ru_utime,
            }
        )

    def _play(self) -> None:
        """Write what the bot would have: its file, its tables, its logs, which are rotated."""
        number, at = self._played, self.now()
        wrong = number % 40 >= 30
        stats = self._folder / "stats.json"
        if number % 100 == 50:
            stats.unlink(missing_ok=True)
        else:
            stats.write_text(json.dumps({"ece": 0.2 if wrong else 0.05, "levels": [number]}))
        for name in ("orders.jsonl", "trades.csv", "bot.log"):
            path = self._folder / name
            if number % ROTATED_EVERY == 0 and path.exists():
                path.replace(path.with_suffix(f"{path.suffix}.1"))
        self._append("orders.jsonl", json.dumps({"metric": "rejects", "value": number % 9}))
        if not (self._folder / "trades.csv").exists():
            self._append("trades.csv", "time,pnl,venue")
        self._append("trades.csv", f"{at.isoformat()},{number % 17},okx")
        self._append("bot.log", "ALARM feed is late" if wrong else "all is well")
        self._append("bot.log", f"Generated {number % 5} levels")
        if number % RECORDED_EVERY == 0:
            by_hand = Measured("desk_feeling", {"by": "ann"}, str(number % 3), at)
            sampling.record(self._recorder, "bot", [by_hand], FOREIGN)

    def _append(self, name: str, line: str) -> None:
        with (self._folder / name).open("a") as file:
            file.write(f"{line}\n")


def play(folder: Path, rounds: int) -> None:
    """Have the real command watch, and keep what was measured."""
    clock = PlayedClock(folder, rounds)
    try:
        with patch("runtime.wiring.clock_of", lambda _: clock):
            main(["watch", "bot", "--base", str(folder)])
    finally:
        (folder / "measured.json").write_text(json.dumps(clock.measured))


if __name__ == "__main__":
    play(Path(sys.argv[1]), int(sys.argv[2]))
