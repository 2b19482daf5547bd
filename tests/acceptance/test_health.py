"""`rollout status` calls a system healthy on evidence only: what runs, who watches, what is in force."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Rollout
from tests.support.running import python, run_words
from tests.support.watched import PROFILE, Desk


@pytest.fixture
def desk(tmp_path: Path, rollout: Rollout) -> Desk:
    return Desk(tmp_path, rollout)


def problems(desk: Desk) -> list[str]:
    """Return why the system is degraded, as status tells it of one and of all."""
    seen: Any = desk("status", "bot", "-o", "json", exits=None)
    assert seen.code == (3 if seen.json["problems"] else 0)
    assert seen.json["health"] == ("degraded" if seen.json["problems"] else "healthy")
    (row,) = desk("status", "-o", "json", exits=None).json
    assert row["problems"] == seen.json["problems"]
    return list(seen.json["problems"])


def test_a_watch_that_was_killed_in_real(desk: Desk) -> None:
    """I31: it says nothing itself. In mock nothing is at stake."""
    with desk.watched() as process:
        assert desk.round(process)
        assert problems(desk) == []
        process.kill()
    assert problems(desk) == []
    desk.advance(600)
    assert problems(desk) == ["nobody watches, and it is in real: no sign of life for 10m"]
    assert "nobody watches, and it is in real" in desk("status", "bot", exits=3).out
    desk("switch", "bot", "--to", "mock")
    assert problems(desk) == []


def test_a_program_that_crashed(desk: Desk) -> None:
    """I31: until it is started again."""
    desk(*run_words(desk.folder, *python("raise SystemExit(7)")), exits=7)
    assert any("crashed at" in one for one in problems(desk))
    assert "crashed at" in desk("status", "bot", exits=3).out
    desk(*run_words(desk.folder, *python("pass")))
    assert problems(desk) == []


def test_a_source_that_fails_and_what_nobody_sees(desk: Desk) -> None:
    """I8: no data is no sign that all is well."""
    desk.once()
    assert problems(desk) == []
    (desk.folder / "stats.json").unlink()
    desk.once()
    assert [one.partition(" fails:")[0] for one in problems(desk)] == ["source:stats"]
    for _ in range(4):
        desk.once(61)
    told = problems(desk)
    assert any(one.startswith("no data for LatencyHigh since") for one in told)
    desk.stats(ece=0.05, latency=100)
    desk.once()
    assert problems(desk) == []


def test_what_is_in_force_is_in_quarantine_or_above_the_limits(
    tmp_path: Path, rollout: Rollout
) -> None:
    """I34: whichever command put it there; and a rollback to it is refused as its apply is."""
    limited = PROFILE.replace("- {name: shadow,", "- {name: shadow, exposure: {size: 5},")
    desk = Desk(tmp_path, rollout, profile=limited)
    desk("config", "quarantine", "bot", "bad")
    assert any("is in quarantine" in one for one in problems(desk))
    desk("rollback", "bot", "--last-stable")
    assert problems(desk) == []
    refused = desk("rollback", "bot", "--to", "bad", exits=3).err
    assert "is in quarantine: it was left because it did harm" in refused
    assert desk.config() == "size: 1\n"
    desk("phase", "enter", "bot", "shadow")
    assert problems(desk) == []
    desk("config", "apply", "bot", "bad", "--override-quarantine")
    (above,) = [one for one in problems(desk) if "is not that of shadow" in one]
    assert "size is 9, more than the 5 of this phase" in above
