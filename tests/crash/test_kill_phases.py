"""kill -9 between every two steps of a phase that sets keys: configuration and phase agree after it (I12)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.fail_points import NAMES
from tests.support.commands import Rollout, Told

BASE = "grid:\n  levels: 5   # as agreed\n"
LIVE = "dry_run: true\nsize: 1  # USDT\n"
SMALL = ("grid:\n  levels: 10   # as agreed\n", "dry_run: false\nsize: 1  # USDT\n")
PLAN = """
profile: grid
environment: production
phases:
  - name: shadow
  - name: small
    overlay: {overlay}
    entry: {{approvals: {{roles: {{ops_lead: 1}}}}}}
"""
OVERLAYS = {
    "both files": ("{dry_run: false, grid.levels: 10}", SMALL),
    "the first file": ("{grid.levels: 10}", (SMALL[0], LIVE)),
    "the second file": ("{dry_run: false}", (BASE, SMALL[1])),
}


class Desk:
    """A bot with two configuration files, in the first phase of its plan; the second one is signed for."""

    def __init__(self, folder: Path, rollout: Rollout, overlay: str) -> None:
        self.rollout = rollout
        self.paths = (folder / "base.yaml", folder / "live.yaml")
        self.write(BASE, LIVE)
        (folder / "plan.yaml").write_text(PLAN.format(overlay=overlay))
        files = [word for path in self.paths for word in ("--config-file", path)]
        self("system", "add", "bot", *files)
        self("config", "put", "bot", *self.paths, "--in-force", "--stable", "--tag", "base")
        self("profile", "adopt", "bot", folder / "plan.yaml")
        self("phase", "enter", "bot", "shadow")
        self.sign()

    def __call__(
        self, *words: str | Path, exits: int | None = 0, fail_at: str | None = None
    ) -> Told:
        env = {"ROLLOUT_REASON": "agreed", "ROLLOUT_YES": "1"}
        return self.rollout(*words, exits=exits, fail_at=fail_at, **env)

    def sign(self) -> None:
        self("approve", "request", "bot", "phase:small")
        name = self("approve", "list", "bot", "-o", "json").json[0]["request"]
        self.rollout(
            "approve", "grant", "bot", name, "--role", "ops_lead", ROLLOUT_ACTOR="human:ops",
            ROLLOUT_REASON="read",
        )  # fmt: skip

    def write(self, *texts: str) -> None:
        for path, text in zip(self.paths, texts, strict=True):
            path.write_text(text)

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(path.read_text() for path in self.paths)

    @property
    def phase(self) -> str:
        rows = self("phase", "list", "bot", "-o", "json").json
        return next((row["phase"] for row in rows if row["status"] == "progressing"), "none")

    def count(self, type_: str) -> int:
        return len(self.rollout.log("bot", type_))


Made = Callable[[str], Desk]


@pytest.fixture
def desk(tmp_path: Path, embedded_dsn: str) -> Made:
    return lambda overlay: Desk(tmp_path, Rollout(tmp_path / "home", embedded_dsn), overlay)


def points(*kinds: str) -> list[str]:
    return sorted(name for name in NAMES if name.partition(".")[0] in kinds)


@pytest.mark.parametrize("which", OVERLAYS)
@pytest.mark.parametrize("point", points("phase", "apply"))
def test_an_advance_killed_anywhere(which: str, point: str, desk: Made) -> None:
    """I12, I9: nothing written: given up, and nothing raised by who comes after; begun: finished, once."""
    overlay, after = OVERLAYS[which]
    bot = desk(overlay)
    bot("phase", "advance", "bot", fail_at=point)
    untouched = bot.files == (BASE, LIVE)
    bot("recover", "bot")
    if untouched:
        assert (bot.files, bot.phase) == ((BASE, LIVE), "shadow")
        assert bot.count("PhaseAdvanced") == 0
        bot("phase", "advance", "bot")
    assert (bot.files, bot.phase) == (after, "small")
    assert (bot.count("PhaseAdvanced"), bot.count("ConfigApplied")) == (1, 2)
    assert bot.count("ConfigApplyFailed") == (point != "phase.after_register" and untouched)
    assert bot("recover", "bot", "-o", "json").json[0]["completed"] == []
    bot("drift", "bot")
    bot("verify")


@pytest.mark.parametrize("point", [p for p in points("apply") if p != "apply.after_outcome"])
def test_the_same_command_again_finishes_it(point: str, desk: Made) -> None:
    """I12: nobody has to know of recover; and it does not go on to the phase after that one."""
    bot = desk(OVERLAYS["both files"][0])
    bot("phase", "advance", "bot", fail_at=point)
    begun = bot.files != (BASE, LIVE)
    told = bot("phase", "advance", "bot")
    assert (
        "skipped (what a crash left was finished just now: it is in small)" in told.out
    ) == begun
    assert (bot.files, bot.phase) == (SMALL, "small")
    assert bot.count("PhaseAdvanced") == 1
    bot("drift", "bot")


@pytest.mark.parametrize("decided", ["hold", "abort"])
def test_half_written_and_decided_against_it_is_given_up(decided: str, desk: Made) -> None:
    """I9, I12: what a person said after the crash counts: nobody writes the rest of it."""
    bot = desk(OVERLAYS["both files"][0])
    bot("phase", "advance", "bot", fail_at="apply.after_file")
    assert bot.files == (SMALL[0], LIVE)
    bot("phase", decided, "bot")
    told = bot("recover", "bot", "-o", "json", exits=None).json[0]
    assert "its phase was decided against since" in told["abandoned"][0]
    assert bot.files == (SMALL[0], LIVE)
    assert bot.count("PhaseAdvanced") == 0
    assert "grid.levels" in bot("drift", "bot", exits=3).out
    bot("rollback", "bot", "--to", "base")
    assert bot.files == (BASE, LIVE)


@pytest.mark.parametrize("point", points("rollback"))
def test_an_abort_killed_anywhere_puts_back_what_was_before(point: str, desk: Made) -> None:
    """I12: the rollout is given up and the configuration goes back: both, whatever comes between."""
    bot = desk(OVERLAYS["both files"][0])
    bot("phase", "advance", "bot")
    bot("phase", "abort", "bot", fail_at=point)
    bot("recover", "bot")
    assert (bot.files, bot.phase) == ((BASE, LIVE), "none")
    assert (bot.count("PhaseAborted"), bot.count("RollbackCompleted")) == (1, 1)
    bot("drift", "bot")
