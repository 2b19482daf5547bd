"""Random stories, each from its seed: people, rules, crashes, outages and clocks against the promises.

`make simulate SEEDS=0-999` plays more of them, and `make simulate SEEDS=417` plays one again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from tests.simulation.stories import play

FEW: Final = "0-99"
"""What the suite plays, unless ROLLOUT_TEST_SEEDS names others."""


def seeds() -> range:
    """Return the seeds of ``FROM-TO``, both among them, or of one number."""
    first, _, last = os.environ.get("ROLLOUT_TEST_SEEDS", FEW).partition("-")
    return range(int(first), int(last or first) + 1)


@pytest.mark.parametrize("seed", seeds())
def test_a_story_keeps_the_promises(seed: int, tmp_path: Path) -> None:
    """I2, I3, I5, I7, I8, I9, I10, I12, I14, I16: whatever happens, as the auditor's own books say."""
    play(seed, tmp_path)
