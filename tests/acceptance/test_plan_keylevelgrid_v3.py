"""The plan keylevelgrid-v3, as shipped: three stages behind feature switches, three dated signatures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.commands import Rollout
from tests.support.plans import DAY, HOUR, Desk

V2 = """mode: production
grid: {per_grid_amount: 10, max_levels: 5}
v3_features: {level_generation_enabled: false}
"""
STAGING = """mode: staging
grid: {per_grid_amount: 10, max_levels: 5}
v3_features: {level_generation_enabled: true, score_refresh_only: true}
"""
SMALL = """mode: production
grid: {per_grid_amount: 10, max_levels: 5}
v3_features: {level_generation_enabled: true, atomic_rebuild_enabled: true, score_refresh_only: false}
"""
FULL = """mode: production
grid: {per_grid_amount: 100, max_levels: 10}
v3_features: {level_generation_enabled: true, atomic_rebuild_enabled: true, kline_sync_enabled: true}
"""
LEADS = ("dev_lead", "test_lead", "ops_lead")
STATE = "state/key_level_grid/gate/btcusdt_state.json"
STATS = "state/key_level_grid/gate/btcusdt_stats.json"
GOOD = {
    "levels_generated": 7, "anchor_drift": 0.01, "sync_delay_seconds": 20, "alarms": 0, "klines_synced": 1,
    "naked_levels": 0, "fill_counter": 0, "support_levels": 7, "rebuilds": 1,
}  # fmt: skip
JUDGED = ("levels_generated", "klines_synced", "fill_counter")
THEIR_NAMES = {"sync_delay_seconds": "sync_delay_sec", "klines_synced": "synced"}


class Grid(Desk):
    """The desk, with the strategy's code, its tests, and the two files of its state."""

    def __init__(self, folder: Path, rollout: Rollout) -> None:
        super().__init__(folder, rollout, "keylevelgrid-v3", V2)
        self.put_file("tests/test_grid.py", "def test_levels():\n    assert True\n")
        for module, name in (
            ("level_calculator", "LevelCalculator"), ("data/feeds", "MTFKlineFeed"),
            ("strategy/grid", "AtomicRebuildExecutor"),
        ):  # fmt: skip
            self.put_file(f"src/key_level_grid/{module}.py", f"class {name}: ...\n")
        self.put_file("configs/config.yaml", V2)
        self.put_file("configs/config_v3_staging.yaml", STAGING)
        self.put_file(STATE, "{}")
        self.of("config", "put", folder / "config.yaml", "--in-force", "--stable", "--tag", "v2.0")
        self.adopt()
        self.of("switch", "--to", "mock")

    def stands(self, **values: float) -> None:
        """Have the bot tell this, and write it into its state files."""
        told = {**GOOD, **values}
        state = {
            "fill_counter": told["fill_counter"],
            "support_levels_state": [0] * int(told["support_levels"]),
            "rebuild_logs": [{}] * int(told["rebuilds"]),
        }
        stats = {THEIR_NAMES.get(name, name): value for name, value in told.items()}
        self.bot.tell(metrics=told, edit={STATE: json.dumps(state), STATS: json.dumps(stats)})

    def to_real(self) -> None:
        """Go to real: with checks of today, and three signatures for this configuration."""
        self.preflight()
        self.grant("mode:real", *LEADS)
        self.of("switch", "--to", "real")


@pytest.fixture
def grid(tmp_path: Path, rollout: Rollout) -> Grid:
    return Grid(tmp_path, rollout)


def test_three_stages_with_three_signatures(grid: Grid) -> None:
    """S0 from start to end: M1-M3, M13, M24, P8, P9, P22, P23; inconsistencies 12 and 17. I8, I11."""
    with grid.trading() as bot:
        grid.stands()
        # What a file is called says nothing (12): the phase sets what it wants to stand in it.
        grid.configure(STAGING.replace("refresh_only: true", "refresh_only: false"), "v3-staging")
        grid.of("phase", "enter", "simulation")
        assert (grid.folder / "config.yaml").read_text() == STAGING
        assert bot.tell(orders=1)["orders"] == ["simulated"]
        grid.live(DAY, *JUDGED)
        grid.of("gate", "eval")

        grid.configure(SMALL, "v3-small")
        grid.of("gate", "eval")
        found = grid.preflight()
        assert (found["unit-tests"]["result"], found["modules-import"]["result"]) == (
            "PASS",
            "PASS",
        )
        assert found["sign-offs"]["result"] == "FAIL"  # P1: shown, and the phase asks for itself
        assert "needs approval" in grid.of("phase", "advance", exits=8).err
        grid.grant("phase:small_live", "dev_lead", "test_lead")
        told = grid.of("phase", "advance", exits=8).err
        assert "ops_lead" in told
        grid.grant("phase:small_live", *LEADS)
        shown = grid.of("approve", "list").out
        assert "ops_lead: ops_lead on 2025-12-02" in shown
        grid.of("phase", "advance")
        grid.preflight()
        grid.of("switch", "--to", "real")  # the three who signed for the phase signed for its mode
        assert bot.tell(orders=1)["orders"] == ["filled"]
        for fills in range(1, 5):
            grid.stands(fill_counter=fills)
            grid.live(18 * HOUR, *JUDGED)
        grid.of("gate", "eval")

        grid.configure(FULL, "v3-full")
        grid.of("gate", "eval")
        # Signed for another configuration: that is stale (I11), and nobody signs for ever.
        assert "needs approval" in grid.of("phase", "advance", exits=8).err
        grid.grant("phase:full", *LEADS)
        grid.of("phase", "advance")
    diff = grid("config", "diff", grid.system, "v3-small", "v3-full").out
    assert "score_refresh_only" in diff  # unset is not false (17)
    assert "is complete" in grid.of("phase", "advance").out


TRIGGERS = {
    # rule -> (what stands in the state files, metric, threshold, for)
    "SyncDelayHigh": ({"sync_delay_seconds": 150}, "sync_delay_seconds", "120", 60),
    "AlarmLogged": ({"alarms": 2}, "alarms", "0", 0),
    "kill:small_live/naked-run": ({"naked_levels": 1}, "naked_levels", "0", 60),
    "LevelsFew": ({"levels_generated": 2}, "levels_generated", "3", 300),
    "AnchorDriftHigh": ({"anchor_drift": 0.07}, "anchor_drift", "0.05", 300),
}


def test_each_alarm_pauses_and_the_band_below_it_warns(grid: Grid) -> None:
    """T1-T5, R1, R7, A19, P23; inconsistency 14: normal, a band that warns, alarm. I9."""
    grid.configure(STAGING, "v3-staging")
    for subject in ("phase:simulation", "phase:small_live", "mode:real"):
        grid.of("gate", "waive", subject, "--break-glass", "--until", "1d")
    grid.of("phase", "enter", "simulation")
    grid.configure(SMALL, "v3-small")
    grid.of("phase", "advance")
    with grid.trading() as bot, grid.watched():
        grid.stands()
        grid.rounds(2)
        grid.stands(levels_generated=4, anchor_drift=0.04, sync_delay_seconds=80, rebuilds=5)
        grid.rounds(9, 45)
        for rule in ("LevelsBelowNormal", "AnchorDriftOdd", "SyncDelayOdd", "RebuildsMany"):
            assert f"{rule} is firing" in grid.watch_said()
        assert grid.mode() == "mock"
        for rule, (state, metric, threshold, seconds) in TRIGGERS.items():
            grid.stands(rebuilds=5)
            grid.rounds(2)
            grid.of("switch", "--to", "mock")
            grid.of("switch", "--to", "real")
            grid.stands(rebuilds=5, **state)
            grid.rounds(seconds // 45 + 2, 45)
            assert bot.tell(orders=1)["orders"] == ["rejected"], (rule, grid.watch_said())
            grid.stands(rebuilds=5)
            grid.rounds(7, 45)
            grid.recorded(rule, "paused/", metric=metric, threshold=threshold, for_seconds=seconds)
        grid.stands(rebuilds=12)
        grid.rounds(2)
        assert "RebuildsTooMany is firing" in grid.watch_said()


def test_quick_rollback_by_the_switch_and_a_restart(grid: Grid) -> None:
    """R5, R8, R10, R13; inconsistency 13: the switch goes off in the file that runs, and it starts again."""
    grid.configure(SMALL, "v3-small")
    off = SMALL.replace("level_generation_enabled: true", "level_generation_enabled: false")
    with grid.supervised("before") as bot:
        grid.stands()
        running = bot.tell()
        assert running["mode"] == "mock"
        with grid.watched():
            grid.rounds(2)
            # Somebody edits the file that runs, by night: that is drift, key by key, and no secret change.
            bot.tell(edit={"config.yaml": SMALL.replace("max_levels: 5", "max_levels: 50")})
            grid.rounds(2)
            assert "was changed by hand" in grid.watch_said()
            grid.stands(alarms=2)
            grid.rounds(2)
        assert grid.mode() == "paused"
    grid.configure(off, "v3-off")
    with grid.supervised("after") as bot:
        assert bot.tell(orders=1)["orders"] == ["rejected"]  # the pause outlives the restart
    run = json.loads((grid.folder / "artifacts/runtime/run.json").read_text())
    listed = {row["tags"]: row for row in grid.of("config", "list", "-o", "json").json}
    assert run["config_fingerprint"] == listed["v3-off"]["fingerprint"]
    assert listed["v3-off"]["in_force"]
    assert "level_generation_enabled" in grid.of("config", "blame").out
    # And from there to the last stable one, by hand, with a reason, on the record.
    grid.of("rollback", "--last-stable")
    assert grid.config() == V2
    incident = grid.incidents()["AlarmLogged"]
    assert [one["type"] for one in incident["actions"]] == ["rule"]
    assert "RollbackCompleted" in {entry["event"] for entry in incident["timeline"]}
    assert incident["fingerprint"]["after"] == listed["v2.0"]["fingerprint"]
