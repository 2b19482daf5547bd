"""Golden files: what a report said when somebody last read it through.

`ROLLOUT_TEST_GOLDEN=write pytest ...` writes them anew; read the difference before it is committed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "vectors" / "sheet_reports"


def check_golden(name: str, text: str, masks: Mapping[str, str]) -> None:
    """Compare ``text`` with a golden file; ``masks`` (pattern -> replacement) hide what varies."""
    for pattern, shown in masks.items():
        text = re.sub(pattern, shown, text, flags=re.MULTILINE)
    path = FOLDER / name
    if os.environ.get("ROLLOUT_TEST_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path} says otherwise"
