"""A bot under the ledger's eyes, for whoever attacks it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import Rollout

GOOD = "grid:\n  levels: 5   # what has run well\nsize: 10\n"


@pytest.fixture
def rollout(tmp_path: Path, embedded_dsn: str) -> Rollout:
    """The command line with a home and a ledger of its own."""
    return Rollout(tmp_path / "home", embedded_dsn)


@pytest.fixture
def bot(tmp_path: Path, rollout: Rollout) -> Rollout:
    """A bot in mock by its control file, on its good configuration, marked stable."""
    (tmp_path / "config.yaml").write_text(GOOD)
    rollout(
        "system", "add", "bot", "--control-file", tmp_path / "mode.json",
        "--config-file", tmp_path / "config.yaml",
    )  # fmt: skip
    rollout(
        "config", "put", "bot", tmp_path / "config.yaml", "--stable", "--in-force", "--tag", "good"
    )
    rollout("switch", "bot", "--to", "mock", "--reason", "rehearsal", "--yes")
    return rollout
