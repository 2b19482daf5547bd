"""The plan ofi-cvd-t0, as shipped: service levels over 10 and 5 minutes, slices, down-sizing, 24-48 hours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import Rollout
from tests.support.plans import HOUR, MINUTE, Desk

STABLE = "merge_tol_ms: 1500\ncvd_direction: flipped\ngate: 0\n"
NEW = "merge_tol_ms: 1200\ncvd_direction: flipped\ngate: 0\n"
GOOD = {
    "fusion_auc_active": 0.585, "ece": 0.08, "brier_improvement": 0.06, "match_rate": 1.0,
    "merge_time_diff_ms_p99": 762, "platt_test_samples": 56035, "platt_train_samples": 130746,
    "cvd_direction": 1,
    'slice_auc{slice="london"}': 0.589, 'slice_auc{slice="tokyo"}': 0.579,
}  # fmt: skip
PRE_CANARY = '{"cases_passed": 3, "switch_ms": 80, "rollbacks_succeeded": 1, "packet_loss": 0}'
JUDGED = (
    "fusion_auc_active", "ece", "brier_improvement", "merge_time_diff_ms_p99", "match_rate",
)  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path, rollout: Rollout) -> Desk:
    """The system in real on a new configuration, with a stable one behind it, in the canary phase."""
    desk = Desk(tmp_path, rollout, "ofi-cvd-t0", STABLE)
    desk.put_file("config/ofi_cvd/prod.yaml", STABLE)
    (tmp_path / "artifacts/runtime").mkdir(parents=True)
    desk.of(
        "config", "put", tmp_path / "config.yaml", "--in-force", "--stable", "--tag", "v1.9-prod"
    )
    with desk.trading():
        desk.of("switch", "--to", "mock")
        desk.of("switch", "--to", "real")
    desk.configure(NEW, "v2.0-prod")
    desk.adopt()
    desk.of("phase", "enter", "canary")
    return desk


def test_from_eight_minutes_to_the_approved_expansion(desk: Desk) -> None:
    """S3 from start to end. I8: 8 minutes with copied numbers are INCONCLUSIVE; one bad slice is NO_GO."""
    desk.preflight(exits=3)  # P20: what has to be done before is not there
    desk.put_file("artifacts/pre_canary/summary.json", PRE_CANARY)
    found = desk.preflight()
    assert (found["verdict"], found["curves"]["result"]) == ("GO", "FAIL")  # P26: a P2, shown
    with desk.trading() as bot:
        # The pre-check's numbers (inconsistency 27), as 1,440 rows that somebody hands in (25): the gate
        # counts what was measured since the phase began, by its own times.
        bot.measures(**GOOD)
        desk.live(8 * MINUTE, *JUDGED, every=MINUTE)
        assert "8m of 1d" in desk.of("gate", "eval", exits=4).out
        assert "has lasted 8m of the 1d" in desk.of("phase", "advance", exits=4).err
        bot.measures(fusion_auc_active=0.572)
        desk.live(20 * MINUTE, *JUDGED)
        bot.measures(**GOOD)
        desk.live(23 * HOUR + 40 * MINUTE, *JUDGED)
        told = desk.of("gate", "eval", "-o", "json", exits=3).json
        results = {one["name"]: one["result"] for one in told["criteria"]}
        assert results == {
            "auc-active": "fail", "ece": "pass", "brier": "pass", "merge-p99": "pass",
            "match-rate": "pass", "no-p1": "pass",
        }  # fmt: skip
        desk.live(HOUR, *JUDGED)
    told = desk.of("gate", "eval", "-o", "json").json
    (auc,) = [one for one in told["criteria"] if one["name"] == "auc-active"]
    assert auc["samples"] >= 288
    assert "needs approval" in desk.of("phase", "advance", exits=8).err
    desk.of("approve", "request", "phase:expanded", ROLLOUT_ACTOR="agent:assistant")
    (request,) = desk.of("approve", "list", "-o", "json").json
    # "Approved by nobody in particular" (34): a person, in a role, on a date; an assistant is none.
    grant = ("approve", "grant", request["request"], "--role", "owner")
    desk.of(*grant, exits=3, ROLLOUT_ACTOR="agent:assistant")
    desk.of(*grant, "--signed-on", "2025-12-02", ROLLOUT_ACTOR="human:wang")
    assert "is in expanded" in desk.of("phase", "advance").out
    scope = desk.of("status", "-o", "json").json["rollout"]["phase"]["scope"]
    assert scope["symbols"] == ["BTCUSDT", "ETHUSDT", "ADAUSDT", "SOLUSDT"]
    assert "is complete" in desk.of("phase", "advance").out


def test_down_size_first(desk: Desk) -> None:
    """T6, T7, T9, T17, R14, A16-A18, M20-M23; I9, I14: the smallest step that helps; it ends by itself."""
    with desk.trading() as bot, desk.watched():
        bot.measures(**GOOD)
        desk.rounds(8, 45)
        bot.measures(fusion_auc_active=0.5, ece=0.3, merge_time_diff_ms_p99=2500)
        bot.measures(**{'slice_auc{slice="tokyo"}': 0.4})
        desk.rounds(6, 45)
        assert desk.mitigations() == []
        assert desk.until(lambda: "override merge_tol_ms" in desk.mitigations(), 45) <= 3  # 5 m
        assert desk.until(lambda: len(desk.mitigations()) == 4, 45) >= 6  # 10 m
        assert set(desk.mitigations()) == {
            "override merge_tol_ms", "down_weight active", "pause_slice tokyo", "pause_calibration",
        }  # fmt: skip
        assert '"value": 1700' in (desk.folder / "data/mitigations.json").read_text()
        bot.measures(**GOOD)
        for turn in range(8):
            bot.measures(cvd_direction=turn % 2)
            desk.rounds(1, 45)
        assert "lock cvd_direction" in desk.mitigations()
        desk.rounds(10, 45)
        for rule, action, metric, threshold, seconds in (
            ("FusionAucLow", "down-weight-slice active", "fusion_auc_active", "0.58", 600),
            ("SliceAucLow", "pause-slice tokyo", "slice_auc", "0.55", 600),
            ("EceHigh", "pause-calibration", "ece", "0.10", 600),
            ("MergeP99High", "widen-merge-tolerance", "merge_time_diff_ms_p99", "2000", 300),
            ("DirectionFlips", "lock-direction", "cvd_direction", "6", 0),
        ):
            incident = desk.recorded(
                rule, action, metric=metric, threshold=threshold, for_seconds=seconds
            )
            assert incident["fingerprint"]["before"] == incident["fingerprint"]["after"]
        desk.rounds(1, 2 * HOUR.total_seconds())
        assert desk.mitigations() == []
    assert desk.config().startswith("merge_tol_ms: 1200")
    assert desk.mode() == "real"


def test_a_p1_that_nobody_closes_within_30_minutes_rolls_back(desk: Desk) -> None:
    """T11, T12, R9-R11, A17; I9, I10: calibration is paused first, then the stable one is put back."""
    with desk.trading() as bot, desk.watched():
        bot.measures(**GOOD)
        desk.rounds(8, 45)
        bot.measures(platt_test_samples=0)
        assert 13 <= desk.until(lambda: "pause_calibration" in desk.mitigations(), 45) <= 16
        desk.rounds(2, 45)  # what is seen within five minutes of the action counts as after
        desk.rounds(3, 560)
        assert desk.config() != STABLE
        desk.rounds(2, 40)
        assert desk.config() == STABLE
        bot.measures(**GOOD)
        desk.rounds(10, 40)
        first = desk.recorded(
            "PlattWithoutSamples", "pause-calibration", metric="platt_test_samples", threshold="0",
            for_seconds=600,
        )  # fmt: skip
        assert "RollbackCompleted" in {entry["event"] for entry in first["timeline"]}
        escalated = desk.incidents()["P1OpenTooLong"]
        assert "rollback to" in escalated["action"]
        assert escalated["why"]["expr"] == 'rollout_alert_open_seconds{severity="critical"} > 1800'
        assert escalated["fingerprint"]["before"] != escalated["fingerprint"]["after"]
    assert len(desk.happened("RollbackCompleted")) == 1
