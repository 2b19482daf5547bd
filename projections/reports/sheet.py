"""A report as facts and tables by section; the same data becomes Markdown, HTML and JSON.

The words of a section stand in a table of its own: ``[part.orders]`` has ``title``, and a line for each
fact, table and column. ``[daily]`` has the title of the whole report.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, TypeAlias

from ledger.domain.values.durations import duration_text
from ledger.domain.values.moments import iso
from projections.reports.figures import Figure
from projections.reports.provenance import Provenance
from projections.reports.render import json_bytes, template_bytes
from projections.reports.words import Words


@dataclass(frozen=True, slots=True)
class Term:
    """A word or sentence of the words' table, with what it names."""

    key: str
    named: tuple[tuple[str, object], ...] = ()


def term(key: str, **named: object) -> Term:
    """Return the word ``section.key``, whose ``{names}`` are filled in."""
    return Term(key, tuple(sorted(named.items())))


Cell: TypeAlias = Figure | Term | datetime | timedelta | str | int | None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under named columns. Without rows it says so: ``none``."""

    key: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a report."""

    key: str
    facts: tuple[tuple[str, Cell], ...] = ()
    tables: tuple[Table, ...] = ()
    remarks: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """A whole report, without its provenance."""

    report: str
    """daily, stop or monitoring: the table of its words, and the name of its files."""
    named: tuple[tuple[str, object], ...]
    """What the title and the lead name."""
    sections: tuple[Section, ...]
    zone: tzinfo

    def files(self, source: Provenance, words: Words) -> dict[str, bytes]:
        """Return the report as Markdown, HTML and JSON, by file name."""
        shown = _Shown(self, words)
        values = {"sheet": self, "source": source, "show": shown.text, "label": shown.label,
                  "tone": tone, "named": dict(self.named)}  # fmt: skip
        contents = (
            template_bytes("sheet.md.j2", words, **values),
            template_bytes("sheet.html.j2", words, **values),
            json_bytes(self.document(source, words)),
        )
        return dict(zip(file_names(self.report), contents, strict=True))

    def title(self, words: Words) -> str:
        """Return what the report is called."""
        return words(f"{self.report}.title", **dict(self.named))

    def document(self, source: Provenance, words: Words) -> dict[str, Any]:
        """Return the report as JSON-ready data: numbers as decimal text, times in UTC."""
        shown = _Shown(self, words)
        return {
            "report": self.report,
            "language": words.language,
            "provenance": source.as_json(),
            "sections": {section.key: shown.section(section) for section in self.sections},
        }


def file_names(report: str) -> tuple[str, ...]:
    """Return the files that a report consists of."""
    return f"{report}.md", f"{report}.html", f"{report}.json"


class _Shown:
    """Cells as text, and as JSON, in one language."""

    def __init__(self, sheet: Sheet, words: Words) -> None:
        self._zone = sheet.zone
        self._words = words

    def label(self, section: str, key: str) -> str:
        """Return what a fact or a column is called."""
        return self._words(f"part.{section}.{key}")

    def text(self, cell: Cell) -> str:
        """Return a cell as people read it."""
        if isinstance(cell, Figure):
            return cell.text(self._words)
        if isinstance(cell, Term):
            return self._words(cell.key, **dict(cell.named))
        if isinstance(cell, datetime):
            shown = cell.astimezone(self._zone).isoformat(" ", "seconds")
            return shown.replace("+00:00", "Z")
        if isinstance(cell, timedelta):
            whole = timedelta(seconds=int(cell.total_seconds()))
            return duration_text(whole or cell, parts=3)
        return str(cell) if cell is not None and cell != "" else "—"

    def json(self, cell: Cell) -> Any:
        """Return a cell as programs read it."""
        if isinstance(cell, Figure):
            return cell.as_json(self._words)
        if isinstance(cell, Term):
            return {"word": cell.key.rpartition(".")[2], "text": self.text(cell)}
        if isinstance(cell, datetime):
            return iso(cell)
        if isinstance(cell, timedelta):
            return {"seconds": int(cell.total_seconds())}
        return cell if cell != "" else None

    def section(self, section: Section) -> dict[str, Any]:
        """Return a section as JSON-ready data."""
        return {
            "facts": {name: self.json(cell) for name, cell in section.facts},
            "tables": {
                table.key: [
                    dict(zip(table.columns, map(self.json, row), strict=True)) for row in table.rows
                ]
                for table in section.tables
            },
            "remarks": [self.text(remark) for remark in section.remarks],
        }


_TONES = {
    "fine": "good", "normal": "good", "fresh": "good",
    "found": "bad", "firing": "bad", "breached": "bad", "failing": "bad", "unseen": "bad",
    "unclear": "unsure", "no_data": "unsure", "pending": "unsure", "clearing": "unsure",
}  # fmt: skip


def tone(cell: Cell) -> str:
    """Return in which tone a page shows a verdict: good, bad, unsure; nothing for other cells."""
    if not isinstance(cell, Term) or not cell.key.startswith(("verdict.", "standing.")):
        return ""
    return _TONES.get(cell.key.rpartition(".")[2], "")


def facts(**cells: Cell) -> tuple[tuple[str, Cell], ...]:
    """Return facts in the order in which they are named."""
    return tuple(cells.items())


def table(key: str, columns: str, rows: Iterable[Sequence[Cell]]) -> Table:
    """Return a table; ``columns`` are the words that name its columns."""
    return Table(key, tuple(columns.split()), tuple(map(tuple, rows)))
