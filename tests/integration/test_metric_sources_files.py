"""Metric sources that are files: documents that are written anew, and files that grow."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ledger.metrics.sources import Source, SourceReading
from ledger.metrics.specs import CsvFile, JsonFile, JsonLines
from ledger.metrics.tailing import TAKEN_AT_ONCE_BYTES, Place
from tests.support.fakes import START, FrozenClock

AT = START.isoformat()


def csv_of(folder: Path, *, resume: Place | None = None, **given: Any) -> Source:
    fields: dict[str, Any] = {"metrics": {"edge": "edge"}, "label_columns": ("slice",), **given}
    spec = CsvFile(name="rows", kind="csv_file", path="rows.csv", time="at", **fields)
    return Source(spec, folder, FrozenClock(), {}, resume=resume)


def lines_of(folder: Path) -> Source:
    spec = JsonLines(name="rows", kind="jsonl_file", path="rows.jsonl", labels={"host": "a"})
    return Source(spec, folder, FrozenClock(), {})


def values(told: SourceReading) -> list[str]:
    return [one.value for one in told.samples]


def add(path: Path, text: str | bytes) -> None:
    with path.open("ab") as file:
        file.write(text.encode() if isinstance(text, str) else text)


def test_a_csv_file_that_grows(tmp_path: Path) -> None:
    """Each row once; a row that is half written waits; an empty cell and NaN are no samples."""
    rows = tmp_path / "rows.csv"
    source = csv_of(tmp_path)
    assert source.read().problem == f"rows: {rows} does not exist"
    add(rows, "at,slice")
    assert source.read() == SourceReading(())
    add(rows, f',edge\n{AT},tokyo,0.1\n{AT},"lon,don",0.2\n{AT},tokyo,0.')
    told = source.read()
    assert [(one.value, dict(one.labels), one.at) for one in told.samples] == [
        ("0.1", {"slice": "tokyo"}, START), ("0.2", {"slice": "lon,don"}, START),
    ]  # fmt: skip
    add(rows, f"3\n{AT},tokyo,\n{AT},tokyo,NaN\n{AT},tokyo,-Inf\r\n\n")
    told = source.read()
    assert (values(told), told.problem) == (["0.3", "-Inf"], None)
    assert source.read() == SourceReading(())
    add(rows, f"{AT},tokyo,many\nyesterday,tokyo,1\n{AT}\n{AT},tok\xffyo,0.4\n".encode("latin-1"))
    told = source.read()
    assert (values(told), told.problem) == (["0.4"], "rows: 3 lines could not be read")


def test_a_file_is_rotated_and_cut_off(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    source = csv_of(tmp_path)
    add(rows, f"at,slice,edge\n{AT},tokyo,0.1\n{AT},tokyo,0.2\n")
    assert values(source.read()) == ["0.1", "0.2"]
    rows.rename(tmp_path / "rows.csv.1")
    add(rows, f"edge,at,slice\n0.3,{AT},tokyo\n")
    assert values(source.read()) == ["0.3"]
    rows.write_text("edge,at,slice\n")
    assert values(source.read()) == []
    add(rows, f"0.4,{AT},tokyo\n")
    assert values(source.read()) == ["0.4"]


def test_who_comes_next_reads_on(tmp_path: Path) -> None:
    """What a watch has recorded the next one does not record again; the header is known all the same."""
    rows = tmp_path / "rows.csv"
    add(rows, f"at,slice,edge\n{AT},tokyo,0.1\n")
    first = csv_of(tmp_path)
    first.read()
    assert first.tail
    add(rows, f"{AT},tokyo,0.2\n")
    assert values(csv_of(tmp_path, resume=first.tail.place).read()) == ["0.2"]


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    add(tmp_path / "rows.csv", f"at,slice,egde\n{AT},tokyo,0.1\n")
    told = csv_of(tmp_path).read()
    assert told == SourceReading((), "rows: the header has no column edge; it has: at, slice, egde")


def test_of_a_long_past_the_end_is_read(tmp_path: Path) -> None:
    """A watch that begins beside a large file looks at the present, not at last year."""
    rows = tmp_path / "rows.csv"
    line = f"{AT},tokyo,0.1\n"
    count = TAKEN_AT_ONCE_BYTES // len(line) + 1000
    add(rows, "at,slice,edge\n" + line * count + f"{AT},tokyo,0.9\n")
    source = csv_of(tmp_path)
    told = source.read()
    assert told.problem is None
    assert len(told.samples) < count
    assert values(told)[-1] == "0.9"
    add(rows, f"{AT},tokyo,0.8\n")
    assert values(source.read()) == ["0.8"]


def test_a_line_without_end_does_not_stop_it(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    source = lines_of(tmp_path)
    add(rows, '{"metric": "edge", "value": 1}\n')
    assert values(source.read()) == ["1"]
    add(rows, b"x" * TAKEN_AT_ONCE_BYTES)
    assert "longer than 4 MiB" in (source.read().problem or "")
    add(rows, '\n{"metric": "edge", "value": 2}\n')
    assert values(source.read()) == ["2"]


def test_json_lines_that_grow(tmp_path: Path) -> None:
    """Labels, times and numbers as they are written; NaN is no sample; a bad line costs that line."""
    told = {
        "metric": "edge",
        "value": True,
        "labels": {"slice": "a\u2028b", "n": 1},
        "at": 1764547200,
    }
    add(tmp_path / "rows.jsonl", json.dumps(told, ensure_ascii=False) + "\n")
    add(tmp_path / "rows.jsonl", '{"metric": "edge", "value": NaN}\n{"metric": "edge"}\n')
    reading = lines_of(tmp_path).read()
    (one,) = reading.samples
    assert (one.value, one.at.timestamp()) == ("1", 1764547200)
    assert one.labels == {"slice": "a\u2028b", "n": "1", "host": "a"}
    assert reading.problem == "rows: 1 lines could not be read"


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_file_is_said(tmp_path: Path, kind: str) -> None:
    """Opening a pipe would wait for whoever writes to it, for ever."""
    path = tmp_path / "rows.csv"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    told = csv_of(tmp_path).read()
    assert told.samples == ()
    assert str(path) in (told.problem or "")


def test_a_document_that_is_written_anew(tmp_path: Path) -> None:
    """I8: what is missing, NaN or too old is no sample, and is told."""
    spec = JsonFile(
        name="stats", kind="json_file", path="stats.json", texts={"OPEN": 1, "CLOSED": 0},
        values={"p95": "latency.p95", "levels": "levels.#", "top": "levels[0].size", "up": "up",
                "breaker": "breaker", "ece": "ece"},
        max_age=timedelta(minutes=1),
    )  # fmt: skip
    clock = FrozenClock()
    source = Source(spec, tmp_path, clock, {})
    path = tmp_path / "stats.json"
    path.write_text(
        '{"latency": {"p95": 480.5}, "levels": [{"size": 2}, {}], "up": false, "breaker": "OPEN", '
        '"ece": NaN}'
    )
    os.utime(path, (START.timestamp(), START.timestamp()))
    told = source.read()
    assert {one.metric: one.value for one in told.samples} == {
        "p95": "480.5", "levels": "2", "top": "2", "up": "0", "breaker": "1",
    }  # fmt: skip
    assert told.problem == "stats: nothing at ece"
    clock.advance(61)
    assert source.read() == SourceReading((), f"stats: {path} was written 61 s ago")
