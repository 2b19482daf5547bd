"""kill -9 in a backup, a restore, a trial: what is left is never taken for a whole one (I12)."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from ledger.fail_points import NAMES
from tests.support.backups import (
    empty_ledger,
    fill,
    lengthen,
    log_of,
    scratch_databases,
)
from tests.support.commands import Rollout
from tests.support.postgres import PostgresServer

PIECE = 25_000


@pytest.fixture
def filled(tmp_path: Path, embedded_dsn: str) -> Rollout:
    rollout = Rollout(tmp_path / "home", embedded_dsn)
    fill(rollout, tmp_path / "bot")
    return rollout


def recorded(rollout: Rollout) -> list[str]:
    with psycopg.connect(rollout.dsn or "") as connection:
        return [
            row[0]
            for row in connection.execute(
                "SELECT type FROM ledger.event WHERE type LIKE 'Backup%' ORDER BY position"
            )
        ]


def test_every_place_to_die_in_is_here() -> None:
    """I12: a new place in a backup has to be tested."""
    named = {name for name in NAMES if name.partition(".")[0] in {"backup", "restore", "verify"}}
    assert named == {
        "backup.after_piece", "backup.before_name", "backup.before_record",
        "restore.after_blobs", "restore.after_batch", "verify.after_restore",
    }  # fmt: skip


@pytest.mark.parametrize("point", ["backup.after_piece", "backup.before_name"])
def test_a_backup_killed_before_it_has_its_name(point: str, filled: Rollout) -> None:
    """I12: it is no backup, nobody lists it, and the next one leaves nothing of it."""
    filled("backup", "create", fail_at=point)
    assert filled("backup", "list", "-o", "json").json == []
    assert recorded(filled) == []
    made = filled("backup", "create", "-o", "json").json
    filled("backup", "verify", made["path"])
    folder = filled.home / "backups"
    assert sorted(path.name for path in folder.iterdir()) == [".lock", made["backup"]]


def test_a_backup_killed_before_it_is_recorded(filled: Rollout) -> None:
    """I12: it is whole, so it is listed, and a trial says that it is good."""
    filled("backup", "create", fail_at="backup.before_record")
    (row,) = filled("backup", "list", "-o", "json").json
    assert recorded(filled) == []
    filled("backup", "verify", row["backup"])
    assert recorded(filled) == ["BackupVerified"]


def test_a_backup_goes_on_where_it_was_killed(filled: Rollout) -> None:
    """I12: the pieces that are there are kept, as they are, when more was appended meanwhile too."""
    lengthen(filled.dsn or "", PIECE + 2000)
    filled("backup", "create", fail_at="backup.after_piece")
    (first,) = (filled.home / "backups").glob(".making*/events-*")
    before = (first.name, first.stat().st_mtime_ns)
    assert first.name == "events-000000000001-000000025000.jsonl.gz"
    filled("switch", "bot", "--to", "paused", "--reason", "meanwhile")
    made = filled("backup", "create", "-o", "json").json
    kept = Path(made["path"]) / first.name
    assert (kept.name, kept.stat().st_mtime_ns) == before
    assert made["last"] > PIECE + 2000
    filled("backup", "verify")


def test_what_a_killed_backup_left_and_somebody_changed_is_made_anew(filled: Rollout) -> None:
    """I12, I3: a piece is gone on with only if it is the one that was written."""
    lengthen(filled.dsn or "", PIECE + 10)
    filled("backup", "create", fail_at="backup.after_piece")
    (first,) = (filled.home / "backups").glob(".making*/events-*")
    first.write_bytes(first.read_bytes()[:-1])
    filled("backup", "create")
    filled("backup", "verify")


@pytest.mark.parametrize("point", ["restore.after_blobs", "restore.after_batch"])
def test_a_restore_killed_anywhere_goes_on(
    point: str, filled: Rollout, tmp_path: Path, embedded_server: PostgresServer
) -> None:
    """I12: each batch is there as a whole; nothing else gets in between; repeated, it is finished."""
    lengthen(filled.dsn or "", 2500)
    made = filled("backup", "create", "-o", "json").json
    wanted = [row for row in log_of(filled.dsn or "") if len(row) == 2 or row[1] <= made["last"]]
    with empty_ledger(embedded_server, tmp_path / "other") as other:
        other("backup", "restore", made["path"], fail_at=point)
        reached = sum(1 for row in log_of(other.dsn or "") if len(row) > 2)
        assert reached == (0 if point == "restore.after_blobs" else 1000)
        told = other("system", "add", "intruder", exits=9)
        assert "A restore into this ledger is under way" in told.err
        if point == "restore.after_batch":
            other("backup", "restore", made["path"], fail_at=point)
            assert sum(1 for row in log_of(other.dsn or "") if len(row) > 2) == 2000
        other("backup", "restore", made["path"])
        assert log_of(other.dsn or "") == wanted
        other("verify")
        other("system", "add", "welcome")


def test_half_a_restore_is_not_taken_for_a_ledger(
    filled: Rollout, tmp_path: Path, embedded_server: PostgresServer
) -> None:
    """I12: who reads it is told that it is not all; doctor says so; no backup is made of it."""
    lengthen(filled.dsn or "", 1500)
    made = filled("backup", "create", "-o", "json").json
    with empty_ledger(embedded_server, tmp_path / "other") as other:
        other("backup", "restore", made["path"], fail_at="restore.after_batch")
        end = f"A restore up to #{made['last']} is under way"
        assert f"restore up to #{made['last']} is under way" in other("status", "bot").err
        assert end in other("doctor", exits=9).err
        assert end in other("backup", "create", exits=9).err
        assert other("backup", "list", "-o", "json").json == []
        other("backup", "restore", made["path"])
        assert "restore" not in other("status", "bot").err
        other("doctor")


def test_a_half_restored_ledger_takes_no_other_backup(
    filled: Rollout, tmp_path: Path, embedded_server: PostgresServer
) -> None:
    """I3: a ledger becomes the one log that it was begun with, or none."""
    lengthen(filled.dsn or "", 1500)
    one = filled("backup", "create", "-o", "json").json
    two = filled("backup", "create", "-o", "json").json
    with empty_ledger(embedded_server, tmp_path / "other") as other:
        other("backup", "restore", one["path"], fail_at="restore.after_batch")
        assert "under way" in other("backup", "restore", two["path"], exits=3).err
        other("backup", "restore", one["path"])


@pytest.mark.parametrize("point", ["restore.after_batch", "verify.after_restore"])
def test_a_trial_killed_anywhere_leaves_no_scratch_for_long(point: str, filled: Rollout) -> None:
    """I12: the next trial of the same backup takes the scratch up, one of another backup drops it."""
    lengthen(filled.dsn or "", 1500)
    one = filled("backup", "create", "-o", "json").json
    filled("backup", "verify", fail_at=point)
    assert len(scratch_databases(filled.dsn or "")) == 1
    assert recorded(filled) == ["BackupCreated"]
    filled("backup", "verify")
    assert scratch_databases(filled.dsn or "") == []
    filled("backup", "verify", fail_at=point)
    two = filled("backup", "create", "-o", "json").json
    assert two["backup"] != one["backup"]
    filled("backup", "verify")
    assert scratch_databases(filled.dsn or "") == []
    assert recorded(filled) == [
        "BackupCreated",
        "BackupVerified",
        "BackupCreated",
        "BackupVerified",
    ]
