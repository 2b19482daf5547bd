"""The plan ofi-cvd-canary, as shipped: three thresholds that roll back by themselves; 48 hours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import Rollout
from tests.support.plans import DAY, MINUTE, Desk

STABLE = "signal: {merge_tol_ms: 1500, gate: 0}\nfusion: {w_ofi: 0.6, w_cvd: 0.4}\n"
NEW = "signal: {merge_tol_ms: 1500, gate: 0}\nfusion: {w_ofi: 0.7, w_cvd: 0.3}\n"
GOOD = {
    "cvd_direction_flipped_total": 0, "merge_time_diff_ms_p50": 500, "merge_time_diff_ms_p90": 1200,
    "merge_time_diff_ms_p99": 1500, "platt_train_samples": 7200, "platt_test_samples": 1800,
    "platt_ece": 0.05, "platt_brier": 0.15, "slice_auc_active_period": 0.58,
    "slice_auc_quiet_period": 0.52, "match_rate": 1.0, "sigma_floor_hit_rate": 0.01,
    "winsor_hit_rate": 0.01,
}  # fmt: skip
JUDGED = ("platt_ece", "platt_brier", "slice_auc_active_period", "merge_time_diff_ms_p99")


@pytest.fixture
def desk(tmp_path: Path, rollout: Rollout) -> Desk:
    """The canary in real on a new configuration, with a stable one behind it."""
    desk = Desk(tmp_path, rollout, "ofi-cvd-canary", STABLE)
    desk.put_file("config/ofi_cvd/prod.yaml", STABLE)
    desk.of(
        "config", "put", tmp_path / "config.yaml", "--in-force", "--stable", "--tag", "v1.9-prod"
    )
    with desk.trading():
        desk.of("switch", "--to", "mock")
        desk.of("switch", "--to", "real")
    desk.configure(NEW, "v2.0-prod")
    return desk


def test_three_minutes_of_48_hours_are_not_done_and_48_hours_are(desk: Desk) -> None:
    """S4 from start to end. I8: "fully completed" after three minutes (02:22-02:25) is INCONCLUSIVE."""
    desk.adopt()
    assert desk.preflight()["verdict"] == "GO"
    desk.of("phase", "enter", "canary")
    with desk.trading() as bot:
        bot.measures(**GOOD)
        desk.live(3 * MINUTE, *JUDGED, every=MINUTE)
        told = desk.of("gate", "eval", exits=4).out
        assert "3m of 2d" in told
        assert "has lasted 3m of the 2d" in desk.of("phase", "advance", exits=4).err
        desk.live(2 * DAY, *JUDGED)
    desk.of("gate", "eval")
    assert "is complete" in desk.of("phase", "advance").out
    assert "v2.0-prod" in desk.of("config", "list").out


TRIGGERS = {
    # kill criterion -> (metric, bad value, for how many minutes, threshold)
    "platt-ece": ("platt_ece", 0.12, 2, "0.1"),
    "merge-p99": ("merge_time_diff_ms_p99", 2300, 5, "2000"),
    "slice-auc": ("slice_auc_active_period", 0.54, 10, "0.55"),
}


def test_each_threshold_rolls_back_by_itself_after_its_time(desk: Desk) -> None:
    """T13, T15, T16, R7, R9, R10, R12; I9, I14: after 2, 5 and 10 minutes, and seen in incidents.json."""
    desk.adopt()
    desk.of("phase", "enter", "canary")
    with desk.trading() as bot, desk.watched():
        for number, (name, (metric, bad, minutes, threshold)) in enumerate(TRIGGERS.items()):
            bot.measures(**GOOD)
            if number:
                desk.configure(NEW.replace("0.7", f"0.7{number}"), f"v2.{number}-prod")
            desk.rounds(4, 30)
            bot.measures(**{metric: bad})
            desk.rounds(minutes * 2, 30)
            assert "w_ofi: 0.7" in desk.config(), f"{name} has to last {minutes} minutes"
            desk.rounds(2, 30)
            assert desk.config() == STABLE, name
            bot.measures(**GOOD)
            desk.rounds(11, 30)
            incident = desk.recorded(
                f"kill:canary/{name}", "rollback to", metric=metric, threshold=threshold,
                for_seconds=minutes * 60,
            )  # fmt: skip
            assert incident["fingerprint"]["before"] != incident["fingerprint"]["after"]
            assert incident["phase"] == "canary"
    assert desk.mode() == "real"
    # A retry does not redeploy what was left: it is in quarantine, until somebody says otherwise.
    assert "quarantine" in desk.of("config", "apply", "v2.0-prod", exits=None).err


def test_four_rules_speak_and_roll_nothing_back(desk: Desk) -> None:
    """A12-A15, T17: the report's four rules record; two of its metrics have a rule and no threshold.

    platt_brier has a threshold and no trigger: nothing happens, and the gate would not let it pass.
    """
    desk.adopt()
    with desk.trading() as bot, desk.watched():
        bot.measures(**GOOD)
        desk.rounds(2)
        bot.measures(
            cvd_direction_flipped_total=3, merge_time_diff_ms_p99=2300, platt_ece=0.2,
            slice_auc_active_period=0.5, platt_brier=0.3,
        )  # fmt: skip
        desk.rounds(4)
    fired = {row["sentence"].split("the alert ")[-1] for row in desk.happened("AlertFired")}
    for name in ("cvd_direction_flipped", "merge_time_diff_high", "platt_calibration_failure",
                 "slice_auc_low"):  # fmt: skip
        assert any(f"signal_analysis_{name}" in one for one in fired), fired
    assert not any("brier" in one for one in fired)
    assert desk.happened("RollbackRequested") == []
    assert desk.incidents() == {}


def test_the_other_names_of_the_same_metrics(desk: Desk) -> None:
    """Inconsistencies 37 and 39: names that drift are renamed; a value that is cut off triggers nothing."""
    desk.adopt()
    desk.of("phase", "enter", "canary")
    with desk.trading() as bot, desk.watched():
        bot.measures(slice_auc_active=0.54, merge_time_diff_p99=1500)
        desk.rounds(16, 45)
        assert desk.config() == STABLE
    rows = desk.of("metrics", "list", "-o", "json").json
    assert {"slice_auc_active_period", "merge_time_diff_ms_p99"} <= {row["metric"] for row in rows}
    (rolled_back,) = desk.happened("RollbackRequested")
    assert "slice-auc" in rolled_back["actor"]
