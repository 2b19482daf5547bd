"""Rollbacks against files that moved, broke or vanished, secrets, other machines and half-done work."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.acceptance.conftest import GOOD
from tests.support.commands import Rollout, Told
from tests.support.outages import NOWHERE

BAD = "grid:\n  levels: 50\nsize: 100\n"
SECRET = "kH7dPq2sVn9xTz4wLm8cRb5yFg3jNa6e"  # made up


def put(bot: Rollout, tmp_path: Path, text: str, tag: str, *more: str) -> Told:
    (tmp_path / "next.yaml").write_text(text)
    return bot(
        "config", "put", "bot", tmp_path / "next.yaml", "--as", "config.yaml", "--tag", tag, *more
    )


def apply_bad(bot: Rollout, tmp_path: Path) -> None:
    put(bot, tmp_path, BAD, "bad")
    bot("config", "apply", "bot", "bad", "--reason", "scale", "--yes")


def copies(home: Path) -> list[str]:
    return [path.read_text() for path in sorted((home / "replaced").rglob("*.yaml.*"))]


def statuses(bot: Rollout) -> dict[str, str]:
    return {row["tags"]: row["status"] for row in bot("config", "list", "bot", "-o", "json").json}


def test_after_a_hand_made_edit_the_last_stable_is_what_the_ledger_has_in_force(
    bot: Rollout, tmp_path: Path
) -> None:
    """I10: what is left is the edit; the good configuration is neither skipped nor put in quarantine."""
    put(bot, tmp_path, "size: 3\n", "older", "--stable")
    bot("config", "quarantine", "bot", "good")
    bot("config", "stable", "bot", "good", "--reason", "it was not to blame")
    (tmp_path / "config.yaml").write_text(GOOD.replace("10", "1000"))
    bot("rollback", "bot", "--last-stable", "--reason", "somebody edited it")
    assert (tmp_path / "config.yaml").read_text() == GOOD
    assert statuses(bot) == {"good": "stable", "older": "stable", "": "quarantined"}


@pytest.mark.parametrize("left", ["grid: [\n", "a: 1\na: 2\n", "\x00\x01"])
def test_what_can_not_be_kept_in_the_ledger_is_kept_beside_it(
    left: str, bot: Rollout, tmp_path: Path
) -> None:
    """I12, nothing lost: a rollback over a broken file works, and its bytes lie in a private copy."""
    apply_bad(bot, tmp_path)
    (tmp_path / "config.yaml").write_text(left)
    told = bot("rollback", "bot", "--last-stable", "--reason", "rejects")
    assert (tmp_path / "config.yaml").read_text() == GOOD
    assert copies(bot.home) == [left]
    copy = next((bot.home / "replaced").rglob("*.yaml.*"))
    assert str(copy) in told.err
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_without_the_ledger_a_hand_made_edit_is_kept_here(bot: Rollout, tmp_path: Path) -> None:
    """I5: offline there is nobody else to keep it."""
    apply_bad(bot, tmp_path)
    edited = BAD + "# by hand\n"
    (tmp_path / "config.yaml").write_text(edited)
    Rollout(bot.home, NOWHERE)("rollback", "bot", "--last-stable", "--reason", "rejects")
    assert (tmp_path / "config.yaml").read_text() == GOOD
    assert copies(bot.home) == [edited]


def test_a_vanished_file_comes_back(bot: Rollout, tmp_path: Path) -> None:
    """Bad input, a file that vanishes: missing is no obstacle to putting it back."""
    (tmp_path / "config.yaml").unlink()
    assert "missing" in bot("drift", "bot", exits=3).out
    bot("rollback", "bot", "--last-stable", "--reason", "somebody removed it")
    assert (tmp_path / "config.yaml").read_text() == GOOD


def test_what_was_never_in_force_is_no_way_back(bot: Rollout, tmp_path: Path) -> None:
    """I5, I9: a rollback asks nobody, so it must not be another word for apply."""
    put(bot, tmp_path, BAD, "bold")
    refused = bot("rollback", "bot", "--to", "bold", "--reason", "sneaky", exits=3)
    assert "never in force" in refused.err
    cut_off = Rollout(bot.home, NOWHERE)
    cut_off("rollback", "bot", "--to", "bold", "--reason", "sneaky", exits=3)
    assert (tmp_path / "config.yaml").read_text() == GOOD


@pytest.mark.parametrize("selector", ["#0", "#²", "#-1", "#99999999999999999999999", "#", "#x"])
def test_a_position_that_is_none(selector: str, bot: Rollout) -> None:
    """Bad input: one line, exit code 2."""
    told = bot("rollback", "bot", "--to", selector, "--reason", "r", exits=2)
    assert selector in told.err
    assert "should not" not in told.err


def test_a_broken_copy_on_this_machine_is_no_configuration(bot: Rollout, tmp_path: Path) -> None:
    """Byte for byte: the local cache is never believed, only its hash is."""
    apply_bad(bot, tmp_path)
    for blob in (bot.home / "cache").rglob("blobs/*/*"):
        blob.write_bytes(blob.read_bytes().replace(b"5", b"6"))
    cut_off = Rollout(bot.home, NOWHERE)
    told = cut_off("rollback", "bot", "--to", "good", "--reason", "r", exits=9)
    assert "does not hold the bytes" in told.err
    assert (tmp_path / "config.yaml").read_text() == BAD
    bot("rollback", "bot", "--to", "good", "--reason", "r")
    assert (tmp_path / "config.yaml").read_text() == GOOD


def test_a_file_that_is_registered_later_is_no_drift(bot: Rollout, tmp_path: Path) -> None:
    """Job 2: a configuration of one file comes back where the system has two by now."""
    (tmp_path / "limits.yaml").write_text("max: 5\n")
    bot(
        "system", "add", "bot", "--control-file", tmp_path / "mode.json", "--config-file",
        tmp_path / "config.yaml", "--config-file", tmp_path / "limits.yaml",
    )  # fmt: skip
    bot("drift", "bot")
    both = [tmp_path / "config.yaml", tmp_path / "limits.yaml"]
    (tmp_path / "config.yaml").write_text(BAD)
    bot("config", "put", "bot", *both, "--tag", "both", "--in-force")
    bot("rollback", "bot", "--to", "good", "--reason", "rejects")
    assert (tmp_path / "config.yaml").read_text() == GOOD
    assert (tmp_path / "limits.yaml").read_text() == "max: 5\n"
    bot("drift", "bot")


def test_a_rollback_that_died_before_its_system_moved_house(bot: Rollout, tmp_path: Path) -> None:
    """I12, I13: it is finished where it was begun, before the registration changes; the log says where."""
    apply_bad(bot, tmp_path)
    bot("rollback", "bot", "--last-stable", "--reason", "r", fail_at="rollback.after_intent")
    new = tmp_path / "new" / "config.yaml"
    new.parent.mkdir()
    bot("system", "add", "bot", "--config-file", new)
    assert (tmp_path / "config.yaml").read_text() == GOOD
    step = bot.log("bot", "RollbackStepCompleted")[-1]
    shown = bot("show", str(step["position"]), "-o", "json").json
    assert shown["data"]["path"] == str(tmp_path / "config.yaml")
    types = [row["type"] for row in bot.log("bot")]
    assert types.index("RollbackCompleted") < types.index("SystemChanged")


def test_a_stale_rollback_is_not_carried_out_after_later_decisions(
    bot: Rollout, tmp_path: Path
) -> None:
    """I9: journalled without the ledger, died before it wrote; others have gone on since."""
    apply_bad(bot, tmp_path)
    next_config = "size: 11\n"
    cut_off = Rollout(bot.home, NOWHERE)
    cut_off("rollback", "bot", "--last-stable", "--reason", "r", fail_at="rollback.after_file")
    (tmp_path / "config.yaml").write_text(BAD)  # as if it had died a moment earlier
    elsewhere = Rollout(tmp_path / "elsewhere", bot.dsn, actor="human:bob")
    put(elsewhere, tmp_path, next_config, "next")
    elsewhere("config", "apply", "bot", "next", "--reason", "fixed", "--yes")
    bot("recover", "bot")
    assert (tmp_path / "config.yaml").read_text() == next_config
    types = [row["type"] for row in bot.log("bot")]
    assert types.count("RollbackAbandoned") == 1
    assert "RollbackCompleted" not in types
    assert statuses(bot)["next"] == "registered"


def test_an_apply_that_can_not_be_finished_is_given_up(rollout: Rollout, tmp_path: Path) -> None:
    """I12: completed or abandoned; a secret that is gone must not keep it open for ever."""
    config = tmp_path / "config.yaml"
    config.write_text(f"api_secret: {SECRET}\nlevels: 5\n")
    rollout("system", "add", "bot", "--config-file", config)
    rollout("config", "put", "bot", config, "--in-force", "--tag", "good")
    put(rollout, tmp_path, f"api_secret: {SECRET}\nlevels: 6\n", "six")
    rollout("config", "apply", "bot", "six", "--reason", "r", "--yes", fail_at="apply.after_intent")
    config.unlink()
    told = rollout("recover", "bot", "-o", "json", exits=3).json[0]
    assert "can't be completed" in told["abandoned"][0]
    assert rollout("recover", "bot", "-o", "json", exits=3).json[0]["abandoned"] == []


def test_a_failed_apply_says_which_files_it_wrote(rollout: Rollout, tmp_path: Path) -> None:
    """I13: the log is asserted for ever, so it must be right about the half that was done."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.yaml").write_text(f"{name}: 1\n")
    files = [tmp_path / "a" / "a.yaml", tmp_path / "b" / "b.yaml"]
    rollout("system", "add", "bot", "--config-file", files[0], "--config-file", files[1])
    rollout("config", "put", "bot", *files, "--in-force", "--tag", "one")
    (tmp_path / "a.yaml").write_text("a: 2\n")
    (tmp_path / "b.yaml").write_text("b: 2\n")
    rollout("config", "put", "bot", tmp_path / "a.yaml", tmp_path / "b.yaml", "--tag", "two")
    files[1].unlink()
    files[1].mkdir()
    told = rollout("config", "apply", "bot", "two", "--reason", "r", "--yes", exits=None)
    assert told.code != 0
    files[1].rmdir()
    (tmp_path / "b" / "b.yaml").symlink_to(tmp_path / "nowhere" / "b.yaml")
    rollout("config", "apply", "bot", "two", "--reason", "r", "--yes", exits=1)
    failed = rollout.log("bot", "ConfigApplyFailed")[-1]
    shown = rollout("show", str(failed["position"]), "-o", "json").json
    assert shown["data"]["written"] == ["a.yaml"]


def test_on_a_machine_without_the_key_nothing_is_said_about_secrets(
    rollout: Rollout, tmp_path: Path
) -> None:
    """I6, I13: under another key every secret looks changed; no such drift gets into the log."""
    config = tmp_path / "config.yaml"
    config.write_text(f"api_secret: {SECRET}\nlevels: 5\n")
    rollout("system", "add", "bot", "--config-file", config)
    rollout("config", "put", "bot", config, "--in-force", "--stable", "--tag", "good")
    elsewhere = Rollout(tmp_path / "elsewhere", rollout.dsn, actor="human:bob")
    assert "secret.key" in elsewhere("drift", "bot", exits=3).err
    told = elsewhere("recover", "bot", "-o", "json", exits=3).json[0]
    assert told["drift"] == {}
    assert "digests secrets under the key" in told["problems"][0]
    assert not (elsewhere.home / "secret.key").exists()
    assert rollout.log("bot", "DriftDetected") == []
    (elsewhere.home / "secret.key").write_bytes((rollout.home / "secret.key").read_bytes())
    elsewhere("drift", "bot")


def test_a_rollback_over_secrets_that_this_machine_can_not_tell(
    rollout: Rollout, tmp_path: Path
) -> None:
    """I6, nothing lost: the target has no secret, what stands in place has, and the key is elsewhere."""
    config = tmp_path / "config.yaml"
    config.write_text("levels: 5\n")
    rollout("system", "add", "bot", "--config-file", config)
    rollout("config", "put", "bot", config, "--in-force", "--stable", "--tag", "good")
    config.write_text(f"api_secret: {SECRET}\nlevels: 6\n")
    rollout("config", "put", "bot", config, "--in-force", "--tag", "six")
    elsewhere = Rollout(tmp_path / "elsewhere", rollout.dsn, actor="human:bob")
    elsewhere("rollback", "bot", "--last-stable", "--reason", "r")
    assert config.read_text() == "levels: 5\n"
    assert copies(elsewhere.home) == [f"api_secret: {SECRET}\nlevels: 6\n"]


def test_a_rotated_secret_is_refused_with_the_way_out(rollout: Rollout, tmp_path: Path) -> None:
    """I6: the old value is gone; the new one is not slipped into an old configuration unasked."""
    config = tmp_path / "config.yaml"
    config.write_text(f"api_secret: {SECRET}\nlevels: 5\n")
    rollout("system", "add", "bot", "--config-file", config)
    rollout("config", "put", "bot", config, "--in-force", "--stable", "--tag", "good")
    rotated = f"api_secret: {SECRET[::-1]}\nlevels: 6\n"
    config.write_text(rotated)
    rollout("config", "put", "bot", config, "--in-force", "--tag", "six")
    told = rollout("rollback", "bot", "--last-stable", "--reason", "r", exits=3)
    assert "api_secret" in told.err
    assert SECRET[::-1] not in told.err
    assert config.read_text() == rotated


def test_abandoning_waits_for_whoever_is_at_it(bot: Rollout, tmp_path: Path) -> None:
    """I12: exactly one outcome, and a clear answer when there is nothing to give up."""
    apply_bad(bot, tmp_path)
    bot("rollback", "bot", "--last-stable", "--reason", "r", fail_at="rollback.after_intent")
    status = bot("rollback", "status", "bot", "-o", "json").json
    assert (status["steps_done"], status["steps"]) == (0, 1)
    bot("rollback", "abandon", "bot", exits=2)
    told = bot("rollback", "abandon", "bot", "--reason", "fixed by hand", "-o", "json").json
    assert told["abandoned"] == status["operation"]
    for command in ("abandon", "resume"):
        again = bot("rollback", command, "bot", "--reason", "again", "-o", "json").json
        assert again["outcome"] == "skipped"
    assert (tmp_path / "config.yaml").read_text() == BAD
    types = [row["type"] for row in bot.log("bot")]
    assert types.count("RollbackAbandoned") == 1


def test_an_incident_resolved_meanwhile_stays_resolved(bot: Rollout, tmp_path: Path) -> None:
    """I9, I13: what was journalled without the ledger comes in late, and reopens nothing."""
    apply_bad(bot, tmp_path)
    bot("alert", "raise", "bot", "REJECTS", "--severity", "critical")
    incident = bot("incident", "list", "bot", "-o", "json").json[0]["incident"]
    bot("status", "bot", exits=None)
    Rollout(bot.home, NOWHERE)("rollback", "bot", "--last-stable", "--reason", "rejects")
    elsewhere = Rollout(tmp_path / "elsewhere", bot.dsn, actor="human:bob")
    elsewhere("incident", "resolve", "bot", incident, "--reason", "over")
    bot("recover", "bot")
    listed = bot("incident", "list", "bot", "--all", "-o", "json").json
    assert {row["incident"]: row["status"] for row in listed}[incident] == "resolved"
    assert json.loads(bot("incident", "export").out)["incidents"][0]["status"] == "resolved"
