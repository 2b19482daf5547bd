"""kill -9 of a real `rollout watch`: while a rule is pending, while it acts, and with Postgres down (I12)."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support.commands import KILLED, Rollout
from tests.support.outages import give_back, take_away
from tests.support.watched import PROFILE, Desk

PAUSING = ("watch.after_evaluate", "watch.before_act", "switch.after_intent", "switch.after_act",
           "switch.after_outcome", "watch.after_act")  # fmt: skip
GOING_BACK = ("watch.before_act", "rollback.after_intent", "rollback.after_file",
              "rollback.after_step", "rollback.before_outcome", "rollback.after_outcome",
              "watch.after_act")  # fmt: skip
ALONE = ("watch.after_evaluate", "watch.before_act", "pause.after_spool_intent", "pause.after_act",
         "pause.after_spool_outcome", "watch.after_act")  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path, embedded_dsn: str) -> Desk:
    # `recover` sends what a killed watch has not sent, and knows no --base.
    profile = PROFILE.replace("path: told.jsonl", f"path: {tmp_path / 'told.jsonl'}")
    return Desk(tmp_path, Rollout(tmp_path / "home", embedded_dsn), profile=profile)


def pauses(desk: Desk) -> int:
    """Return how many switches to a pause the log tells of."""
    return sum("paused" in row["sentence"] for row in desk.rollout.log("bot", "ModeSwitched"))


def settled(desk: Desk) -> None:
    """A fresh process finishes what is left, once; one alert is one incident, and the log is whole."""
    desk("recover", "bot")  # a notice that was sent, say: the second watch is killed as well
    again = desk("recover", "bot", "-o", "json").json[0]
    assert (again["completed"], again["abandoned"]) == ([], [])
    assert not (desk.rollout.home / "spool" / "spool.jsonl").exists()
    incidents = desk("incident", "list", "bot", "-o", "json").json
    titles = [one["title"] for one in incidents if one["status"] != "resolved"]
    assert len(titles) == len(set(titles))
    desk("verify")


def killed(desk: Desk, place: str) -> None:
    """Have a watch run until it dies at ``place``."""
    with desk.watched(ROLLOUT_FAIL_AT=place) as process:
        while desk.round(process):
            pass
        assert process.wait(20) == KILLED


def test_while_a_rule_is_pending(desk: Desk) -> None:
    """I14: the condition's clock runs on from one process to the next, and not while nobody looked."""
    desk.stats(ece=0.2, latency=100)
    with desk.watched() as process:
        for _ in range(3):  # seen at 15 s; two minutes are over at 135 s
            assert desk.round(process)
        process.send_signal(signal.SIGKILL)
        assert process.wait(20) == KILLED
    desk.advance(600)
    with desk.watched() as process:
        assert desk.round(process, 0)
        for _ in range(5):
            assert desk.round(process)
        assert desk.config() == "size: 9\n"
        assert desk.round(process)
        assert desk.config() == "size: 1\n"
    assert desk.happened("RollbackCompleted") == ["RollbackCompleted"]
    settled(desk)


@pytest.mark.parametrize("place", PAUSING)
def test_while_it_pauses(desk: Desk, place: str) -> None:
    """I12: the next watch finishes what was begun; the bot is paused by one switch, on record once."""
    desk.stats(ece=0.05, latency=600)
    killed(desk, place)
    with desk.watched() as process:
        assert desk.round(process)
        assert desk.round(process)
        assert desk.mode() == "paused"
    settled(desk)
    assert pauses(desk) == 1
    begun = desk.happened("ModeSwitchRequested")
    assert len(begun) == len(desk.happened("ModeSwitched", "ModeSwitchAbandoned"))


@pytest.mark.parametrize("place", GOING_BACK)
def test_while_it_rolls_back(desk: Desk, place: str) -> None:
    """I12, I10: the next watch finishes the rollback to the last stable one, once."""
    desk.stats(ece=0.2, latency=100)
    killed(desk, place)
    with desk.watched() as process:
        assert desk.round(process)
        assert desk.round(process)
        assert desk.config() == "size: 1\n"
    settled(desk)
    assert desk.mode() == "real"
    assert desk.happened("RollbackCompleted") == ["RollbackCompleted"]


@pytest.mark.parametrize("place", ALONE)
def test_with_postgres_down(desk: Desk, place: str) -> None:
    """I5, I12: it dies at work without the ledger, and so does not the bot's pause."""
    with desk.watched() as process:  # so that this machine knows the plan and the mode
        assert desk.round(process)
    take_away(str(desk.rollout.dsn))
    try:
        desk.stats(ece=0.05, latency=600)
        killed(desk, place)
        with desk.watched() as process:
            assert desk.round(process)
            assert desk.round(process)
            assert desk.mode() == "paused"
            give_back(str(desk.rollout.dsn))
            desk.until(lambda: "AlertActionTaken" in desk.happened())
    finally:
        give_back(str(desk.rollout.dsn))
    settled(desk)
    assert pauses(desk) == 1


def test_with_postgres_down_while_a_rule_is_pending(desk: Desk) -> None:
    """I14, I5: without the ledger the clock runs on as well, from what this machine remembers."""
    desk.stats(ece=0.2, latency=100)
    with desk.watched() as process:
        assert desk.round(process)
        take_away(str(desk.rollout.dsn))
        try:
            for _ in range(3):
                assert desk.round(process)
            process.send_signal(signal.SIGKILL)
            assert process.wait(20) == KILLED
            with desk.watched() as second:
                for _ in range(4):
                    assert desk.round(second)
                assert desk.config() == "size: 9\n"
                assert desk.round(second)
                assert desk.config() == "size: 1\n"
        finally:
            give_back(str(desk.rollout.dsn))
    settled(desk)
    assert desk.happened("RollbackCompleted") == ["RollbackCompleted"]
