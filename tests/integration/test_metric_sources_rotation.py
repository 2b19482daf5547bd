"""Files that grow and are rotated: nothing that was written is lost, or that is told."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.metrics.sources import Source, SourceReading
from ledger.metrics.specs import CsvFile, JsonLines
from ledger.metrics.tailing import Place
from ledger.service.watch import read_offsets
from tests.support.fakes import START, FrozenClock

AT = START.isoformat()


def line(value: float) -> str:
    return json.dumps({"metric": "m", "value": value, "at": AT}) + "\n"


class Log:
    """A file of JSON lines, what writes to it, and what reads it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "m.jsonl"
        self.path.touch()
        self.source = self._fresh(None)
        self._home = folder / "home"

    def _fresh(self, place: Place | None) -> Source:
        spec = JsonLines(name="m", kind="jsonl_file", path=self.path.name)
        return Source(spec, self.path.parent, FrozenClock(), {}, resume=place)

    def write(self, *values: float, path: Path | None = None) -> None:
        with (path or self.path).open("a") as file:
            file.write("".join(map(line, values)))

    def restart(self) -> None:
        """Have another process read on, by what is kept on the machine."""
        tail = self.source.tail
        assert tail is not None
        assert tail.place is not None
        read_offsets.keep(self._home, "bot", {"m": tail.place})
        self.source = self._fresh(read_offsets.recall(self._home, "bot")["m"])

    def read(self) -> tuple[list[float], str | None]:
        told: SourceReading = self.source.read()
        assert told.lost is None or told.problem is not None
        return [one.number for one in told.samples], told.lost

    def rotated(self, ending: str = ".1") -> Path:
        return self.path.with_name(self.path.name + ending)


@pytest.fixture(params=["one watch", "the next watch"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Log:
    """A file of which one line was read; by the same process as what follows, or by one before it."""
    log = Log(tmp_path)
    log.write(1)
    assert log.read() == ([1], None)
    if request.param == "the next watch":
        log.restart()
    return log


def moved(log: Log) -> None:
    log.path.rename(log.rotated())


def copied_and_cut_off(log: Log) -> None:
    shutil.copy(log.path, log.rotated())
    os.truncate(log.path, 0)


def named_by_the_day(log: Log) -> None:
    log.path.rename(log.path.with_name("m-20260601.jsonl"))


@pytest.mark.parametrize("rotate", [moved, copied_and_cut_off, named_by_the_day])
@pytest.mark.parametrize("much", [False, True])
def test_what_was_written_before_it_was_rotated_is_read(
    log: Log, rotate: Callable[[Log], None], much: bool
) -> None:
    """13: also where the new file is longer already than the old one was."""
    log.write(0.99)
    rotate(log)
    after = [2.0] * (50 if much else 1)
    log.write(*after)
    assert log.read() == ([0.99, *after], None)
    assert log.read() == ([], None)


def test_rotated_twice_between_two_looks(log: Log) -> None:
    log.write(0.9)
    log.path.rename(log.rotated(".2"))
    log.write(0.8)
    log.path.rename(log.rotated(".1"))
    later = log.rotated(".1").stat().st_mtime_ns + 1_000_000
    os.utime(log.rotated(".1"), ns=(later, later))
    log.write(0.7)
    assert log.read() == ([0.9, 0.8, 0.7], None)


def test_who_writes_on_to_the_old_file_is_read(log: Log) -> None:
    """logrotate moves first, and tells the program to open a new file later."""
    moved(log)
    log.write(2)
    assert log.read() == ([2], None)
    log.write(0.9, path=log.rotated())
    log.restart()
    log.write(3)
    assert log.read() == ([0.9, 3], None)
    assert log.read() == ([], None)


def test_a_line_that_is_half_written_is_read_once_it_is_whole(log: Log) -> None:
    with log.path.open("a") as file:
        file.write(line(0.9)[:20])
    moved(log)
    log.write(2)
    assert log.read() == ([2], None)
    with log.rotated().open("a") as file:
        file.write(line(0.9)[20:])
    assert log.read() == ([0.9], None)


@pytest.mark.parametrize("how", ["deleted", "cut off", "replaced in place", "moved far away"])
def test_what_is_not_to_be_found_is_told(log: Log, how: str) -> None:
    """13: said once, with where; what came after it is read all the same."""
    log.write(0.9)
    offset = len(line(1))
    if how == "cut off":
        os.truncate(log.path, 0)
    elif how == "replaced in place":
        log.path.write_text(line(0.5) * 9)
    elif how == "moved far away":
        (log.path.parent / "old").mkdir()
        log.path.rename(log.path.parent / "old" / "m.jsonl")
    else:
        log.path.unlink()
    if how != "replaced in place":
        log.write(2)
    values, lost = log.read()
    assert values == ([0.5] * 9 if how == "replaced in place" else [2])
    assert lost is not None
    assert f"after byte {offset}" in lost
    assert log.read() == ([], None)


def test_what_was_packed_before_it_was_read_is_told(log: Log) -> None:
    log.path.rename(log.rotated(".2"))
    later = log.rotated(".2").stat().st_mtime_ns + 1_000_000
    log.rotated(".1.gz").write_bytes(b"")
    os.utime(log.rotated(".1.gz"), ns=(later, later))
    log.write(2)
    values, lost = log.read()
    assert values == [2]
    assert lost is not None
    assert lost.endswith("m.jsonl.1.gz was packed before it was read")


def test_each_file_is_read_by_its_own_header(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    spec = CsvFile(
        name="rows", kind="csv_file", path="rows.csv", time="at", metrics={"edge": "edge"}
    )
    source = Source(spec, tmp_path, FrozenClock(), {})
    rows.write_text(f"at,edge\n{AT},1\n")
    source.read()
    with rows.open("a") as file:
        file.write(f"{AT},2\n")
    rows.rename(tmp_path / "rows.csv.1")
    rows.write_text(f"edge,at\n3,{AT}\n")
    assert [one.value for one in source.read().samples] == ["2", "3"]
    with rows.open("a") as file:
        file.write(f"4,{AT}\n")
    assert [one.value for one in source.read().samples] == ["4"]


def test_a_place_that_an_earlier_version_kept(tmp_path: Path) -> None:
    """An upgrade reads on where the version before it stopped."""
    log = Log(tmp_path)
    log.write(1, 2)
    folder = tmp_path / "home" / "watch"
    folder.mkdir(parents=True)
    place = [log.path.stat().st_ino, len(line(1))]
    (folder / "bot.read.json").write_text(json.dumps({"m": place}))
    log.source = log._fresh(read_offsets.recall(tmp_path / "home", "bot")["m"])
    assert log.read() == ([2], None)
