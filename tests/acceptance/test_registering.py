"""`rollout system add` of a system that is registered, as it is typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.commands import Rollout


def registered(rollout: Rollout) -> dict[str, Any]:
    shown: dict[str, Any] = rollout("system", "show", "bot", "-o", "json").json
    return shown


def test_what_is_not_named_stays(rollout: Rollout, tmp_path: Path) -> None:
    """I31, nothing lost: a change of one thing neither unties the bot nor moves it to production."""
    rollout(
        "system", "add", "bot", "--environment", "staging", "--description", "a grid",
        "--control-file", tmp_path / "mode.json", "--config-file", tmp_path / "config.yaml",
    )  # fmt: skip
    before = registered(rollout)
    told = rollout("system", "add", "bot", "--confirm-timeout", "10")
    assert told.out.strip() == "bot is changed"
    assert registered(rollout) == before | {"confirm_timeout_ms": 10_000}
    rollout("system", "add", "bot", "--config-file", tmp_path / "more.yaml")
    names = [file["name"] for file in registered(rollout)["config_files"]]
    assert names == ["config.yaml", "more.yaml"]
    assert "skipped (" in rollout("system", "add", "bot").out
    rollout("pause", "bot", "--reason", "emergency")
    assert '"paused"' in (tmp_path / "mode.json").read_text()


def test_what_goes_is_asked_for_and_told(rollout: Rollout, tmp_path: Path) -> None:
    """I31: dropping has a word of its own, and the answer says what is gone."""
    rollout(
        "system", "add", "bot", "--control-file", tmp_path / "mode.json", "--config-file",
        tmp_path / "config.yaml", "--http-admin", "http://127.0.0.1:9",
    )  # fmt: skip
    words = ["--drop", "http-admin", "--drop", "config-file=config.yaml"]
    told = rollout("system", "add", "bot", *words)
    assert told.out.strip() == "bot is changed; dropped: http-admin, config-file=config.yaml"
    shown = registered(rollout)
    assert (shown["http_admin"], shown["config_files"]) == (None, [])
    assert shown["control_file"] == str(tmp_path / "mode.json")
    again = rollout("system", "add", "bot", *words, exits=2)
    assert "No configuration file 'config.yaml' is registered" in again.err
    assert "control-file" in rollout("system", "add", "bot", "--drop", "mode", exits=2).err
    clash = ["--drop", "control-file", "--control-file", tmp_path / "other.json"]
    assert "given a value and dropped" in rollout("system", "add", "bot", *clash, exits=2).err
