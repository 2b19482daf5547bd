"""Switches against a world that has moved, rules that overreach, processes that died at the wrong time."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.admin_server import Handler, running_system
from tests.support.commands import Rollout
from tests.support.outages import NOWHERE

SECRET = "kH7dPq2sVn9xTz4wLm8cRb5yFg3jNa6e"  # made up


def mode(tmp_path: Path) -> str:
    return str(json.loads((tmp_path / "mode.json").read_text())["mode"])


def by_hand(tmp_path: Path, text: str) -> None:
    (tmp_path / "mode.json").write_text(text)


def test_a_pause_of_what_only_the_ledger_thinks_is_paused(bot: Rollout, tmp_path: Path) -> None:
    """I16: "already paused" is a claim about the world, so the world is asked first."""
    bot("pause", "bot")
    by_hand(tmp_path, '{"mode": "real"}')
    assert "skipped" not in bot("pause", "bot").out
    assert mode(tmp_path) == "paused"
    assert bot("pause", "bot").out.startswith("skipped (already paused/halt")


def test_why_it_is_paused_can_be_said_later(bot: Rollout) -> None:
    """A pause waits for no reason; one that comes later is the pause's, and each is on record once (I16)."""
    bot("pause", "bot")
    assert (
        bot("pause", "bot", "--reason", "rejects").out.rstrip().endswith("the reason is recorded)")
    )
    assert bot("status", "bot", "-o", "json").json["mode_reason"] == "rejects"
    assert "recorded" not in bot("pause", "bot", "--reason", "rejects").out
    bot("pause", "bot", "--reason", "rejects: the exchange is down")
    reasons = [row["reason"] for row in bot.log("bot", "ModeReasonGiven")]
    assert reasons == ["rejects", "rejects: the exchange is down"]
    assert len(bot.log("bot", "ModeSwitched")) == 2


def test_a_switch_to_what_only_the_ledger_thinks_it_is(bot: Rollout, tmp_path: Path) -> None:
    """I16, I9: somebody paused it by hand; going on as before raises the exposure, and needs a yes."""
    bot("switch", "bot", "--to", "real", "--reason", "go", "--yes")
    by_hand(tmp_path, '{"mode": "paused", "message": "bob was here"}')
    for target in ("real", "mock"):
        refused = bot("switch", "bot", "--to", target, exits=2)
        assert "needs a reason" in refused.err
        assert mode(tmp_path) == "paused"
    bot("switch", "bot", "--to", "mock", "--reason", "bob has gone", "--yes")
    assert mode(tmp_path) == "mock"


def test_after_an_unconfirmed_raise_the_way_back_is_no_no_op(
    tmp_path: Path, rollout: Rollout
) -> None:
    """I16: the ledger still says mock, the system may be in real: mock is sent again."""
    hold = {"mode": "mock"}

    def forgetful(handler: Handler) -> None:
        handler.answer(200, json.dumps(hold).encode())

    with running_system() as system:
        rollout("system", "add", "bot", "--http-admin", system.url, "--confirm-timeout", "0.3")
        rollout("switch", "bot", "--to", "mock", "--reason", "r", "--yes")
        system.on_get = forgetful
        rollout("switch", "bot", "--to", "real", "--reason", "r", "--yes", exits=6)
        hold["mode"] = "real"
        rollout("switch", "bot", "--to", "mock", exits=6)
        assert [post["mode"] for post in system.posts] == ["mock", "real", "mock"]


def test_a_system_that_knows_no_kinds_of_pause_does_not_drift(
    tmp_path: Path, rollout: Rollout
) -> None:
    """I13, drift: {"mode": "paused"} is what a plain halt is told as; it differs from nothing."""
    with running_system() as system:
        rollout("system", "add", "bot", "--http-admin", system.url)
        rollout("pause", "bot")
        assert system.status == {"mode": "paused"}
        rollout("drift", "bot")
        assert rollout("pause", "bot").out.startswith("skipped")


def test_a_rule_never_raises_exposure(bot: Rollout, tmp_path: Path) -> None:
    """I9: whatever a rule says yes to."""
    rule = Rollout(bot.home, bot.dsn, actor="rule:too-quiet")
    refused = rule("switch", "bot", "--to", "real", "--reason", "calm", "--yes", exits=3)
    assert "a rule never raises exposure" in refused.err
    rule("pause", "bot", "--reason", "rejects")
    rule("resume", "bot", "--reason", "calm", "--yes", exits=3)
    assert mode(tmp_path) == "paused"
    (tmp_path / "bolder.yaml").write_text("size: 100\n")
    bot("config", "put", "bot", tmp_path / "bolder.yaml", "--as", "config.yaml", "--tag", "bolder")
    refused = rule("config", "apply", "bot", "bolder", "--reason", "calm", "--yes", exits=3)
    assert "a rule never raises exposure" in refused.err


def test_the_first_switch_claims_no_mode_before_it(bot: Rollout) -> None:
    """I13: the log can't be changed, so it says nothing that nobody knows."""
    first = bot.log("bot", "ModeSwitchRequested", "ModeSwitched")
    shown = [bot("show", str(row["position"]), "-o", "json").json["data"] for row in first]
    assert [data.get("from_mode") for data in shown] == [None, None]


def test_no_secret_of_a_reason_reaches_the_control_file(bot: Rollout, tmp_path: Path) -> None:
    """I6: anybody may read that file."""
    bot("pause", "bot", "--reason", f"password={SECRET} leaked")
    text = (tmp_path / "mode.json").read_text()
    assert SECRET not in text
    assert "leaked" in text


def test_a_reason_in_another_encoding_stops_no_pause(bot: Rollout, tmp_path: Path) -> None:
    """I5: a terminal that sends Latin-1 at three in the morning."""
    bot("pause", "bot", "--reason", b"zu viele Zur\xfcckweisungen".decode(errors="surrogateescape"))
    assert mode(tmp_path) == "paused"
    assert "ckweisungen" in bot.log("bot", "ModeSwitched")[-1]["reason"]


def test_what_a_recovery_finishes_is_put_down_to_who_asked(bot: Rollout) -> None:
    """I11: bob comes by after the crash; ann has paused it, for her reason."""
    bot("pause", "bot", "--reason", "odd fills", fail_at="switch.after_act")
    bob = Rollout(bot.home, bot.dsn, actor="human:bob")
    bob("recover", "bot")
    finished = bot.log("bot", "ModeSwitched")[-1]
    event = bot("show", str(finished["position"]), "-o", "json").json
    assert (event["actor"]["name"], event["channel"]) == ("bob", "recovery")
    assert event["reason"] == "odd fills"
    state = bot("status", "bot", "-o", "json", exits=None).json
    assert (state["mode_by"], state["mode_reason"]) == ("ann", "odd fills")


def test_a_stale_pause_is_not_carried_out_after_later_decisions(
    bot: Rollout, tmp_path: Path
) -> None:
    """I9: its process died before it acted, its journal turned up a day later, live again since."""
    cut_off = Rollout(bot.home, NOWHERE)
    cut_off("pause", "bot", "--reason", "no ledger", fail_at="pause.after_spool_intent")
    elsewhere = Rollout(tmp_path / "elsewhere", bot.dsn, actor="human:bob")
    elsewhere("switch", "bot", "--to", "real", "--reason", "all is well", "--yes")
    bot("recover", "bot")
    assert mode(tmp_path) == "real"
    types = [row["type"] for row in bot.log("bot")]
    assert types.count("ModeSwitchAbandoned") == 1
    assert bot("status", "bot", "-o", "json").json["mode"] == "real"


def test_an_operation_has_one_outcome_whoever_records_it(tmp_path: Path, rollout: Rollout) -> None:
    """I12: a pause holds no lock, so a recovery elsewhere may take it for dead and finish it first."""
    (tmp_path / "elsewhere").mkdir()
    elsewhere = Rollout(tmp_path / "elsewhere", rollout.dsn, actor="human:bob")
    recovered: list[int] = []

    def slow(handler: Handler) -> None:
        if not recovered:
            recovered.append(1)
            system.on_post = quick
            elsewhere("recover", "bot", exits=None)
        quick(handler)

    def quick(handler: Handler) -> None:
        handler.system.status = handler.system.posts[-1]
        handler.answer(200, b"{}")

    with running_system() as system:
        rollout("system", "add", "bot", "--http-admin", system.url)
        system.on_post = slow
        told = rollout("pause", "bot", "-o", "json", exits=None)
        assert told.json["outcome"] in {"switched", "unconfirmed"}
    outcomes = rollout.log("bot", "ModeSwitched", "ModeSwitchAbandoned", "ModeSwitchUnconfirmed")
    assert [row["type"] for row in outcomes] == ["ModeSwitched"]


def test_a_pause_by_hand_can_be_resumed(bot: Rollout, tmp_path: Path) -> None:
    """I9, I16: the ledger thinks it is real, somebody paused it by hand: resuming is no no-op, and asks."""
    bot("switch", "bot", "--to", "real", "--reason", "go", "--yes")
    by_hand(tmp_path, '{"mode": "paused", "message": "bob was here"}')
    assert "needs a reason" in bot("resume", "bot", exits=2).err
    bot("resume", "bot", "--reason", "bob has gone", "--yes")
    assert mode(tmp_path) == "mock"
    assert bot("resume", "bot", "--reason", "again", "--yes").out.startswith("skipped (not paused")


def test_declaring_what_does_not_stand_there_is_told(bot: Rollout, tmp_path: Path) -> None:
    """What is declared to be in force is compared with what is in place."""
    (tmp_path / "other.yaml").write_text("size: 11\n")
    words = ["config", "put", "bot", tmp_path / "other.yaml", "--as", "config.yaml"]
    assert "stands in place" in bot(*words, "--in-force", "--reason", "so I think").err
    (tmp_path / "config.yaml").write_text("size: 11\n")
    assert "stands in place" not in bot(*words, "--in-force", "--reason", "so it is").err


def test_recovering_settles_a_switch_that_was_not_confirmed(
    tmp_path: Path, rollout: Rollout
) -> None:
    """I12: the world is in the ledger's mode after all: recover says so, and nothing is degraded."""
    told = {"mode": "mock"}
    with running_system() as system:
        rollout("system", "add", "bot", "--http-admin", system.url, "--confirm-timeout", "0.3")
        rollout("switch", "bot", "--to", "mock", "--reason", "r", "--yes")
        system.on_get = lambda handler: handler.answer(200, json.dumps(told).encode())
        rollout("switch", "bot", "--to", "real", "--reason", "r", "--yes", exits=6)
        assert "unconfirmed" in rollout("status", "bot", exits=3).out
        assert "never confirmed" in rollout("recover", "bot").out
        rollout("status", "bot")
