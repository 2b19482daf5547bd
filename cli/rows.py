"""Writing the rows of a question as they come: a result of any size needs no more memory than a few."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Final, TextIO, cast
from uuid import UUID

import orjson

from cli.output import Output, say
from ledger.domain.errors import BadInput
from projections.audit.ask import Answer, Parameters, Questioner
from projections.audit.log_reader import Head
from runtime.replica import standing

TABLE_ROWS_MAX: Final = 1000
_INTEGER_64: Final = range(-(2**63), 2**63)


def answer(
    asked: Questioner,
    head: Head,
    text: str,
    parameters: Parameters,
    *,
    form: str,
    stream: TextIO,
    parquet: Path | None = None,
) -> None:
    """Ask one or several statements, all checked before the first is run; write what comes of it."""
    statements = asked.statements(text)
    wanted = {name for statement in statements for name in statement.named_parameters}
    for name in parameters.keys() - wanted:
        raise BadInput(
            f"The SQL has no ${name}.", hint=f"It has: {', '.join(sorted(wanted)) or 'none'}"
        )
    if len(statements) > 1 and form not in {"table", "jsonl"}:
        raise BadInput(
            f"{form} holds one result, and these are {len(statements)} statements.",
            hint="Ask them one by one, or with -o jsonl.",
        )
    for statement in statements:
        if parquet is not None:
            asked.write_parquet(statement, parameters, parquet)
        elif form == "table":
            count = show_table(asked.ask(statement, parameters))
            say(f"{count:,} {'row' if count == 1 else 'rows'}, as of position {standing(head)}")
        else:
            write_rows(asked.ask(statement, parameters), form, stream)


def write_rows(answer: Answer, form: str, stream: TextIO) -> int:
    """Write an answer as ``csv``, ``json`` (one array) or ``jsonl``; return how many rows it has."""
    columns = unique(answer.columns)
    if form == "csv":
        return _write_csv(answer, columns, stream)
    count = 0
    before, between, after = ("[\n", ",\n", "\n]\n") if form == "json" else ("", "\n", "\n")
    for record in _records(answer, columns):
        stream.write((between if count else before) + orjson.dumps(record).decode())
        count += 1
    if count:
        stream.write(after)
    elif form == "json":
        stream.write("[]\n")
    return count


def show_table(answer: Answer) -> int:
    """Show an answer to a person, at most the first `TABLE_ROWS_MAX` rows; return how many were shown."""
    if answer.columns == ("explain_key", "explain_value"):
        plans = [str(row[1]) for row in answer.rows]
        Output("table").record({}, human="\n".join(plans))
        return len(plans)
    columns = unique(answer.columns)
    rows = list(islice(answer.rows, TABLE_ROWS_MAX))
    shown = [dict(zip(columns, map(_for_people, row), strict=True)) for row in rows]
    Output("table").rows(shown, columns)
    if next(answer.rows, None) is not None:
        say(f"Only the first {TABLE_ROWS_MAX:,} rows are shown; -o csv, json or jsonl gives all.")
    return len(rows)


def unique(names: Sequence[str]) -> list[str]:
    """Return names of which no two are the same: a, a_2, a_3."""
    ordered: dict[str, None] = {}
    for name in names:
        number, chosen = 1, name
        while chosen in ordered:
            number += 1
            chosen = f"{name}_{number}"
        ordered[chosen] = None
    return list(ordered)


def _write_csv(answer: Answer, columns: Sequence[str], stream: TextIO) -> int:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in answer.rows:
        writer.writerow([_for_csv(value) for value in row])
        count += 1
    return count


def _records(answer: Answer, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    parsed = [type_ == "JSON" for type_ in answer.types]
    for row in answer.rows:
        yield {
            name: _json(value) if is_json else plain(value)
            for name, value, is_json in zip(columns, row, parsed, strict=True)
        }


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return plain(value)
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def plain(value: Any) -> Any:
    """Return a value of DuckDB as JSON has it: times in UTC with a Z, bytes in hex, no number rounded."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if value in _INTEGER_64 else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case Decimal():
            return float(value) if Decimal(str(float(value))) == value else str(value)
        case datetime():
            return value.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
        case date() | time():
            return value.isoformat()
        case bytes() | bytearray():
            return value.hex()
        case UUID() | timedelta():
            return str(value)
        case Mapping():
            return {str(key): plain(item) for key, item in cast("Mapping[Any, Any]", value).items()}
        case list() | tuple():
            return [plain(item) for item in cast("list[Any]", value)]
        case _:
            return str(value)


def _for_csv(value: Any) -> str:
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    return str(value)


def _for_people(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    return value if isinstance(value, bool) else plain(value)
