"""A canary of the OFI+CVD system, played on a clock in a file: what reports are made from."""

from __future__ import annotations

import json
import re
import resource
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ledger.profiles import shipped
from tests.support.commands import Rollout, Told

ROOT = Path(__file__).parents[2]
SHIPPED = shipped.FOLDER / "ofi-cvd-t0.yaml"
START = datetime(2025, 10, 22, 4, 27, tzinfo=UTC)
TAG = "20251022_T+0_canary_v1"
SYSTEM = "ofi-cvd"
SLICES = {"active": 0.585, "quiet": 0.578, "tokyo": 0.572, "london": 0.589, "ny": 0.581}
GOOD = {
    "fusion_auc_active": 0.585, "ece": 0.08, "brier_improvement": 0.06, "platt_test_samples": 1800,
    "merge_time_diff_ms_p50": 310, "merge_time_diff_ms_p90": 590, "merge_time_diff_ms_p99": 762,
    "match_rate": 1,
}  # fmt: skip


class Canary:
    """The system under its plan, and the clock that the test moves."""

    def __init__(self, folder: Path, rollout: Rollout, plan: Path = SHIPPED) -> None:
        self.folder = folder
        self._rollout = rollout
        self.clock = folder / "clock"
        self.now = START - timedelta(hours=1)
        self.to(self.now)
        (folder / "prod.yaml").write_text("merge_tol_ms: 1500\nfusion: {gate: 0, w: [0.6, 0.4]}\n")
        self("system", "add", SYSTEM, "--control-file", folder / "mode.json",
             "--config-file", folder / "prod.yaml",
             "--mitigation-file", folder / "mitigations.json")  # fmt: skip
        self("config", "put", SYSTEM, folder / "prod.yaml", "--in-force", "--stable",
             "--tag", "v2.0-prod")  # fmt: skip
        self("profile", "adopt", SYSTEM, self._plan(plan))
        self("switch", SYSTEM, "--to", "mock")
        self.to(START)

    def __call__(self, *words: str | Path, exits: int = 0, **env: str) -> Told:
        given = {
            "ROLLOUT_CLOCK": str(self.clock), "ROLLOUT_YES": "1", "ROLLOUT_REASON": "as agreed",
        }  # fmt: skip
        return self._rollout(*words, exits=exits, **{**given, **env})

    def log(self, *types: str) -> list[dict[str, Any]]:
        """Return the system's events of those types, oldest first."""
        return self._rollout.log(SYSTEM, *types)

    def limited(self, *words: str | Path) -> Told:
        """Run a command that may write no file of more than 8 KiB, as on a disk that is full."""
        process = self._rollout.start(*words, ROLLOUT_CLOCK=str(self.clock))
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (8192, 8192))
        told, _ = process.communicate(timeout=120)
        return Told(process.returncode, told, told)

    def to(self, moment: datetime) -> None:
        """Move the clock."""
        self.now = moment
        self.clock.write_text(moment.isoformat())

    def _plan(self, plan: Path) -> Path:
        """Return the plan, with one check in the place of those that look at this machine."""
        (self.folder / "rules").mkdir()
        rules = Path("rules/ofi-cvd-t0.yaml")
        (self.folder / rules).write_bytes((plan.parent / rules).read_bytes())
        check = "checks:\n  - {name: quiet, kind: alerts_open, none_of: critical}\n"
        text = re.sub(r"^checks:\n(?:(?:  .*)?\n)+", check, plan.read_text(), flags=re.MULTILINE)
        (self.folder / plan.name).write_text(text)
        return self.folder / plan.name

    def go_live(self) -> None:
        """Enter the canary phase, in real mode."""
        self("phase", "enter", SYSTEM, "canary")
        self("preflight", "run", SYSTEM)
        self("switch", SYSTEM, "--to", "real")

    def lines(
        self, minutes: int, every: int = 1,
        value: Callable[[str, int], float | None] = lambda _name, _minute: None,
    ) -> Path:  # fmt: skip
        """Write what the system measures from now on, a line a value; ``value`` changes some of them."""
        path = self.folder / "metrics.jsonl"
        with path.open("w") as file:
            for minute in range(0, minutes + 1, every):
                at = (self.now + timedelta(minutes=minute)).isoformat()
                for name, labels, usual in _series(minute):
                    found = value(name + labels.get("slice", ""), minute)
                    sample = {"metric": name, "labels": labels, "at": at,
                              "value": usual if found is None else found}  # fmt: skip
                    file.write(json.dumps(sample) + "\n")
        return path

    def run(self, minutes: int, lines: Path) -> None:
        """Run the system under supervision, for so long by its clock; it records ``lines`` itself."""
        end = (self.now + timedelta(minutes=minutes)).isoformat()
        program = (
            "import pathlib, subprocess, sys; "
            f"pathlib.Path({str(self.clock)!r}).write_text({end!r}); "
            "sys.exit(subprocess.run([sys.executable, '-m', 'cli.main', 'metrics', 'put', "
            f"{SYSTEM!r}, '--file', {str(lines)!r}], cwd={str(ROOT)!r}).returncode)"
        )
        self("run", SYSTEM, "--run-tag", TAG, "--countdown", "0", "--out", self.folder / "runtime",
             "--", sys.executable, "-c", program)  # fmt: skip
        self.now = datetime.fromisoformat(end)

    def report(self, name: str, *words: str | Path, exits: int = 0) -> Told:
        """Write the canary report into the folder ``name``."""
        return self("report", "canary", SYSTEM, "--out", self.folder / name, *words, exits=exits)

    def document(self, name: str) -> Any:
        """Return the JSON of a report."""
        return json.loads((self.folder / name / "T+0_final_report.json").read_bytes())


def _series(minute: int) -> list[tuple[str, Mapping[str, str], float]]:
    wave = round(0.001 * ((minute * 7 + minute // 5) % 5 - 2), 4)
    found: list[tuple[str, Mapping[str, str], float]] = [
        (name, {}, round(value * (1 + wave), 6) if name != "match_rate" else value)
        for name, value in GOOD.items()
    ]
    return found + [
        ("slice_auc", {"slice": name}, round(auc + wave, 6)) for name, auc in SLICES.items()
    ]
