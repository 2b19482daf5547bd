"""`rollout import` as a person or a script meets it: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.commands import Rollout
from tests.support.pasts import (
    Repository,
    audit_file,
    change_log,
    like_the_published_log,
)


@pytest.fixture
def bot(tmp_path: Path, embedded_dsn: str) -> Rollout:
    rollout = Rollout(tmp_path / "home", embedded_dsn)
    rollout("system", "add", "bot")
    return rollout


def test_a_change_log_for_a_person(bot: Rollout, tmp_path: Path) -> None:
    """I16: one line on stdout, the remarks on stderr; again, and it says that there is nothing new."""
    log = change_log(tmp_path / "changes.jsonl", like_the_published_log())
    told = bot("import", "config-changes", "bot", log)
    assert told.out == f"imported 3 of {log}: 13 records, 10 without effect\n"
    remarks = told.err.splitlines()
    assert remarks[0] == "note: 13 times name no zone and were read as UTC (--timezone)"
    assert remarks[1].startswith("without effect: line 4 (")
    assert remarks[1].endswith(") repeats line 3")
    assert len(remarks) == 11
    again = bot("import", "config-changes", "bot", log)
    assert again.out == (
        f"skipped (already imported): {log}: 13 records, 3 already imported, 10 without effect\n"
    )
    assert again.err == ""


def test_a_change_log_for_a_program(bot: Rollout, tmp_path: Path) -> None:
    """Data on stdout, whole."""
    log = change_log(tmp_path / "changes.jsonl", like_the_published_log())
    dry = bot("import", "config-changes", "bot", log, "--dry-run", "-o", "json").json
    assert dry["outcome"] == "dry_run"
    assert [e["type"] for e in dry["events"]].count("ConfigApplied") == 6
    assert {e["actor"] for e in dry["events"]} == {"unknown", "user", "web_ui"}
    told = bot("import", "config-changes", "bot", log, "-o", "json").json
    assert told["outcome"] == "imported"
    assert (told["records"], told["imported"], told["already_known"]) == (13, 3, 0)
    assert len(told["repeated"]) == 10
    again = bot("import", "config-changes", "bot", log, "-o", "json").json
    assert (again["outcome"], again["imported"], again["position"]) == ("skipped", 0, None)


def test_bad_input_ends_with_2_and_a_next_step(bot: Rollout, tmp_path: Path) -> None:
    """One sentence with line, key and what was expected, and what to do; nothing was imported."""
    records = like_the_published_log()
    del records[1]["diff"]
    log = change_log(tmp_path / "changes.jsonl", records)
    told = bot("import", "config-changes", "bot", log, exits=2)
    assert told.out == ""
    assert told.err == (
        f"rollout: {log}, line 2: key 'diff' is missing\n"
        "  next: Nothing was imported. With --skip-bad, all but the bad ones are.\n"
    )
    told = bot("import", "config-changes", "bot", log, "--skip-bad")
    assert "bad: line 2: key 'diff' is missing" in told.err
    assert (
        "There is no system 'nobody'" in bot("import", "config-changes", "nobody", log, exits=2).err
    )
    assert (
        "no such time zone" in bot("import", "jsonl", "bot", log, "--timezone", "Mars", exits=2).err
    )
    assert "There is no file" in bot("import", "jsonl", "bot", tmp_path / "none", exits=2).err
    assert (
        "kept as JSON"
        in bot("import", "config-changes", "bot", log, "--name", "c.yaml", exits=2).err
    )


def test_orders_of_several_days(bot: Rollout, tmp_path: Path) -> None:
    """One result for each file, also for those that were imported before."""
    one, two = audit_file(tmp_path / "1.jsonl", 30), audit_file(tmp_path / "2.jsonl", 50)
    told = bot("import", "jsonl", "bot", one).out
    assert told == f"imported 30 of {one}: 30 records\n"
    results = bot("import", "jsonl", "bot", one, two, "-o", "json").json
    assert [(r["outcome"], r["imported"], r["already_known"]) for r in results] == [
        ("skipped", 0, 30),
        ("imported", 20, 30),
    ]
    lines = bot("import", "jsonl", "bot", one, two, "-o", "jsonl").out.splitlines()
    assert [json.loads(line)["outcome"] for line in lines] == ["skipped", "skipped"]


def test_the_past_in_git_becomes_the_present_blame(bot: Rollout, tmp_path: Path) -> None:
    """I11: who set a key, when and why is known for what was done before there was a ledger."""
    repository = Repository(tmp_path / "repository")
    repository.commit({"config.yaml": b"levels: 3\nsize: 1\n"}, "start")
    repository.commit(
        {"config.yaml": b"levels: 5\nsize: 1\n"}, "raise levels", author=b"Bob <b@example.org>"
    )
    repository.close()
    told = bot("import", "git", "bot", repository.path, "config.yaml")
    assert told.out == f"imported 2 of {repository.path} HEAD: config.yaml: 2 records\n"
    (applied,) = [row for row in bot.log("bot", "ConfigApplied") if row["reason"] == "raise levels"]
    assert (applied["actor"], applied["actor_id"], applied["channel"]) == (
        "Bob",
        "b@example.org",
        "import",
    )
