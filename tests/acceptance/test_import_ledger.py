"""rollout import ledger: a whole ledger back from an archive, or from a file of JSON lines."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.archives import edit, ranges, seal_again
from tests.support.backups import empty_ledger, fill, lengthen, log_of
from tests.support.commands import Rollout
from tests.support.postgres import PostgresServer


@pytest.fixture
def filled(tmp_path: Path, embedded_dsn: str) -> Rollout:
    """A ledger with a bit of everything in it."""
    rollout = Rollout(tmp_path / "home", embedded_dsn)
    fill(rollout, tmp_path / "bot")
    return rollout


@pytest.fixture
def empty(tmp_path: Path, embedded_server: PostgresServer) -> Iterator[Rollout]:
    """The command line over a database in which nothing was ever made."""
    with empty_ledger(embedded_server, tmp_path / "other") as other:
        yield other


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz", "parquet"])
def test_what_was_exported_comes_back(
    filled: Rollout, empty: Rollout, tmp_path: Path, form: str
) -> None:
    """I3, I7: every byte, time and hash, and the blobs; and it goes on from there. Twice is once (I16)."""
    source = tmp_path / f"ledger.{form}"
    if form == "parquet":
        filled("export", "parquet", "--out", source)
    else:
        filled("export", "jsonl", "--out", tmp_path / "ledger.jsonl")
    if form == "jsonl.gz":
        source.write_bytes(gzip.compress((tmp_path / "ledger.jsonl").read_bytes()))
    told = empty("import", "ledger", source, "-o", "json").json
    assert (told["outcome"], told["chain"]) == ("restored", filled("checkpoint").json["chain"])
    assert log_of(empty.dsn or "") == log_of(filled.dsn or "")
    empty("verify")
    empty("projections", "verify")
    assert "skipped" in empty("import", "ledger", source).out
    empty("switch", "bot", "--to", "paused", "--reason", "continues")
    empty("verify")


@pytest.mark.parametrize(
    ("spoil", "says", "code"),
    [
        ("no blob", "and had", 7),
        ("no event", "position 3 is not what was recorded", 7),
        ("no end", "was cut off", 7),
        ("another body", "position 3 is not what was recorded", 7),
        ("a part", "does not hold the whole log", 2),
        ("newer tables", "was written by a newer rollout-ledger", 9),
        ("a newer form", "is of format 2, and this program knows 1", 9),
    ],
)
def test_what_is_not_whole_changes_nothing(
    filled: Rollout, empty: Rollout, tmp_path: Path, spoil: str, says: str, code: int
) -> None:
    """I3: a missing blob is told as well, of which the chain knows nothing. The ledger stays empty."""
    source = tmp_path / "ledger.jsonl"
    filled("export", "jsonl", "--out", source, *(["--from", "3"] if spoil == "a part" else []))
    lines = source.read_text().splitlines(keepends=True)
    kinds = [json.loads(line)["record"] for line in lines]
    third = [index for index, kind in enumerate(kinds) if kind == "event"][2]
    if spoil == "no blob":
        del lines[kinds.index("blob")]
    elif spoil == "no event":
        del lines[third]
    elif spoil == "no end":
        del lines[-1]
    elif spoil == "another body":
        lines[third] = lines[third].replace("ann", "bob")
    elif spoil == "newer tables":
        lines[0] = lines[0].replace('"schema":"', '"schema":"9')
    elif spoil == "a newer form":
        lines[0] = lines[0].replace('"format":1', '"format":2')
    source.write_text("".join(lines))
    told = empty("import", "ledger", source, exits=code)
    assert says in told.err
    empty("init")
    assert empty("checkpoint").json["position"] == 1


def test_an_archive_that_is_no_source_changes_nothing(
    filled: Rollout, empty: Rollout, tmp_path: Path
) -> None:
    """I3: one that was tampered with, one of newer tables, and one that a checkpoint contradicts."""
    archive, kept = tmp_path / "archive", tmp_path / "kept.json"
    filled("export", "parquet", "--out", archive)
    manifest = ranges(archive)[0] / "manifest.json"
    edit(manifest, '"schema": "', '"schema": "9')
    assert "manifest.json is not the one that" in empty("import", "ledger", archive, exits=7).err
    seal_again(archive)
    told = empty("import", "ledger", archive, exits=9)
    assert "was written by a newer rollout-ledger" in told.err
    edit(manifest, '"schema": "9', '"schema": "')
    seal_again(archive)
    filled("pause", "bot", "--reason", "later")
    filled("checkpoint", "--out", kept)
    told = empty("import", "ledger", archive, "--checkpoint", kept, exits=3)
    assert "and the checkpoint is of" in told.err
    empty("init")
    assert empty("checkpoint").json["position"] == 1


def test_killed_on_the_way_it_goes_on(filled: Rollout, empty: Rollout, tmp_path: Path) -> None:
    """I12: the same source finishes it, another one is refused; what comes of it is the same log."""
    lengthen(filled.dsn or "", 2500)
    archive = tmp_path / "archive"
    filled("export", "parquet", "--out", archive)
    archived = log_of(filled.dsn or "")
    filled("pause", "bot", "--reason", "later")
    filled("export", "jsonl", "--out", tmp_path / "later.jsonl")
    empty("import", "ledger", archive, fail_at="restore.after_batch")
    told = empty("import", "ledger", tmp_path / "later.jsonl", exits=3)
    assert "a restore of another log" in told.err
    for words in (("jsonl",), ("csv", "bot"), ("parquet", "--out", tmp_path / "half")):
        told = empty("export", *words, exits=9)
        assert "this is not all of the log" in told.err
    assert not (tmp_path / "half").exists()
    told = empty("import", "ledger", archive, "-o", "json").json
    assert told["outcome"] == "restored"
    assert empty("checkpoint").json["chain"] == told["chain"]
    assert log_of(empty.dsn or "") == archived
    empty("verify")
    told = empty("import", "ledger", tmp_path / "later.jsonl", exits=3)
    assert "the ledger is not empty" in told.err


def test_a_ledger_that_was_used_is_left_alone(filled: Rollout, tmp_path: Path) -> None:
    """I1: a history is not put over another one."""
    source = tmp_path / "ledger.jsonl"
    filled("export", "jsonl", "--out", source)
    filled("switch", "bot", "--to", "paused", "--reason", "later")
    assert "skipped" in filled("import", "ledger", source).out
    lines = source.read_text().splitlines(keepends=True)
    (tmp_path / "other.jsonl").write_text("".join(lines[:1]))
    assert "cut off" in filled("import", "ledger", tmp_path / "other.jsonl", exits=7).err
    (tmp_path / "notes.txt").write_text("Dear diary\n")
    assert "is no export" in filled("import", "ledger", tmp_path / "notes.txt", exits=2).err
    os.mkfifo(tmp_path / "pipe")
    assert "no regular file" in filled("import", "ledger", tmp_path / "pipe", exits=2).err
    assert "does not exist" in filled("import", "ledger", tmp_path / "none.jsonl", exits=2).err
