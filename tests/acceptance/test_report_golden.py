"""The canary report, file by file, in both languages: what it looks like is agreed, and changes on purpose.

To take over what it says now: ROLLOUT_TEST_GOLDEN=write pytest tests/acceptance/test_report_golden.py
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path

from tests.support.canary import START, SYSTEM, TAG, Canary
from tests.support.commands import Rollout

GOLDEN = Path(__file__).parents[1] / "vectors" / "canary_report"
ENGLISH = (
    "T+0_final_report.md", "T+0_final_report.json", "T+0_final_report.html",
    "slices_overview.csv", "calibration_summary.csv", "merge_time_diff_ms.csv",
    "metrics_timeseries.csv", "monitoring_dashboard.json", "monitoring_report.json",
    "process_info.json", "run_tag.txt",
)  # fmt: skip
CHINESE = ("T+0_final_report.md", "T+0_final_report.html")


def test_the_report_is_what_was_agreed(tmp_path: Path, rollout: Rollout) -> None:
    """I7: the same history gives the same files, but for what a database and a machine make up."""
    canary = Canary(tmp_path, rollout, GOLDEN / "plan.yaml")
    canary.go_live()
    canary.run(
        8, canary.lines(12, value=lambda name, _: 0.54 if name == "slice_auctokyo" else None)
    )
    canary.to(START + timedelta(minutes=9))
    canary("alert", "raise", SYSTEM, "EceHigh", "--severity", "critical", "-m", "ece | 0.2")
    canary.report("en", "--run-tag", TAG)
    canary.report("zh", "--run-tag", TAG, "--lang", "zh")
    found = {f"en/{name}": _plain(canary, tmp_path / "en" / name) for name in ENGLISH}
    found |= {f"zh/{name}": _plain(canary, tmp_path / "zh" / name) for name in CHINESE}
    if os.environ.get("ROLLOUT_TEST_GOLDEN") == "write":
        for name, text in found.items():
            (GOLDEN / name).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN / name).write_text(text, encoding="utf-8")
    for name, text in found.items():
        assert text == (GOLDEN / name).read_text(encoding="utf-8"), name


def _plain(canary: Canary, path: Path) -> str:
    """Return a file's text without what differs by machine and run: hashes, processes, drawings."""
    text = path.read_text(encoding="utf-8")
    source = canary.document(path.parent.name)["provenance"]
    text = text.replace(source["chain"], "CHAIN")
    text = re.sub(r'"projections": \{[^}]*\}', '"projections": {}', text)
    text = re.sub(r"system_state \d+.*metric_blocks \d+", "PROJECTIONS", text)
    text = re.sub(r'"(pid|seconds)": \d+', r'"\1": 0', text)
    text = re.sub(r'"host": "[^"]*"', '"host": "HOST"', text)
    text = re.sub(r'"command": \[\n.*?\n\s*\]', '"command": []', text, flags=re.DOTALL)
    return re.sub(r"<svg.*?</svg>", "<svg/>", text, flags=re.S)
