"""kill -9 of who puts a mitigation in force or lifts it; whoever comes next finishes it, once (I12)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.commands import KILLED, Rollout
from tests.support.watched import Desk

FINISHERS = ["watch", "recover", "list", "switch"]
APPLY = ("mitigation", "apply", "bot", "calm")


@pytest.fixture
def desk(tmp_path: Path, embedded_dsn: str) -> Desk:
    return Desk(tmp_path, Rollout(tmp_path / "home", embedded_dsn))


def told(desk: Desk) -> list[str]:
    """Return the mitigations that the bot reads."""
    path = desk.folder / "mitigations.json"
    if not path.exists():
        return []
    return [one["mitigation"] for one in json.loads(path.read_text())["mitigations"]]


def finish(desk: Desk, how: str) -> None:
    """Let somebody come by who does something else."""
    if how == "watch":
        desk.once()
    elif how == "recover":
        desk("recover", "bot")
    elif how == "list":
        desk("mitigation", "list", "bot")
    else:
        desk("switch", "bot", "--to", "mock")


@pytest.mark.parametrize("finisher", FINISHERS)
@pytest.mark.parametrize("place", ["mitigate.after_intent", "mitigate.after_act"])
def test_killed_while_it_is_put_in_force(desk: Desk, place: str, finisher: str) -> None:
    """I12: the intent is in the log, so whoever comes next carries it out."""
    desk(*APPLY, exits=KILLED, ROLLOUT_FAIL_AT=place)
    assert told(desk) == ([] if place == "mitigate.after_intent" else ["calm"])
    finish(desk, finisher)
    assert told(desk) == ["calm"]
    assert desk.happened("MitigationApplied") == ["MitigationApplied"]
    assert "skipped" in desk(*APPLY).out


def test_recover_says_what_it_has_finished(desk: Desk) -> None:
    """I11, I12: the outcome belongs to the operation of who asked for it, and bears their reason."""
    desk(*APPLY, exits=KILLED, ROLLOUT_FAIL_AT="mitigate.after_intent", ROLLOUT_REASON="odd fills")
    (done,) = desk("recover", "bot", "-o", "json").json[0]["completed"]
    assert "calm is in force until" in done
    rows = [json.loads(line) for line in desk("log", "bot", "-o", "jsonl").out.splitlines()]
    asked, applied = (row for row in rows if row["type"].startswith("Mitigation"))
    assert asked["operation"] == applied["operation"] is not None
    assert applied["reason"] == "odd fills"
    assert desk("recover", "bot", "-o", "json").json[0]["completed"] == []


def test_one_whose_time_is_over_by_then_is_lifted(desk: Desk) -> None:
    """I12: it is not put in force after its end."""
    desk(*APPLY, exits=KILLED, ROLLOUT_FAIL_AT="mitigate.after_intent")
    desk.advance(601)
    desk("recover", "bot")
    assert told(desk) == []
    assert desk.happened("MitigationApplied", "MitigationLifted") == ["MitigationLifted"]


@pytest.mark.parametrize("finisher", ["watch", "recover", "list"])
def test_killed_while_it_is_lifted(desk: Desk, finisher: str) -> None:
    """I12: the log says that it is lifted; the file is made to say so too."""
    desk(*APPLY)
    desk("mitigation", "lift", "bot", "calm", exits=KILLED, ROLLOUT_FAIL_AT="lift.after_intent")
    assert told(desk) == ["calm"]
    finish(desk, finisher)
    assert told(desk) == []
