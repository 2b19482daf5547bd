"""Tables for a terminal: folded between words where they are too wide for it, or in two storeys.

A narrow terminal gets the columns side by side as long as no word has to be broken for it. Where that
can't be, each row shows what fits in its line, and the rest by name in the lines below.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

GAP: Final = "  "
INDENT: Final = " " * 4
BETWEEN: Final = " · "
# A longer word is broken, where the columns would not fit side by side otherwise.
LONGEST_WORD: Final = 20
# Wider than that, a column that is squeezed is not worth a place in the first storey.
FIRST_STOREY: Final = 24
# What can't be read any more when it is broken over two lines: times, positions, fingerprints.
_WHOLE: Final = re.compile(r"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ?|#?\d{1,12}|[0-9a-f]{12}")


def laid_out(names: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return a table's lines, its header first, for a terminal of ``width`` columns."""
    natural = [_width(column) for column in _columns_of(names, rows)]
    if _total(natural) > width:
        filled = [number for number in range(len(names)) if any(row[number] for row in rows)]
        names = [names[number] for number in filled]
        rows = [[row[number] for number in filled] for row in rows]
        natural = [natural[number] for number in filled]
    least = [
        _least(column, first=number == 0) for number, column in enumerate(_columns_of(names, rows))
    ]
    if _total(least) > width:
        return _two_storeys(names, rows, natural, width)
    widths = _shared(least, natural, width)
    return [line for row in (names, *rows) for line in _folded(row, widths)]


def _columns_of(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[name, *(row[number] for row in rows)] for number, name in enumerate(names)]


def _width(cells: Sequence[str]) -> int:
    return max(cell_len(line) for cell in cells for line in cell.split("\n"))


def _least(column: Sequence[str], *, first: bool) -> int:
    """Return how narrow a column (its name first) can be: as its longest word, or as it is."""
    whole = all(_WHOLE.fullmatch(cell) for cell in column[1:])
    if whole or (first and _width(column) <= FIRST_STOREY):
        return _width(column)
    words = max((cell_len(word) for cell in column[1:] for word in cell.split()), default=0)
    return max(cell_len(column[0]), min(words, LONGEST_WORD))


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _shared(least: Sequence[int], natural: Sequence[int], width: int) -> list[int]:
    """Return the columns' widths: what is left of ``width`` goes to whichever is narrowest yet."""
    widths = list(least)
    for _ in range(min(width, _total(natural)) - _total(least)):
        squeezed = [number for number, wanted in enumerate(natural) if widths[number] < wanted]
        widths[min(squeezed, key=widths.__getitem__)] += 1
    return widths


@functools.cache
def _console(width: int) -> Console:
    return Console(width=width)


def _wrapped(cell: str, width: int) -> list[str]:
    if cell_len(cell) <= width and "\n" not in cell:
        return [cell]
    console = _console(width)
    return [line.plain.rstrip() for line in Text(cell).wrap(console, width, overflow="fold")] or [
        ""
    ]


def _folded(cells: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    columns = [_wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
    for number in range(max(map(len, columns), default=0)):
        parts = [column[number] if number < len(column) else "" for column in columns]
        # The blanks at a line's end would only make it wrap elsewhere.
        yield GAP.join(
            part + " " * (width - cell_len(part)) for part, width in zip(parts, widths, strict=True)
        ).rstrip()


def _two_storeys(
    names: Sequence[str], rows: Sequence[Sequence[str]], natural: Sequence[int], width: int
) -> list[str]:
    above: list[int] = []
    for number, wanted in enumerate(natural):
        fits = _total([natural[taken] for taken in above] + [wanted]) <= width
        if fits and (not above or wanted <= FIRST_STOREY):
            above.append(number)
    above = above or [0]
    widths = [min(natural[number], width) for number in above]
    lines = list(_folded([names[number] for number in above], widths))
    for row in rows:
        lines += _folded([row[number] for number in above], widths)
        rest = [
            f"{name}: {row[number]}"
            for number, name in enumerate(names)
            if number not in above and row[number]
        ]
        if rest:
            lines += [INDENT + line for line in _wrapped(BETWEEN.join(rest), width - len(INDENT))]
    return lines
