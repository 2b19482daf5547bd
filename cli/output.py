"""Data on stdout, talk on stderr; tables for people, JSON and CSV for programs."""

from __future__ import annotations

import csv
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeGuard

import click
import msgspec
import orjson

Format = Literal["table", "json", "jsonl", "csv"]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Output:
    """Where results go and in which form."""

    format: Format = "table"

    def rows(
        self, rows: Iterable[Row], columns: Sequence[str] | None = None, *, title: str | None = None
    ) -> None:
        """Print many records. ``columns`` names those that a table or CSV shows; JSON has them all."""
        if self.format == "json":
            self._bytes(orjson.dumps(list(rows), option=_JSON, default=_plain))
        elif self.format == "jsonl":
            for row in rows:
                self._bytes(orjson.dumps(row, option=_LINE, default=_plain))
        elif self.format == "csv":
            _csv(list(rows), columns)
        else:
            _table(list(rows), columns, title)

    def record(self, record: Row, human: str | None = None) -> None:
        """Print one record: as ``human`` text (or key/value lines) for people, whole for programs."""
        if self.format == "table":
            click.echo(
                printable(human, styled=True) if human is not None else "\n".join(_lines(record))
            )
        elif self.format == "csv":
            _csv([record], None)
        else:
            option = _JSON if self.format == "json" else _LINE
            self._bytes(orjson.dumps(record, option=option, default=_plain))

    @staticmethod
    def _bytes(content: bytes) -> None:
        click.echo(content.decode())


def _plain(value: object) -> Any:
    """Return what orjson does not know as what it knows: a part of a state as data, all else as text."""
    return msgspec.to_builtins(value) if isinstance(value, msgspec.Struct) else str(value)


_LINE = orjson.OPT_UTC_Z
_JSON = orjson.OPT_INDENT_2 | _LINE
WIDTH_OF_A_PIPE: Final = 200
_LONG_DIGEST: Final = re.compile(r"(secret:hmac-sha256:[0-9a-f]{8}:[0-9a-f]{8})[0-9a-f]{56}")
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)")


# What a terminal obeys, or writes backwards: by it, a reason could hide the event that it stands in.
_OBEYED: Final = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
_CONTROL: Final = re.compile(_OBEYED)
_CONTROL_BUT_COLOUR: Final = re.compile(rf"(?!\x1b\[[0-9;]*m){_OBEYED}")


def printable(text: str, *, styled: bool = False) -> str:
    """Return ``text`` with control characters spelled out (``\\x1b``); ``styled`` leaves colours in it."""
    control = _CONTROL_BUT_COLOUR if styled else _CONTROL
    return control.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def say(message: str, *, colour: str | None = None) -> None:
    """Tell the person at the terminal something that is not data; warnings and notes in yellow."""
    colour = colour or ("yellow" if message.startswith(("warning: ", "note: ")) else None)
    message = printable(message, styled=True)
    click.echo(
        click.style(message, fg=colour) if colour and colours_wanted(sys.stderr) else message,
        err=True,
    )


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: ``1 key``, ``3 keys``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def colours_wanted(stream: Any = None) -> bool:
    """Tell whether colour may be used: a terminal, and no NO_COLOR (https://no-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool((stream or sys.stdout).isatty())


def _lines(record: Row) -> Iterator[str]:
    """Yield a record key by key; what is nested stands indented below its key, and is no JSON."""
    width = max((len(key) for key in record), default=0)
    for key, value in record.items():
        if _is_row(value) and value:
            yield key
            yield from (f"  {line}" for line in _lines(value))
        elif _is_list(value) and any(isinstance(one, Mapping) for one in value):
            yield key
            yield from (f"  {_in_one_line(one)}" for one in value)
        else:
            yield f"{key:<{width}}  {_in_one_line(value)}".rstrip()


def _in_one_line(value: Any) -> str:
    if _is_list(value):
        return ", ".join(map(_in_one_line, value))
    if not _is_row(value):
        return printable(_cell(value))
    said = ((key, _in_one_line(one)) for key, one in value.items() if one not in (None, "", [], {}))
    return "  ".join(f"{key} {text}" for key, text in said)


def _is_row(value: object) -> TypeGuard[Row]:
    return isinstance(value, Mapping)


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, list | tuple)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC).isoformat(' ', 'seconds')[:-6]}Z"
    if _is_list(value) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    if isinstance(value, Mapping | list | tuple):
        return orjson.dumps(value, default=_plain).decode()
    return str(value)


def _columns(rows: Sequence[Row], columns: Sequence[str] | None) -> list[str]:
    return list(columns) if columns is not None else list(rows[0]) if rows else []


def _csv(rows: Sequence[Row], columns: Sequence[str] | None) -> None:
    writer = csv.writer(sys.stdout)
    names = _columns(rows, columns)
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)


def _table(rows: Sequence[Row], columns: Sequence[str] | None, title: str | None) -> None:
    from cli.tables import laid_out

    names = _columns(rows, columns)
    if not rows:
        say("nothing to show")
        return
    if title:
        click.echo(title)
    cells = [[_for_people(_cell(row.get(name))) for name in names] for row in rows]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH_OF_A_PIPE
    header, *lines = laid_out(names, cells, width)
    click.echo("\n".join([click.style(header, bold=True) if colours_wanted() else header, *lines]))


def _for_people(cell: str) -> str:
    """Return ``cell`` as a table shows it: no control characters, digests cut, times as all others."""
    if time := _TIME.fullmatch(cell):
        return f"{time[1]} {time[2]}Z"
    return _LONG_DIGEST.sub(r"\1…", printable(cell))
