"""`rollout pause` as a person types it: a whole process, from nothing to the written control file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from bench.context import Bench
from bench.measure import Bar, Row, compared, in_turns

IMPORTS = 'python -c "import psycopg, click"'


def measure(bench: Bench) -> Iterator[Row]:
    """Pause, and start a Python that imports the two libraries a pause can't do without, in turns."""
    command = Path(sys.executable).with_name("rollout")
    folder = bench.server.folder / "pause"
    folder.mkdir()
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("ROLLOUT_")},
        "ROLLOUT_HOME": str(bench.server.home or folder / "home"),
        "ROLLOUT_ACTOR": "service:bench",
    }
    if bench.server.home is None:
        environment["ROLLOUT_DSN"] = bench.server.new_ledger()

    def timed(*words: str | Path) -> tuple[float, str]:
        began = perf_counter()
        done = subprocess.run(
            words, env=environment, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        seconds = perf_counter() - began
        if done.returncode != 0:
            raise RuntimeError(f"{words} ended with {done.returncode}: {done.stderr}")
        return seconds * 1000, done.stdout

    def rollout(*words: str) -> tuple[float, str]:
        return timed(command, *words)

    def pause() -> float:
        rollout("resume", "bot", "--reason", "bench", "--yes")
        took, said = rollout("pause", "bot", "--reason", "bench")
        if "bot is paused" not in said:
            raise RuntimeError(f"the pause said: {said}")
        return took

    rollout("system", "add", "bot", "--control-file", "mode.json")
    rollout("pause", "bot", "--reason", "bench")
    samples = in_turns(
        {"ours": pause, IMPORTS: lambda: timed(sys.executable, "-c", "import psycopg, click")[0]},
        bench.size(40, 5),
    )
    yield compared(
        "rollout pause, whole process, cold",
        IMPORTS,
        samples,
        bar=Bar(1.6, at_most=True),
        unit="ms",
    )
