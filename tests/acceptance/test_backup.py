"""Backups: made, tried by restoring them, restored, encrypted, refused when they are not what was made."""

from __future__ import annotations

import gzip
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ledger import files
from tests.support.backups import (
    ORDERS,
    empty_ledger,
    fill,
    lengthen,
    log_of,
    scratch_databases,
)
from tests.support.commands import Rollout
from tests.support.postgres import PostgresServer


@pytest.fixture
def filled(tmp_path: Path, embedded_dsn: str) -> Rollout:
    """A ledger with a bit of everything in it."""
    rollout = Rollout(tmp_path / "home", embedded_dsn)
    fill(rollout, tmp_path / "bot")
    return rollout


def create(rollout: Rollout, *arguments: str | Path) -> dict[str, Any]:
    made: dict[str, Any] = rollout("backup", "create", *arguments, "-o", "json").json
    return made


def backup_events(rollout: Rollout) -> list[dict[str, Any]]:
    with psycopg.connect(rollout.dsn or "") as connection:
        rows = connection.execute(
            "SELECT type, convert_from(body, 'UTF8')::jsonb -> 'data' FROM ledger.event "
            "WHERE stream = 'ledger' AND type LIKE 'Backup%' ORDER BY position"
        ).fetchall()
    return [{"type": type_, **data} for type_, data in rows]


def test_a_backup_restores_to_the_same_chain(
    filled: Rollout, tmp_path: Path, embedded_server: PostgresServer
) -> None:
    """I3, I7: every byte, time and hash comes back, blobs too, and the read models come to the same."""
    made = create(filled)
    before = log_of(filled.dsn or "")
    with empty_ledger(embedded_server, tmp_path / "other") as other:
        told = other("backup", "restore", made["path"], "-o", "json").json
        assert (told["outcome"], told["chain"]) == ("restored", made["chain"])
        after = log_of(other.dsn or "")
        assert after == [row for row in before if len(row) == 2 or row[1] <= made["last"]]
        other("verify")
        other("projections", "verify")
        assert other("status", "bot", "-o", "json").json["mode"] == "mock"
        assert (
            other("backup", "restore", made["path"]).out.count("skipped (it is here already)") == 1
        )
        other("incident", "note", "INC-none", "x", exits=2)
        other("switch", "bot", "--to", "paused", "--reason", "continues")
        other("verify")


def test_what_is_in_a_backup(filled: Rollout) -> None:
    """The metadata say where it comes from, and its files are the lines of docs/archive.md."""
    made = create(filled, "--order-lines", "10")
    folder = Path(made["path"])
    metadata = json.loads((folder / "metadata.json").read_bytes())
    assert metadata["backup"] == folder.name
    assert (metadata["first"], metadata["last"], metadata["events"]) == (
        1,
        made["last"],
        made["last"],
    )
    assert metadata["schema"] == "0002"
    assert metadata["made_by"] == {"id": "ann", "name": "ann", "kind": "human"}
    assert {each["projection"] for each in metadata["read_models"]} >= {"system_state", "timeline"}
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["metadata.json", *(file["name"] for file in metadata["files"])]
    )
    (events,) = folder.glob("events-*.gz")
    lines = [json.loads(line) for line in gzip.decompress(events.read_bytes()).splitlines()]
    assert [line["record"] for line in lines] == ["export", *["event"] * made["last"], "end"]
    assert lines[0]["whole"] is True
    assert lines[-1]["chain"] == made["chain"]
    orders = gzip.decompress((folder / "order-lines.jsonl.gz").read_bytes()).splitlines()
    ids = [json.loads(line)["fields"]["client_order_id"] for line in orders]
    assert ids == [f"gd-{number}" for number in range(ORDERS - 10, ORDERS)]


def test_a_backup_is_recorded_and_so_is_its_trial(filled: Rollout) -> None:
    """The ledger knows of both; a list says which were tried; nothing is left of the trial."""
    made = create(filled)
    told = filled("backup", "verify", "-o", "json").json
    assert told["outcome"] == "verified"
    metadata = json.loads((Path(made["path"]) / "metadata.json").read_bytes())
    assert told["tables"] == len(metadata["read_models"])
    created, verified = backup_events(filled)
    assert (created["type"], verified["type"]) == ("BackupCreated", "BackupVerified")
    assert created["backup"] == verified["backup"] == made["backup"]
    assert created["chain"] == verified["chain"] == made["chain"]
    (row,) = filled("backup", "list", "-o", "json").json
    assert row["verified_at"] is not None
    assert scratch_databases(filled.dsn or "") == []
    assert "found it whole" in filled("log", "-o", "json").out


def test_list_and_restore_need_no_ledger(filled: Rollout, tmp_path: Path, home: Path) -> None:
    """After a disaster there is a new home and a folder of backups, and nothing else."""
    made = create(filled, "--dir", tmp_path / "kept")
    alone = Rollout(home, None)
    rows = alone("backup", "list", "--dir", tmp_path / "kept", "-o", "json").json
    assert [row["backup"] for row in rows] == [made["backup"]]
    assert not home.exists()
    assert "nothing was recorded" in alone("backup", "verify", "--dir", tmp_path / "kept").err
    alone("backup", "restore", "--dir", tmp_path / "kept")
    assert alone("doctor", "-o", "json").json["head"] == made["last"]
    alone("verify")


def test_only_an_empty_ledger_is_restored(filled: Rollout, tmp_path: Path, home: Path) -> None:
    """I1: what was recorded is never mixed with another log; one sentence, exit 3."""
    made = create(filled)
    other = Rollout(home, None)
    other("system", "add", "other")
    told = other("backup", "restore", made["path"], exits=3)
    assert "Only an empty ledger can be restored" in told.err
    assert "new home" in told.err
    assert "before any other command there" in told.err


def test_a_database_with_settings_of_its_own(filled: Rollout) -> None:
    """I7: how a database writes times, bytes and numbers changes no command, and no read model's digest."""
    with psycopg.connect(filled.dsn or "", autocommit=True) as connection:
        for setting in (
            "timezone = 'Asia/Shanghai'", "datestyle = 'German'", "bytea_output = 'escape'",
            "intervalstyle = 'sql_standard'", "extra_float_digits = -5",
        ):  # fmt: skip
            name = sql.Identifier(connection.info.dbname)
            connection.execute(sql.SQL(f"ALTER DATABASE {{}} SET {setting}").format(name))
    filled("incident", "open", "bot", "odd again", "--severity", "warning")
    create(filled)
    filled("backup", "verify")
    filled("projections", "verify")
    filled("verify")


# --- what is not as it was made -----------------------------------------------------------------


def spoil(made: dict[str, Any], how: str) -> None:
    folder = Path(made["path"])
    (events,) = folder.glob("events-*")
    (blobs,) = folder.glob("blobs-*")
    metadata = folder / "metadata.json"
    record = json.loads(metadata.read_bytes())
    if how == "missing":
        blobs.unlink()
    elif how == "changed":
        content = bytearray(events.read_bytes())
        content[len(content) // 2] ^= 1
        events.write_bytes(content)
    elif how == "cut off":
        events.write_bytes(events.read_bytes()[:-9])
    elif how == "extra":
        (folder / "events-000000000999-000000001000.jsonl.gz").write_bytes(b"")
    elif how == "no metadata":
        metadata.unlink()
    elif how == "half metadata":
        metadata.write_bytes(metadata.read_bytes()[:300])
    elif how == "fewer events":
        metadata.write_text(json.dumps({**record, "events": 5}))
    elif how == "another end":
        metadata.write_text(json.dumps({**record, "chain": "00" * 32}))
    elif how == "cooked":  # an event rewritten, its file hashed anew: only the chain can tell
        text = gzip.decompress(events.read_bytes()).replace(b"rehearsal", b"REHEARSAL")
        events.write_bytes(gzip.compress(text))
        rehash(record, events, metadata)
    elif how == "unnamed blob":  # a blob's bytes are left out, and everything is hashed anew
        lines = gzip.decompress(blobs.read_bytes()).splitlines(keepends=True)
        blobs.write_bytes(gzip.compress(b"".join([lines[0], *lines[2:]])))
        rehash(record, blobs, metadata)


def rehash(record: dict[str, Any], path: Path, metadata: Path) -> None:
    for file in record["files"]:
        if file["name"] == path.name:
            file["bytes"] = path.stat().st_size
            file["sha256"] = sha256(path.read_bytes()).hexdigest()
    metadata.write_text(json.dumps(record))


SPOILT = {
    "missing": "is missing",
    "changed": "was changed since the backup was made",
    "cut off": "was changed since the backup was made",
    "extra": "does not belong to the backup",
    "no metadata": "metadata.json is missing",
    "half metadata": "is not what was written",
    "fewer events": "events is 5, and its files hold",
    "another end": "the log ends at position",
    "cooked": "is not what was recorded",
    "unnamed blob": "which are missing or changed",
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_backup_that_was_changed_is_told(
    how: str, filled: Rollout, tmp_path: Path, embedded_server: PostgresServer
) -> None:
    """I3: a file that is missing, changed or too many, or a whole forged anew: one sentence, exit 7."""
    made = create(filled)
    spoil(made, how)
    told = filled("backup", "verify", made["path"], exits=7)
    assert SPOILT[how] in told.err
    assert [event["type"] for event in backup_events(filled)] == ["BackupCreated"]
    assert scratch_databases(filled.dsn or "") == []
    if how == "unnamed blob":
        return  # a restore puts back what there is, and `rollout verify` names the event
    with empty_ledger(embedded_server, tmp_path / "other") as other:
        other("backup", "restore", made["path"], exits=7)
        with psycopg.connect(other.dsn or "") as connection:
            assert connection.execute("SELECT to_regnamespace('ledger')").fetchone() == (None,)


@pytest.mark.parametrize(("key", "value"), [("schema", "0099"), ("format", 2)])
def test_a_backup_of_a_newer_program(key: str, value: Any, filled: Rollout) -> None:
    """Whoever does not know a format must not guess: exit 9, upgrade."""
    made = create(filled)
    path = Path(made["path"]) / "metadata.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), key: value, "more": 1}))
    for verb in ("verify", "restore"):
        told = filled("backup", verb, made["backup"], exits=9)
        assert "made by a newer rollout-ledger" in told.err
        assert "Upgrade" in told.err
    (row,) = filled("backup", "list", "-o", "json").json
    assert "newer" in row["problem"]


def test_a_checkpoint_shows_another_log(filled: Rollout, tmp_path: Path, home: Path) -> None:
    """A backup that is consistent in itself may still be of another log than the one that was kept."""
    filled("checkpoint", "--out", tmp_path / "mine.json")
    made = create(filled)
    record = json.loads((tmp_path / "mine.json").read_bytes())
    (tmp_path / "other.json").write_text(json.dumps({**record, "chain": "11" * 32}))
    (tmp_path / "later.json").write_text(json.dumps({**record, "position": 9999}))
    other = Rollout(home, None)
    restore = ("backup", "restore", made["path"], "--checkpoint")
    assert "not the log of the checkpoint" in other(*restore, tmp_path / "other.json", exits=7).err
    assert "Use a newer backup" in other(*restore, tmp_path / "later.json", exits=3).err
    other(*restore, tmp_path / "mine.json")


# --- encryption -----------------------------------------------------------------------------------


def test_a_backup_for_recipients(filled: Rollout, tmp_path: Path, home: Path) -> None:
    """Whoever has the files has nothing; a recipient's identity restores them; another one is refused."""
    age: Any = import_module("pyrage")  # it has no types
    mine, strange = age.x25519.Identity.generate(), age.x25519.Identity.generate()
    (tmp_path / "mine.txt").write_text(f"# created: today\n{mine}\n")
    (tmp_path / "strange.txt").write_text(f"{strange}\n")
    made = create(filled, "--recipient", str(mine.to_public()))
    for path in Path(made["path"]).iterdir():
        assert path.name == "metadata.json" or path.read_bytes().startswith(
            b"age-encryption.org/v1"
        )
    other = Rollout(home, None)
    restore = ("backup", "restore", made["path"])
    assert "no key was given" in other(*restore, exits=3).err
    told = other(*restore, "--identity", tmp_path / "strange.txt", exits=3)
    assert "can't be decrypted by the key that was given" in told.err
    assert "AGE-SECRET-KEY" not in told.err + told.out
    assert (
        other(*restore, "--identity", tmp_path / "none.txt", exits=2).err.count("does not exist")
        == 1
    )
    filled("backup", "verify", "--identity", tmp_path / "mine.txt")
    assert scratch_databases(filled.dsn or "") == []
    other(*restore, "--identity", tmp_path / "mine.txt")
    other("verify")
    told = filled("backup", "create", "--recipient", "age1nonsense", exits=2)
    assert "'age1nonsense' is no age recipient" in told.err


def test_a_private_key_in_the_place_of_the_public_one(filled: Rollout) -> None:
    """I6: whoever mistakes one for the other does not find it in an error, nor in the log."""
    age: Any = import_module("pyrage")
    key = str(age.x25519.Identity.generate())
    for told in (
        filled("backup", "create", "--recipient", key, exits=2),
        filled("backup", "create", exits=2, ROLLOUT_BACKUP_RECIPIENTS=key),
    ):
        assert "no age recipient" in told.err
        assert key not in told.err + told.out
    assert key not in filled("log", "-o", "json").out


def test_recipients_from_the_environment(filled: Rollout) -> None:
    """For timers: several, with spaces between them; each of them may read it."""
    age: Any = import_module("pyrage")
    one, two = (age.x25519.Identity.generate() for _ in range(2))
    both = f"{one.to_public()} {two.to_public()}"
    made = filled("backup", "create", "-o", "json", ROLLOUT_BACKUP_RECIPIENTS=both).json
    assert made["encryption"] == "age"
    for number, key in enumerate((one, two)):
        path = filled.home / f"{number}.txt"
        path.write_text(f"{key}\n")
        filled("backup", "verify", ROLLOUT_BACKUP_IDENTITY=str(path))


def test_a_backup_under_a_passphrase(filled: Rollout, tmp_path: Path) -> None:
    """From a file or the environment, never from the command line; too short a one is refused."""
    (tmp_path / "words").write_text("correct horse battery staple\n")
    (tmp_path / "wrong").write_text("correct horse battery stapler\n")
    made = create(filled, "--passphrase-file", tmp_path / "words")
    told = filled("backup", "verify", "--passphrase-file", tmp_path / "wrong", exits=3)
    assert "another passphrase" in told.err
    filled("backup", "verify", ROLLOUT_BACKUP_PASSPHRASE="correct horse battery staple")
    for path in Path(made["path"]).iterdir():
        assert b"battery" not in path.read_bytes()
    assert "battery" not in told.err + told.out + filled("log", "-o", "json").out


@pytest.mark.parametrize("how", ["missing", "changed"])
def test_a_spoilt_key_is_no_wrong_passphrase(how: str, filled: Rollout, tmp_path: Path) -> None:
    """I3: whoever gives the right passphrase is told that the backup is damaged: exit 7, not 3."""
    (tmp_path / "words").write_text("correct horse battery staple\n")
    made = create(filled, "--passphrase-file", tmp_path / "words")
    key = Path(made["path"]) / "key.age"
    if how == "missing":
        key.unlink()
    else:
        key.write_bytes(key.read_bytes()[:-1])
    for verb in ("verify", "restore"):
        told = filled("backup", verb, "--passphrase-file", tmp_path / "words", exits=7)
        assert "key.age" in told.err
        assert SPOILT[how] in told.err


def test_a_passphrase_that_is_too_short(filled: Rollout) -> None:
    """Bad input: one sentence, and nothing is made."""
    assert (
        "shorter than 12"
        in filled("backup", "create", exits=2, ROLLOUT_BACKUP_PASSPHRASE="short").err
    )


# --- disks and interrupts -------------------------------------------------------------------------


def limited(rollout: Rollout, limit: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "ROLLOUT_HOME": str(rollout.home), "ROLLOUT_DSN": rollout.dsn or "", "ROLLOUT_ACTOR": "ann",
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments], env=environment, capture_output=True, text=True,
        check=False, timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip


def test_a_disk_that_fills(filled: Rollout) -> None:
    """One sentence, nothing under a backup's name, and with room the next one is made."""
    told = limited(filled, 2000, "backup", "create")
    assert told.returncode == 1, told
    assert "can't be written: file too large" in told.stderr
    assert filled("backup", "list", "-o", "json").json == []
    assert backup_events(filled) == []
    create(filled)
    filled("backup", "verify")


def test_a_folder_that_can_not_be_made(filled: Rollout, tmp_path: Path) -> None:
    """Bad input: a file in the way is named."""
    (tmp_path / "file").write_text("")
    told = filled("backup", "create", "--dir", tmp_path / "file" / "backups", exits=1)
    assert str(tmp_path / "file") in told.err


def test_names_of_nothing(filled: Rollout, tmp_path: Path) -> None:
    """Bad input: no backup of that name, no backup at all, an empty folder."""
    assert "There is no backup" in filled("backup", "verify", exits=2).err
    assert (
        "There is no backup"
        in filled("backup", "restore", "20250101T000000Z-000000000001", exits=2).err
    )
    assert filled("backup", "list", "-o", "json").json == []
    (tmp_path / "home" / "backups").mkdir(parents=True, exist_ok=True)
    (tmp_path / "home" / "backups" / "notes.txt").write_text("mine")
    (tmp_path / "home" / "backups" / "20250101T000000Z-000000000001").mkdir()
    (row,) = filled("backup", "list", "-o", "json").json
    assert "metadata.json is missing" in row["problem"]


def test_ctrl_c_ends_a_trial_and_leaves_nothing(filled: Rollout) -> None:
    """An interrupt is exit 130; the scratch database is dropped, and nothing is recorded."""
    create(filled)
    environment = os.environ | {
        "ROLLOUT_HOME": str(filled.home), "ROLLOUT_DSN": filled.dsn or "", "ROLLOUT_ACTOR": "ann",
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "cli.main", "backup", "verify"], env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        while not scratch_databases(filled.dsn or ""):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert scratch_databases(filled.dsn or "") == []
    assert [event["type"] for event in backup_events(filled)] == ["BackupCreated"]


def test_ctrl_c_ends_a_backup_and_the_next_goes_on(filled: Rollout) -> None:
    """Exit 130, nothing under a backup's name, which a list says; repeated, it keeps what was done."""
    lengthen(filled.dsn or "", 60_000)
    folder = filled.home / "backups"
    process = filled.start("backup", "create")
    while not list(folder.glob(".making*/done.json")):
        assert process.poll() is None
    pieces = sorted(folder.glob(".making*/events-*.gz"))
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    told = filled("backup", "list", "-o", "json")
    assert told.json == []
    assert "one more is under way, or was interrupted" in told.err
    written = pieces[0].stat().st_mtime_ns
    made = create(filled)
    assert (Path(made["path"]) / pieces[0].name).stat().st_mtime_ns == written
    assert "interrupted" not in filled("backup", "list").err
    filled("backup", "verify")


def test_one_backup_at_a_time(filled: Rollout) -> None:
    """While one is made in a folder another is told so, and does not disturb it: exit 5."""
    create(filled)
    lock = filled.home / "backups" / ".lock"
    with files.exclusive_lock(lock, timeout_seconds=1, what="backup create"):
        told = filled("backup", "create", exits=5)
    assert "backup create" in told.err
    create(filled)


@pytest.mark.as_root
def test_a_trial_on_the_embedded_server(tmp_path: Path, home: Path, embedded_dsn: str) -> None:
    """For a login that may not make databases: restored on the home's own PostgreSQL, which stops again."""
    rollout = Rollout(home, embedded_dsn)
    fill(rollout, tmp_path / "bot")
    create(rollout)
    told = rollout("backup", "verify", "--scratch", "embedded", "-o", "json").json
    assert told["event"] is not None
    assert (home / "postgres").is_dir()
    assert not list((home / "postgres").glob("**/postmaster.pid"))
    assert [each["type"] for each in backup_events(rollout)] == ["BackupCreated", "BackupVerified"]


def test_a_login_that_may_not_make_databases(filled: Rollout) -> None:
    """Rights: it makes backups; tried on the ledger's server it is told of the other way: exit 9."""
    with psycopg.connect(filled.dsn or "", autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS test_backups")
        connection.execute(
            "CREATE ROLE test_backups LOGIN IN ROLE ledger_writer, ledger_projector, ledger_auditor"
        )
        try:
            plain = Rollout(filled.home, make_conninfo(filled.dsn or "", user="test_backups"))
            create(plain)
            for right in ("NOCREATEDB", "CREATEDB"):  # the second makes one, and may not fill it
                connection.execute(f"ALTER ROLE test_backups {right}")
                told = plain("backup", "verify", exits=9)
                assert "--scratch embedded" in told.err
                assert scratch_databases(filled.dsn or "") == []
        finally:
            connection.execute("DROP ROLE test_backups")


def test_a_backup_that_is_copied_elsewhere(filled: Rollout, tmp_path: Path) -> None:
    """A backup is a folder: a copy of it is one too, whatever it lies in."""
    made = create(filled)
    shutil.copytree(made["path"], tmp_path / "copy" / made["backup"])
    filled("backup", "verify", tmp_path / "copy" / made["backup"])
