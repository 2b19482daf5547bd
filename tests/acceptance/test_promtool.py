"""The rule files that are shipped are Prometheus': its own tool reads them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ledger.profiles import shipped

RULES = sorted((shipped.FOLDER / "rules").glob("*.yaml"))


@pytest.mark.needs("promtool")
@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_promtool_reads_it(path: Path) -> None:
    """I8: what is shipped is not ours alone to understand."""
    result = subprocess.run(
        ["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
