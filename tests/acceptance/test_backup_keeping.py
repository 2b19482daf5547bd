"""How long backups are kept, what a preflight knows of them, and what `rollout run` notes before a start."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.backups import empty_ledger
from tests.support.commands import Rollout, Told
from tests.support.postgres import PostgresServer

START = datetime(2025, 12, 1, tzinfo=UTC)
PLAN = """
profile: plan
environment: production
checks:
  - {name: backup, kind: backup, priority: P0, max_age: 24h}
phases:
  - name: shadow
    mode: mock
    min_duration: 14d
    success:
      - {name: quiet, no_alerts: critical, max_gap: 15m}
retention: {backups: 14d}
"""


class Keeper:
    """Whoever makes backups of a bot with a plan, day after day; a clock that the test moves."""

    def __init__(self, folder: Path, rollout: Rollout) -> None:
        self.folder = folder
        self.rollout = rollout
        self.clock = folder / "clock"
        self.now = START
        self.pass_days(0)
        (folder / "config.yaml").write_text("size: 2\n")
        (folder / "plan.yaml").write_text(PLAN)
        self("system", "add", "bot", "--control-file", folder / "mode.json",
             "--config-file", folder / "config.yaml")  # fmt: skip
        self("config", "put", "bot", folder / "config.yaml", "--in-force", "--stable")
        self("profile", "adopt", "bot", folder / "plan.yaml")
        self("switch", "bot", "--to", "mock")

    def __call__(self, *words: str | Path, exits: int | None = 0, **env: str) -> Told:
        given = {"ROLLOUT_CLOCK": str(self.clock), "ROLLOUT_YES": "1", "ROLLOUT_REASON": "agreed"}
        return self.rollout(*words, exits=exits, **{**given, **env})

    def pass_days(self, days: float) -> None:
        self.now += timedelta(days=days)
        self.clock.write_text(self.now.isoformat())

    def backup(self) -> str:
        """Make a backup; return its name."""
        return str(self("backup", "create", "-o", "json").json["backup"])

    def there(self) -> list[str]:
        """Return the names of the backups that there are."""
        return [row["backup"] for row in self("backup", "list", "-o", "json").json]

    def check(self, exits: int) -> dict[str, Any]:
        """Run the preflight; return what the check of the backup found."""
        (found,) = self("preflight", "run", "bot", "-o", "json", exits=exits).json["results"]
        return dict(found)


@pytest.fixture
def keeper(tmp_path: Path, embedded_dsn: str) -> Keeper:
    return Keeper(tmp_path, Rollout(tmp_path / "home", embedded_dsn))


# --- what a preflight knows -----------------------------------------------------------------------


def test_a_check_sees_the_newest_backup_that_was_verified(keeper: Keeper) -> None:
    """I8: one that was made is none that restores; only a trial counts, and it grows old."""
    assert keeper.check(exits=3)["measured"] == "no verified backup"
    first = keeper.backup()
    assert keeper.check(exits=3)["measured"] == "no verified backup"
    keeper("backup", "verify")
    assert keeper.check(exits=0)["result"] == "PASS"
    keeper.pass_days(2)
    found = keeper.check(exits=3)
    assert (found["result"], found["measured"]) == ("FAIL", "verified, 2d old")
    second = keeper.backup()
    keeper("backup", "verify", first)  # a fresh trial makes no backup younger
    assert keeper.check(exits=3)["result"] == "FAIL"
    keeper("backup", "verify", second)
    assert keeper.check(exits=0)["result"] == "PASS"


def test_a_trial_that_fails_counts_for_nothing(keeper: Keeper) -> None:
    """I3, I8: a spoilt backup, or one whose metadata say that it is younger, is not known as verified."""
    name = keeper.backup()
    keeper.pass_days(2)
    metadata = keeper.rollout.home / "backups" / name / "metadata.json"
    record = json.loads(metadata.read_bytes())
    metadata.write_text(json.dumps({**record, "made_at": keeper.now.isoformat()}))
    told = keeper("backup", "verify", exits=7)
    assert "not the one that was recorded with the backup" in told.err
    assert keeper.check(exits=3)["measured"] == "no verified backup"


def test_a_backup_of_another_ledger_counts_for_nothing(
    keeper: Keeper, tmp_path: Path, embedded_server: PostgresServer
) -> None:
    """I8: what was verified is not of this ledger, so it is not recorded in it."""
    with empty_ledger(embedded_server, tmp_path / "other") as other:
        other("init")
        made = other("backup", "create", "-o", "json").json
    assert "nothing was recorded" in keeper("backup", "verify", made["path"]).err
    assert keeper.check(exits=3)["measured"] == "no verified backup"


# --- how long they are kept -----------------------------------------------------------------------


def test_what_an_open_gate_needs_is_kept_for_longer_than_was_asked_for(keeper: Keeper) -> None:
    """Scenario 13: 7 days of backups against a gate of 14: they stay, it is said why; closed, they go."""
    before = keeper.backup()
    keeper.pass_days(1)
    keeper("phase", "enter", "bot", "shadow")
    early = keeper.backup()
    keeper.pass_days(9)
    late = keeper.backup()
    keeper("backup", "verify", late)
    told = keeper("backup", "prune", "--keep-days", "7", "-o", "json")
    outcome = {row["backup"]: (row["outcome"], row["why"]) for row in told.json}
    assert outcome[before] == ("removed", None)  # the gate looks back to the entry, not further
    assert outcome[late] == ("kept", "it is not old enough")
    assert outcome[early][0] == "kept"
    assert "the exit gate of bot/shadow needs 14d of evidence" in outcome[early][1]
    assert f"kept {early}: the exit gate of bot/shadow needs 14d of evidence" in told.err
    assert keeper.there() == [early, late]
    keeper("phase", "abort", "bot")
    keeper("backup", "prune", "--keep-days", "7")
    assert keeper.there() == [late]


def test_without_days_the_plan_says_how_long(keeper: Keeper) -> None:
    """The retention of the adopted plan (14 days) is the default; a dry run removes nothing."""
    old = keeper.backup()
    keeper.pass_days(10)
    new = keeper.backup()
    keeper("backup", "verify")
    keeper("backup", "prune")
    assert keeper.there() == [old, new]
    keeper.pass_days(5)
    told = keeper("backup", "prune", "--dry-run", "-o", "json").json
    assert [row["outcome"] for row in told] == ["would be removed", "kept"]
    assert keeper.there() == [old, new]
    keeper("backup", "prune")
    assert keeper.there() == [new]


def test_the_last_one_that_is_known_to_be_good_is_never_removed(keeper: Keeper) -> None:
    """However old: newer ones that nobody tried may be good for nothing."""
    only = keeper.backup()
    keeper.pass_days(100)
    told = keeper("backup", "prune", "--keep-days", "7")
    assert f"kept {only}: no backup was verified yet" in told.err
    keeper("backup", "verify")
    untried = keeper.backup()
    keeper.pass_days(100)
    told = keeper("backup", "prune", "--keep-days", "7")
    assert f"kept {only}: it is the last verified one" in told.err
    assert keeper.there() == [only]
    assert untried not in told.err


def test_what_is_not_known_is_left_alone(
    keeper: Keeper, tmp_path: Path, embedded_server: PostgresServer
) -> None:
    """Another ledger's backups in the same folder, one that can't be read, somebody's file: they stay."""
    folder = keeper.rollout.home / "backups"
    mine, broken = keeper.backup(), folder / "20250101T000000Z-000000000001"
    broken.mkdir()
    (folder / "notes.txt").write_text("mine")
    with empty_ledger(embedded_server, tmp_path / "other") as other:
        other("init")
        made = other("backup", "create", "-o", "json", ROLLOUT_CLOCK=str(keeper.clock)).json
    theirs = shutil.copytree(made["path"], folder / made["backup"]).name
    keeper.pass_days(30)
    new = keeper.backup()
    keeper("backup", "verify", new)
    rows = keeper("backup", "prune", "--keep-days", "7", "-o", "json").json
    outcome = {row["backup"]: (row["outcome"], row["why"]) for row in rows}
    assert outcome[mine] == ("removed", None)
    assert outcome[theirs] == ("kept", "it is of another ledger")
    assert "metadata.json is missing" in outcome[broken.name][1]
    assert (folder / "notes.txt").read_text() == "mine"
    told = keeper("backup", "verify", exits=2)
    assert "holds backups of 2 ledgers: name the one that you mean" in told.err


def test_a_removal_that_was_killed_is_finished_by_the_next(keeper: Keeper) -> None:
    """I12: a backup loses its name before its files, so half of one is never taken for a backup."""
    name = keeper.backup()
    folder = keeper.rollout.home / "backups"
    (folder / name).rename(folder / f".{name}.gone.rollout-tmp")
    assert keeper.there() == []
    keeper("backup", "prune")
    assert [path.name for path in folder.iterdir()] == [".lock"]


# --- before a start -------------------------------------------------------------------------------

NOTHING = ("--countdown", "0", "--", sys.executable, "-c", "pass")


def point(keeper: Keeper) -> dict[str, Any]:
    return dict(json.loads((keeper.folder / "out" / "backup_point.json").read_bytes()))


def test_a_run_notes_what_there_is_to_go_back_to(keeper: Keeper) -> None:
    """A note is no backup: what could be restored is said beside it, and that there is nothing."""
    run = ("run", "bot", "--out", keeper.folder / "out", *NOTHING)
    keeper.backup()
    keeper("backup", "verify")
    keeper.backup()
    told = keeper(*run)
    noted = point(keeper)
    rows = keeper("backup", "list", "-o", "json").json
    assert noted["verified_backup"] == rows[0]["backup"]
    assert (noted["verified_backup_position"], noted["verified_backup_made_at"]) == (
        rows[0]["last"],
        rows[0]["made_at"],
    )
    shown = keeper("show", str(noted["position"]), "-o", "json").json
    assert shown["chain"] == noted["chain"]
    assert f"backup point: #{noted['position']}; the last verified backup is" in told.err


def test_a_run_without_a_backup_says_so(bot: Rollout, tmp_path: Path) -> None:
    """Nobody should think that the note can be restored."""
    told = bot("run", "bot", "--out", tmp_path / "out", *NOTHING)
    assert "no backup was verified yet" in told.err
    assert bot("backup", "list", "-o", "json").json == []


def test_a_run_makes_a_backup_if_asked_to_or_does_not_start(bot: Rollout, tmp_path: Path) -> None:
    """C19: the backup before the start, under the passphrase of the environment; with none, no start."""
    started = tmp_path / "started"
    program = ("--", sys.executable, "-c", f"open({str(started)!r}, 'w')")
    run = ("run", "bot", "--backup", "--out", tmp_path / "out", "--countdown", "0", *program)
    (tmp_path / "file").write_text("")
    told = bot(*run, exits=1, ROLLOUT_BACKUPS=str(tmp_path / "file" / "backups"))
    assert "can't be written" in told.err
    assert not started.exists()
    (tmp_path / "words").write_text("correct horse battery staple\n")
    told = bot(*run, ROLLOUT_BACKUP_PASSPHRASE_FILE=str(tmp_path / "words"))
    (row,) = bot("backup", "list", "-o", "json").json
    assert row["encryption"] == "age"
    assert f"backup: {row['path']}" in told.err
    assert started.exists()
    bot("backup", "verify", "--passphrase-file", tmp_path / "words")


def test_of_two_backups_at_once_the_second_has_nothing_left_to_do(
    rollout: Rollout, tmp_path: Path
) -> None:
    """I16: both had taken the name of the same second and position before the lock decided."""
    keeper = Keeper(tmp_path, rollout)
    keeper("backup", "create", exits=None, ROLLOUT_FAIL_AT="backup.before_record")
    told = keeper("backup", "create")
    assert told.out.startswith("skipped (")
    assert "was made just now" in told.out
    recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    other = keeper("backup", "create", "--recipient", recipient, exits=5)
    assert "was made just now, with other keys" in other.err
    (only,) = keeper("backup", "list", "-o", "json").json
    keeper("backup", "verify", only["path"])
