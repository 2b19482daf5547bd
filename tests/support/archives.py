"""An archive's files, and doing to them what nobody may do."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb


def files(archive: Path) -> dict[str, bytes]:
    """Return what lies in an archive, but for its list, which grows."""
    return {
        path.relative_to(archive).as_posix(): path.read_bytes()
        for path in archive.rglob("*")
        if path.is_file() and path.name != "archive.json"
    }


def ranges(archive: Path) -> list[Path]:
    """Return the folders of the ranges, the newest last."""
    return sorted(archive.glob("range=*"))


def the_event_files(archive: Path) -> list[Path]:
    """Return the files of the bot's events, the newest last."""
    return sorted(archive.glob("range=*/system=bot/day=*/events.parquet"))


def change_rows(path: Path, select: str) -> None:
    """Write a file anew from what ``select`` makes of its rows, which it calls ``old``."""
    other = path.with_name("other")
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (WITH old AS (FROM read_parquet('{path}', hive_partitioning = false)) {select}) "
            f"TO '{other}' (FORMAT parquet)"
        )
    other.replace(path)


def seal_again(archive: Path) -> None:
    """Make every record agree with the files again, as a forger would who knows how."""
    previous: str | None = None
    listed = json.loads((archive / "archive.json").read_bytes())
    for entry in listed["ranges"]:
        path = archive / entry["folder"] / "manifest.json"
        manifest = json.loads(path.read_bytes())
        for file in manifest["files"]:
            content = (path.parent / file["path"]).read_bytes()
            file |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        manifest["previous"] = previous
        path.write_text(json.dumps(manifest))
        previous = entry["manifest"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (archive / "archive.json").write_text(json.dumps(listed))


def edit(path: Path, old: str, new: str) -> None:
    """Put ``new`` where ``old`` is."""
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _swap_rows(path: Path) -> None:
    change_rows(
        path,
        "SELECT * EXCLUDE (a) REPLACE (CASE position WHEN a THEN a + 1 WHEN a + 1 THEN a ELSE position END "
        "AS position) "
        "FROM (SELECT *, min(position) OVER () AS a FROM old) ORDER BY position",
    )


def _misplace_row(path: Path) -> None:
    change_rows(
        path,
        "SELECT * REPLACE (CASE position WHEN (SELECT max(position) FROM old) THEN -position "
        "ELSE position END AS position) FROM old ORDER BY position",
    )


def _swap(one: Path, other: Path) -> None:
    aside = one.rename(one.with_name("aside"))
    other.rename(one)
    aside.rename(other)


def _folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link(path: Path) -> None:
    elsewhere = path.rename(path.parents[4] / "elsewhere")
    path.symlink_to(elsewhere)


def _one_more_day(path: Path) -> None:
    shutil.copytree(path.parent, path.parent.with_name("day=2020-01-01"))


def _blobs(archive: Path) -> Path:
    return ranges(archive)[0] / "blobs.parquet"


def _manifest(archive: Path) -> Path:
    return ranges(archive)[0] / "manifest.json"


TAMPERINGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a byte of events": (lambda a: _flip(the_event_files(a)[0]), "was changed since it was sealed"),
    "a position": (
        lambda a: _misplace_row(the_event_files(a)[0]),
        "was changed since it was sealed",
    ),
    "events cut off": (lambda a: the_event_files(a)[0].write_bytes(b""), "was changed since"),
    "events truncated": (
        lambda a: os.truncate(the_event_files(a)[0], 100),
        "was changed since it was sealed",
    ),
    "events renamed": (
        lambda a: the_event_files(a)[1].rename(the_event_files(a)[1].with_name("e.parquet")),
        "events.parquet is missing",
    ),
    "files swapped": (lambda a: _swap(*the_event_files(a)[:2]), "was changed since it was sealed"),
    "ranges swapped": (lambda a: _swap(*ranges(a)), "manifest.json is of the range range="),
    "events missing": (lambda a: the_event_files(a)[1].unlink(), "events.parquet is missing"),
    "rows swapped": (
        lambda a: _swap_rows(the_event_files(a)[1]),
        "was changed since it was sealed",
    ),
    "a link": (lambda a: _link(the_event_files(a)[0]), "is no regular file"),
    "a blob changed": (lambda a: _flip(_blobs(a)), "blobs.parquet was changed"),
    "blobs missing": (lambda a: _blobs(a).unlink(), "blobs.parquet is missing"),
    "an extra file": (lambda a: (a / "notes.txt").write_text("x"), "notes.txt is no part of"),
    "an extra day": (lambda a: _one_more_day(the_event_files(a)[0]), "day=2020-01-01 is no part"),
    "a manifest missing": (lambda a: _manifest(a).unlink(), "manifest.json is missing"),
    "a manifest edited": (lambda a: edit(_manifest(a), '"ann"', '"bob"'), "is not the one that"),
    "a range missing": (lambda a: shutil.rmtree(ranges(a)[0]), "manifest.json is missing"),
    "the newest missing": (lambda a: shutil.rmtree(ranges(a)[1]), "manifest.json is missing"),
    "the list missing": (lambda a: (a / "archive.json").unlink(), "archive.json is missing"),
    "a folder for a list": (lambda a: _folder_instead(a / "archive.json"), "is no regular file"),
    "the list broken": (lambda a: (a / "archive.json").write_text("{"), "is not what was written"),
    "the list emptied": (
        lambda a: (a / "archive.json").write_text("{}"),
        "is not what was written",
    ),
}
