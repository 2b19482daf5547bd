"""What other programs write is never what ends the watch: a source that can't be understood says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.metrics.sources import Source
from ledger.metrics.specs import CsvFile, JsonFile, JsonLines
from tests.support.fakes import FrozenClock

ROWS = "at,edge\n1764547200,0.1\n"


def reading(folder: Path, spec: CsvFile | JsonFile | JsonLines) -> tuple[int, str]:
    told = Source(spec, folder, FrozenClock(), {}).read()
    return len(told.samples), told.problem or ""


@pytest.mark.parametrize(
    "content",
    [
        '{"a": 1' + "0" * 400 + "}",
        '{"a": {"b": ' * 30_000,
        "\0\0\0",
        "[" * 100_000,
        '{"a": "Infinity", "b": NaN',
    ],
    ids=["a number too large", "too deep", "zeros", "brackets", "cut off"],
)
def test_a_document_that_is_none(tmp_path: Path, content: str) -> None:
    """I8: no sample, and a sentence; the next round reads it anew."""
    (tmp_path / "stats.json").write_text(content)
    spec = JsonFile(name="stats", kind="json_file", path="stats.json", values={"a": "a"})
    samples, problem = reading(tmp_path, spec)
    assert (samples, problem[:7]) == (0, "stats: ")


@pytest.mark.parametrize(
    "line",
    [
        "1e300,0.2",
        "-1e18,0.2",
        "0x,0.2",
        "1764547200," + "9" * 200_000,
        "1764547200," + "9" * 400,
        "1764547200",
    ],
)
def test_a_line_that_is_none_costs_that_line(tmp_path: Path, line: str) -> None:
    """The lines before it count."""
    (tmp_path / "rows.csv").write_text(f"{ROWS}{line}\n")
    spec = CsvFile(
        name="rows", kind="csv_file", path="rows.csv", time="at", metrics={"edge": "edge"}
    )
    samples, problem = reading(tmp_path, spec)
    assert samples in {0, 1}
    assert problem.startswith("rows: ")


@pytest.mark.parametrize(
    "line",
    [
        '{"metric": "edge", "value": 0.1, "at": 1e300}',
        '{"metric": "edge", "value": 1' + "0" * 400 + "}",
        '{"metric": "edge", "value": 0.1, "labels": "tokyo"}',
        '{"metric": 7, "value": 0.1}',
        "[]",
        "null",
    ],
)
def test_a_sample_that_is_none_costs_that_sample(tmp_path: Path, line: str) -> None:
    """The lines around it count."""
    good = '{"metric": "edge", "value": 0.1}'
    (tmp_path / "rows.jsonl").write_text(f"{good}\n{line}\n{good}\n")
    spec = JsonLines(name="rows", kind="jsonl_file", path="rows.jsonl")
    assert reading(tmp_path, spec) == (2, "rows: 1 lines could not be read")
