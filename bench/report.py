"""The table, the file, and the last line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.measure import Row, shown

_COLOUR = {"PASS": "green", "BELOW": "bold red", "MISSING": "bold red"}


def show(rows: Sequence[Row], loads: Sequence[float | None], about: Sequence[str]) -> None:
    """Print the table on stdout."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    for line in about:
        console.print(Text(line))
    names = ("work", "ours", "instead", "", "ratio", "must be", "verdict", "others' CPU")
    table = Table(*names, box=None, header_style="bold", pad_edge=False)
    for column in (1, 3, 4, 5, 7):
        table.columns[column].justify = "right"
    for row, load in zip(rows, loads, strict=True):
        colour = _COLOUR[row.verdict]
        compares = row.bar.unit == "×"
        table.add_row(
            Text(row.work),
            Text(shown(row.ours, row.unit)),
            Text(row.against),
            Text(shown(row.peer, row.unit) if row.against else ""),
            Text(shown(row.value, "×") if compares else ""),
            Text(str(row.bar)),
            Text(row.verdict, style=colour),
            Text("?" if load is None else f"{load:.0%}"),
        )
    console.print(table)
    for row in rows:
        if row.note:
            console.print(Text(f"  {row.work}: {row.note}", style="dim"))
    for row in rows:
        if row.missing:
            console.print(Text(f"  {row.work}: {row.missing}", style="bold red"))
    console.print(_last_line(rows))


def _last_line(rows: Sequence[Row]) -> Text:
    short = [f"{row.work} ({row.against})" if row.against else row.work for row in rows]
    short = [name.strip() for name in short]
    below = [name for name, row in zip(short, rows, strict=True) if row.verdict == "BELOW"]
    missing = [name for name, row in zip(short, rows, strict=True) if row.verdict == "MISSING"]
    if not below and not missing:
        return Text(f"All {len(rows)} bars are reached.", style="green")
    said = []
    if below:
        said.append(f"Below the bar: {'; '.join(below)}.")
    if missing:
        said.append(f"Not measured: {'; '.join(missing)}.")
    return Text(" ".join(said), style="bold red")


def write(
    path: Path, rows: Sequence[Row], loads: Sequence[float | None], about: Mapping[str, Any]
) -> None:
    """Write everything, each sample too, as JSON."""
    measured = [
        {**row.to_json(), "others_cpu": load} for row, load in zip(rows, loads, strict=True)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    content = json.dumps({**about, "rows": measured}, indent=2, ensure_ascii=False)
    path.write_text(content + "\n", encoding="utf-8")
