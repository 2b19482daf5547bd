"""`rollout pause` as a person types it: a whole process, from nothing to the written control file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.context import Bench
from bench.measure import Bar, Row, compared, in_turns

LOOK_EVERY = 5
IMPORTS = 'python -c "import psycopg, click"'


def measure(bench: Bench) -> Iterator[Row]:
    """Pause, and start a Python that imports the two libraries a pause can't do without, in turns."""
    rollout = Path(sys.executable).with_name("rollout")
    folder = bench.server.folder / "pause"
    folder.mkdir()
    # Without PYTHONDONTWRITEBYTECODE and its like: what is installed is compiled once, not at each start.
    inherited = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("ROLLOUT_", "PYTHON"))
    }
    environment = {
        **inherited,
        "ROLLOUT_HOME": str(bench.server.home or folder / "home"),
        "ROLLOUT_ACTOR": "human:bench",
    }
    if bench.server.home is None:
        environment["ROLLOUT_DSN"] = bench.server.new_ledger()
    processor: dict[str, list[float]] = {"ours": [], IMPORTS: []}

    def run(*words: str | Path) -> tuple[float, float, str]:
        return _run(environment, folder, *words)

    def pause() -> float:
        run(rollout, "resume", "bot", "--reason", "bench", "--yes")
        if len(processor["ours"]) % LOOK_EVERY == 0:
            run(rollout, "status", "bot")  # brings the read model up to the log, as any look does
        took, used, said = run(rollout, "pause", "bot", "--reason", "bench")
        if "bot is paused" not in said:
            raise RuntimeError(f"the pause said: {said}")
        processor["ours"].append(used)
        return took

    def imports() -> float:
        took, used, _ = run(sys.executable, "-c", "import psycopg, click")
        processor[IMPORTS].append(used)
        return took

    run(rollout, "system", "add", "bot", "--control-file", "mode.json")
    run(rollout, "pause", "bot", "--reason", "bench")
    samples = in_turns({"ours": pause, IMPORTS: imports}, bench.size(40, 5))
    fastest = min(samples["ours"]) / min(samples[IMPORTS])
    used = median(processor["ours"]) / median(processor[IMPORTS])
    yield compared(
        "rollout pause, whole process, cold", IMPORTS, samples, bar=Bar(1.6, at_most=True), unit="ms",
        note=f"the fastest of each: {fastest:.2f} ×; their processor time: {used:.2f} ×",
    )  # fmt: skip


def _run(
    environment: Mapping[str, str], folder: Path, *words: str | Path
) -> tuple[float, float, str]:
    """Run a program; return its milliseconds, those of a processor's time, and what it said."""
    began = perf_counter()
    process = subprocess.Popen(
        words, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout:
        said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    milliseconds = (perf_counter() - began) * 1000
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{words} ended with {process.returncode}: {said}")
    return milliseconds, (usage.ru_utime + usage.ru_stime) * 1000, said
