"""rollout export parquet, rollout verify --archive: as the processes that people and cron run."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.store.postgres import PostgresStore
from tests.support.archives import (
    TAMPERINGS,
    change_rows,
    edit,
    files,
    ranges,
    seal_again,
    the_event_files,
)
from tests.support.builders import events
from tests.support.commands import Rollout
from tests.support.tampering import tamper

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def archive(bot: Rollout, tmp_path: Path) -> Path:
    """An archive of two ranges; both hold files of configurations."""
    path = tmp_path / "archive"
    bot("export", "parquet", "--out", path)
    (tmp_path / "config.yaml").write_text("grid:\n  levels: 6\nsize: 11\n")
    bot("config", "put", "bot", tmp_path / "config.yaml", "--reason", "more")
    bot("switch", "bot", "--to", "real", "--reason", "rehearsed", "--yes")
    bot("export", "parquet", "--out", path)
    return path


@pytest.fixture
def auditor(tmp_path: Path) -> Rollout:
    """Somebody who has the archive and nothing else: the ledger's database is nowhere."""
    return Rollout(tmp_path / "nowhere", "postgresql://127.0.0.1:1/none")


def test_it_verifies_without_any_ledger(bot: Rollout, archive: Path, auditor: Rollout) -> None:
    """I3: from the files alone, with no PostgreSQL; and no server is started for it."""
    told = auditor("verify", "--archive", archive, "-o", "json").json
    head = bot("checkpoint").json
    assert told["sound"]
    assert (told["last"], told["chain"]) == (head["position"], head["chain"])
    assert (told["ranges"], told["blobs"]) == (2, 4)
    said = replace(auditor, dsn=None)("verify", "--archive", archive)
    assert f"Positions 1 to {head['position']} are as they were recorded" in said.out
    assert said.talk == ""
    assert not auditor.home.exists()


def test_a_sealed_file_is_never_written_again(bot: Rollout, archive: Path) -> None:
    """A second export adds a range; one with nothing new adds nothing and says so (I16)."""
    before = files(archive)
    again = bot("export", "parquet", "--out", archive)
    assert "skipped (already up to position" in again.out
    assert files(archive) == before
    bot("pause", "bot", "--reason", "enough")
    bot("export", "parquet", "--out", archive)
    after = files(archive)
    assert {name: after[name] for name in before} == before
    assert len(after) > len(before)


def test_a_copied_folder_is_an_archive(archive: Path, auditor: Rollout, tmp_path: Path) -> None:
    """It holds no path of where it was written."""
    copy = tmp_path / "a copy [of] it*"
    shutil.copytree(archive, copy)
    auditor("verify", "--archive", copy)


def test_the_manifest_says_where_it_comes_from(bot: Rollout, archive: Path) -> None:
    """Provenance: from which position to which, both chain values, who, when, and each file's hash."""
    manifests = [
        json.loads(path.read_bytes()) for path in sorted(archive.glob("range=*/manifest.json"))
    ]
    assert manifests[0]["chain_before"] == "0" * 64
    assert manifests[1]["chain_before"] == manifests[0]["chain_after"]
    assert manifests[1]["first"] == manifests[0]["last"] + 1
    assert manifests[1]["chain_after"] == bot("checkpoint").json["chain"]
    assert manifests[0]["sealed_by"] == {"id": "ann", "kind": "human", "name": "ann"}
    assert {file["path"].rpartition("/")[2] for file in manifests[0]["files"]} == {
        "events.parquet", "blobs.parquet"
    }  # fmt: skip


def test_whatever_is_tampered_with_is_named(
    archive: Path, auditor: Rollout, tmp_path: Path
) -> None:
    """I3: one clear line, exit 7, and the first bad position where it is known."""
    positions: dict[str, int | None] = {}
    for number, (name, (spoil, sentence)) in enumerate(TAMPERINGS.items()):
        copy = tmp_path / str(number) / "archive"
        shutil.copytree(archive, copy)
        spoil(copy)
        told = auditor("verify", "--archive", copy, "-o", "json", exits=7)
        assert sentence in told.err, (name, told)
        assert told.err.count("rollout: ") == 1
        assert not told.json["sound"]
        positions[name] = told.json["bad_position"]
        shutil.rmtree(copy.parent)
    second = json.loads((ranges(archive)[1] / "manifest.json").read_bytes())["first"]
    assert positions["rows swapped"] == positions["events missing"] == second
    assert positions["a position"] == second - 1  # where it was, not what stands there now
    assert positions["an extra file"] is None
    assert positions["a range missing"] == 1
    assert positions["the newest missing"] == second


def test_a_damaged_archive_is_not_gone_on_with(bot: Rollout, archive: Path, tmp_path: Path) -> None:
    """I3: what an earlier range lacks is told before anything is added to it."""
    bot("pause", "bot", "--reason", "enough")
    for number, name in enumerate(
        (
            "events truncated",
            "events missing",
            "blobs missing",
            "a manifest missing",
            "a folder for a list",
        )
    ):
        copy = tmp_path / str(number) / "archive"
        shutil.copytree(archive, copy)
        spoil, sentence = TAMPERINGS[name]
        spoil(copy)
        before = files(copy)
        told = bot("export", "parquet", "--out", copy, exits=7)
        assert sentence in told.err, (name, told)
        assert files(copy) == before


FORGERIES = {
    "SELECT * REPLACE (CASE position WHEN $1 THEN body || ' '::BLOB ELSE body END AS body) FROM old": 1,
    "FROM old WHERE position <> $1 UNION ALL FROM old WHERE position = $2": 1,
    "SELECT * REPLACE (position + 1 AS position) FROM old": 0,
    "SELECT * REPLACE (CASE position WHEN $1 THEN NULL ELSE chain END AS chain) FROM old": 1,
    "SELECT * REPLACE (CASE position WHEN $2 THEN revision + 1 ELSE revision END AS revision) FROM old": 2,
    "SELECT * REPLACE (position::VARCHAR AS position) FROM old": 0,
    "SELECT *, 1 AS more FROM old": 0,
}


def test_a_forger_who_mends_the_records_is_found(
    archive: Path, auditor: Rollout, tmp_path: Path
) -> None:
    """I3: with every hash of every file made right again, the chain still names the position."""
    first = json.loads((ranges(archive)[1] / "manifest.json").read_bytes())["first"]
    for number, (select, at) in enumerate(FORGERIES.items()):
        copy = tmp_path / str(number) / "archive"
        shutil.copytree(archive, copy)
        change_rows(
            the_event_files(copy)[-1],
            select.replace("$1", str(first + 1)).replace("$2", str(first + 2)),
        )
        seal_again(copy)
        told = auditor("verify", "--archive", copy, exits=7)
        assert f"The first bad position is {first + at} (" in told.err, (select, told)


def test_a_checkpoint_shows_what_the_archive_can_not(
    bot: Rollout, archive: Path, auditor: Rollout, tmp_path: Path
) -> None:
    """I3: the newest range taken away together with its entry is as consistent as it was before."""
    kept = tmp_path / "kept.json"
    bot("checkpoint", "--out", kept)
    auditor("verify", "--archive", archive, "--checkpoint", kept)
    shutil.rmtree(ranges(archive)[1])
    listed = json.loads((archive / "archive.json").read_bytes())
    listed["ranges"] = listed["ranges"][:1]
    entry = listed["ranges"][0]
    listed |= {"events": entry["last"], "last": entry["last"], "chain": entry["chain"]}
    (archive / "archive.json").write_text(json.dumps(listed))
    auditor("verify", "--archive", archive)
    told = auditor("verify", "--archive", archive, "--checkpoint", kept, exits=7)
    assert f"The first bad position is {entry['last'] + 1} (cut_off)" in told.err


def test_what_can_not_be_an_archive(
    bot: Rollout, archive: Path, auditor: Rollout, tmp_path: Path
) -> None:
    """One clear line, exit 2, and nothing written."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("dear")
    for words, sentence in (
        (("verify", "--archive", tmp_path / "absent"), "is no archive"),
        (("verify", "--archive", other), "is no archive"),
        (("verify", "--archive", archive, "--from", "3"), "leave --from out"),
        (("verify", "--archive", archive, "--engine", "python"), "leave --engine out"),
        (("export", "parquet", "--out", other), "holds letter.txt, and is no archive"),
        (("export", "parquet", "--out", other / "letter.txt"), "is no folder"),
        (("export", "parquet", "--out", archive, "--to", "999"), "no position 999"),
        (("export", "parquet"), "--out"),
    ):
        told = (auditor if words[0] == "verify" else bot)(*words, exits=2)
        assert sentence in told.err, told
    assert [path.name for path in other.iterdir()] == ["letter.txt"]
    edit(archive / "archive.json", '"format": 1', '"format": 2')
    assert "this program knows 1" in auditor("verify", "--archive", archive, exits=9).err


def test_what_the_ledger_has_lost_is_said_and_the_rest_is_sealed(
    bot: Rollout, auditor: Rollout, tmp_path: Path, embedded_dsn: str
) -> None:
    """I3: an archive can be made of a ledger that lost a file; it names it, and accepts no further loss."""
    tamper(
        embedded_dsn,
        "DELETE FROM ledger.blob WHERE sha256 IN (SELECT min(sha256) FROM ledger.blob)",
    )
    archive = tmp_path / "archive"
    told = bot("export", "parquet", "--out", archive)
    assert "warning: the ledger has lost 1 configuration file that events name" in told.err
    told = auditor("verify", "--archive", archive)
    assert "note: the ledger had lost 1 configuration file that events name" in told.err
    record = auditor("verify", "--archive", archive, "-o", "json").json
    assert (record["sound"], record["blobs"], record["missing_blobs"]) == (True, 1, 1)
    (ranges(archive)[0] / "blobs.parquet").unlink()
    manifest = json.loads((ranges(archive)[0] / "manifest.json").read_bytes())
    manifest["files"] = [file for file in manifest["files"] if file["path"] != "blobs.parquet"]
    (ranges(archive)[0] / "manifest.json").write_text(json.dumps(manifest))
    seal_again(archive)
    told = auditor("verify", "--archive", archive, exits=7)
    assert "(blob). The event there names the bytes" in told.err


def test_the_archive_of_another_ledger_is_left_alone(
    bot: Rollout, archive: Path, tmp_path: Path, embedded_dsn: str
) -> None:
    """A log that is no continuation of what is sealed: exit 7, and nothing is written."""
    store = PostgresStore(embedded_dsn)
    store.append(events(3))
    store.close()
    bot("export", "parquet", "--out", archive)
    tamper(embedded_dsn, "DELETE FROM ledger.event WHERE position > 5")
    before = files(archive)
    told = bot("export", "parquet", "--out", archive, exits=7)
    assert "The log ends at position 5, and the archive holds" in told.err
    tamper(embedded_dsn, "UPDATE ledger.event SET body = body || ' ' WHERE position = 4")
    new = tmp_path / "new"
    told = bot("export", "parquet", "--out", new, exits=7)
    assert "Position 4 of the log is not as it was recorded" in told.err
    assert not new.exists()
    assert files(archive) == before
