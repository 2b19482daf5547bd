"""What the release before left behind opens, verifies, rolls back and rebuilds, after each change.

Migrations only add, and what was recorded once is read for ever. tests/fixtures/a4991de/README.md says what
lies there; what each event means to a state is tested beside the fold (tests/unit/test_released_log.py).
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.backups import empty_ledger, log_of
from tests.support.commands import Rollout
from tests.support.outages import NOWHERE
from tests.support.postgres import PostgresServer
from tests.support.released import (
    PASSPHRASE,
    RELEASE,
    checkpoint,
    copy_bot,
    copy_home,
    last_states,
    recorded,
    restore_database,
)

AGREED = {"ROLLOUT_REASON": "agreed", "ROLLOUT_YES": "1"}
ROOM = "/srv/gridbot"
"""Where the bot's files lay."""


@contextlib.contextmanager
def upgraded(server: PostgresServer, home: Path) -> Iterator[Rollout]:
    """The release's ledger, brought up to this version."""
    server.template()  # for the roles, which the dump of a database does not hold
    with server.new_database() as dsn:
        restore_database(dsn)
        rollout = Rollout(home, dsn, env=AGREED)
        rollout("init")
        yield rollout


@pytest.fixture
def ledger(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Rollout]:
    """The release's ledger on each of the servers, and a new home with its key."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(RELEASE / "home/secret.key", home)
    with upgraded(postgres_server, home) as rollout:
        yield rollout


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    """The bot's files, in the test's own folder."""
    return copy_bot(tmp_path)


@pytest.fixture
def at_home(tmp_path: Path, embedded_server: PostgresServer, bot: Path) -> Iterator[Rollout]:
    """The release's ledger and home; the ledger is told where the bot's files lie now."""
    with upgraded(embedded_server, copy_home(tmp_path)) as rollout:
        rollout(
            "system", "add", "gridbot", "--control-file", bot / "mode.json", "--config-file",
            bot / "config.yaml", "--mitigation-file", bot / "mitigations.json",
        )  # fmt: skip
        rollout(
            "system",
            "add",
            "relay",
            "--environment",
            "staging",
            "--control-file",
            bot / "relay.json",
        )
        yield rollout


@pytest.fixture
def empty(tmp_path: Path, embedded_server: PostgresServer) -> Iterator[Rollout]:
    """The command line over a database in which nothing was ever made."""
    with empty_ledger(embedded_server, tmp_path / "empty-home") as rollout:
        yield rollout


# --- the ledger ---


def test_the_ledger_verifies_rebuilds_and_goes_on(ledger: Rollout, tmp_path: Path) -> None:
    """I1, I2, I3, I7: no migration touches a stored byte; states and incidents.json come out as they did.

    What is decided today continues the release's chain.
    """
    for engine in ("python", "database", "duckdb"):
        told = ledger("verify", "--engine", engine, "-o", "json").json
        assert (told["last"], told["chain"]) == (checkpoint()["position"], checkpoint()["chain"])
    ledger("projections", "rebuild")
    for system, expected in last_states().items():
        end = f"#{checkpoint()['position']}"
        state = ledger("at", system, end, "-o", "json").json["state"]
        assert {field: state[field] for field in expected} == expected
    ledger("incident", "export", "--out", tmp_path / "incidents.json")
    exported = (tmp_path / "incidents.json").read_bytes()
    assert exported == (RELEASE / "home/incidents.json").read_bytes()
    ledger("system", "add", "new", "--control-file", tmp_path / "mode.json")
    told = ledger("verify", "--checkpoint", RELEASE / "checkpoint.json", "-o", "json").json
    assert told["last"] > checkpoint()["position"]
    ledger("projections", "verify")


# --- the home ---


def test_the_home_carries_on_and_rolls_back_byte_for_byte(at_home: Rollout, bot: Path) -> None:
    """I5, I6, I10, I12: what was spooled is appended, what was begun ends, each once; then the way back.

    The secret in the configuration is known by its digest under the home's key, and put back.
    """
    spooled = at_home.log("gridbot", "ModeSwitched")[-1]
    assert at_home("show", str(spooled["position"]), "-o", "json").json["spooled"] is True
    (outcome,) = at_home.log("relay", "ModeSwitchAbandoned")
    at_home("recover", "relay")
    assert at_home.log("relay", "ModeSwitchAbandoned") == [outcome]
    assert (bot / "config.yaml").read_bytes() == (bot / "kept/v1.3.yaml").read_bytes()
    at_home("rollback", "gridbot", "--last-stable")
    assert (bot / "config.yaml").read_bytes() == (bot / "kept/v1.0.yaml").read_bytes()
    assert "quarantine" in at_home("rollback", "gridbot", "--to", "v1.2", exits=3).err
    at_home("config", "stable", "gridbot", "v1.2")
    at_home("rollback", "gridbot", "--to", "v1.2")
    assert (bot / "config.yaml").read_bytes() == (bot / "kept/v1.2.yaml").read_bytes()
    at_home("config", "verify", "gridbot")
    at_home("verify", "--checkpoint", RELEASE / "checkpoint.json")


def test_what_the_machine_remembers_is_enough_without_the_ledger(tmp_path: Path, bot: Path) -> None:
    """I5, I33: upgraded at an hour when PostgreSQL is away, it still pauses and rolls back."""
    home = copy_home(tmp_path)
    for remembered in home.glob("cache/*/systems/*.json"):
        remembered.write_text(remembered.read_text().replace(ROOM, str(bot)))
    away = Rollout(home, NOWHERE, env=AGREED)
    away("pause", "gridbot", "--kind", "drain")
    told = json.loads((bot / "mode.json").read_bytes())
    assert (told["mode"], told["pause_kind"]) == ("paused", "drain")
    away("rollback", "gridbot", "--last-stable")
    assert (bot / "config.yaml").read_bytes() == (bot / "kept/v1.0.yaml").read_bytes()


# --- backups and archive ---


def test_the_backup_is_tried_and_the_archive_gone_on_with(at_home: Rollout, tmp_path: Path) -> None:
    """I3, I7: the backup restores to the same chain and read models; what was sealed stays as it is."""
    at_home("backup", "verify")
    archive = shutil.copytree(RELEASE / "archive", tmp_path / "archive")
    at_home("export", "parquet", "--out", archive)
    told = at_home("verify", "--archive", archive, "-o", "json").json
    assert told["last"] > checkpoint()["position"]
    for sealed in RELEASE.glob("archive/range=*/manifest.json"):
        assert (archive / sealed.parent.name / sealed.name).read_bytes() == sealed.read_bytes()


def test_an_encrypted_backup_restores_into_an_empty_ledger(empty: Rollout, tmp_path: Path) -> None:
    """I3: as the release encrypted it, under a passphrase."""
    (tmp_path / "passphrase.txt").write_text(PASSPHRASE)
    empty(
        "backup", "restore", "--dir", RELEASE / "backups-encrypted", "--passphrase-file",
        tmp_path / "passphrase.txt",
    )  # fmt: skip
    end, chain = next((one.position, one.chain) for one in recorded() if one.position == 370)
    told = empty("verify", "-o", "json").json
    assert (told["last"], told["chain"]) == (end, chain.hex())


def test_the_archive_verifies_without_a_ledger(tmp_path: Path) -> None:
    """I3: by itself, and against the checkpoint that was kept elsewhere."""
    told = Rollout(tmp_path / "home", NOWHERE)(
        "verify", "--archive", RELEASE / "archive", "--checkpoint", RELEASE / "checkpoint.json",
        "-o", "json",
    )  # fmt: skip
    assert (told.json["last"], told.json["chain"]) == (
        checkpoint()["position"],
        checkpoint()["chain"],
    )


@pytest.mark.parametrize("source", ["archive", "ledger.jsonl.gz"])
def test_a_ledger_comes_back_from_its_files(
    empty: Rollout, embedded_server: PostgresServer, source: str
) -> None:
    """I3: every byte, time and hash of the log that the release's database holds, and the blobs."""
    told = empty("import", "ledger", RELEASE / source, "-o", "json").json
    assert told["chain"] == checkpoint()["chain"]
    with embedded_server.new_database() as original:
        restore_database(original)
        assert log_of(empty.dsn or "") == log_of(original)
