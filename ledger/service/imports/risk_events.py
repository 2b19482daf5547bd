"""The risk events that a bot keeps as CSV, with a header. Pure."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from ledger.domain.errors import BadInput
from ledger.service.imports.base import BadRecord, Problem, shown
from ledger.service.imports.jsonl import OVERTAKING_MAX, Activity
from ledger.service.imports.lines import LINE_BYTES_MAX, decoded
from ledger.service.imports.times import SECOND_TIME_ROUND, InOrder, Zone

TIME_COLUMNS: Final = ("timestamp", "time", "ts", "datetime", "date")
KIND: Final = "risk_event"
_SEPARATORS: Final = ",;\t"


def read(
    lines: Iterable[tuple[int, bytes]], *, zone: Zone, not_after: datetime
) -> Iterator[Activity | Problem]:
    """Yield what each row holds, or what is wrong with it, by the line on which it begins.

    Raises:
        BadInput: there is no header that names a column for the time.
    """
    text = _Text(lines)
    header, separator, time_column = _header(text)
    csv.field_size_limit(LINE_BYTES_MAX)
    rows = csv.reader(text, delimiter=separator, strict=True)
    times = InOrder(zone, not_after, OVERTAKING_MAX)
    while True:
        text.begin()
        try:
            row = next(rows)
            if not row:
                continue
            yield _activity(text.number, row, header, time_column, times)
        except StopIteration:
            return
        except csv.Error as error:
            yield Problem(f"line {text.number}", f"is not CSV: {error}")
            rows = csv.reader(text, delimiter=separator, strict=True)
        except BadRecord as bad:
            yield Problem(f"line {text.number}", str(bad))


class _Text:
    """The lines as text, with the number of the first one that the row at hand took."""

    def __init__(self, lines: Iterable[tuple[int, bytes]]) -> None:
        self._lines = iter(lines)
        self.number = 0
        self._beginning = True

    def begin(self) -> None:
        """Say that the next line begins a row."""
        self._beginning = True

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        number, line = next(self._lines)
        if self._beginning:
            self.number, self._beginning = number, False
        return decoded(line) + "\n"


def _header(text: _Text) -> tuple[list[str], str, int]:
    try:
        line = next(text, "")
    except BadRecord as bad:
        raise BadInput(f"Line 1 {bad}.", hint="Save the file as CSV in UTF-8.") from None
    separator = max(_SEPARATORS, key=line.count)
    names = [name.strip() for name in next(csv.reader([line], delimiter=separator), list[str]())]
    lowered = [name.lower() for name in names]
    if not any(names):
        raise BadInput("Line 1 is empty.", hint="A header is expected: timestamp,event,…")
    if "" in names or len(set(names)) < len(names):
        raise BadInput(
            f"Line 1: every column needs a name of its own; found {', '.join(map(shown, names))[:200]}."
        )
    column = next((lowered.index(name) for name in TIME_COLUMNS if name in lowered), None)
    if column is None:
        raise BadInput(
            f"Line 1 names no column for the time; found {', '.join(map(shown, names))[:200]}.",
            hint=f"A header is expected, with one of: {', '.join(TIME_COLUMNS)}",
        )
    return names, separator, column


def _activity(
    number: int, row: list[str], header: list[str], column: int, times: InOrder
) -> Activity:
    if len(row) != len(header):
        raise BadRecord(f"has {len(row)} columns, and the header {len(header)}")
    try:
        at, naive, second = times.read(row[column])
    except BadRecord as bad:
        raise BadRecord(f"column {header[column]!r} {bad}") from None
    record = dict(zip(header, row, strict=True))
    content = json.dumps(record, ensure_ascii=False).encode()
    times.follow(at)
    return Activity(
        number, KIND, at, naive, content, record, (SECOND_TIME_ROUND,) if second else ()
    )
