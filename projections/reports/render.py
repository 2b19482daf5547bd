"""From data to the bytes of files: JSON, CSV, and the templates for Markdown and HTML."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from projections.reports.words import Words

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES: Final = Path(__file__).parent / "templates"


def json_bytes(value: object) -> bytes:
    """Return ``value`` as indented JSON with a line's end."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return rows as CSV (RFC 4180 but for the line ends, which are one byte); None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def template_bytes(name: str, words: Words, **values: object) -> bytes:
    """Return the template ``name`` (in templates/) filled in. It finds ``words`` under the name ``t``.

    A name that the template uses and nobody gave is an error, and .html templates escape what they show.
    """
    return rendered(name, t=words, words=words, **values).encode()


def rendered(name: str, **values: object) -> str:
    """Return the template ``name`` filled in, as text."""
    return _environment().get_template(name).render(**values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters: dict[str, Any] = {"md": markdown, "moment": moment}
    made.filters.update(filters)
    return made


def markdown(value: object) -> str:
    """Return text as it can stand in a cell of a Markdown table, or in a line: no tag, link or picture."""
    shown = str(value).replace("\\", "\\\\").replace("|", "\\|").replace("`", "'")
    return " ".join(shown.replace("<", "&lt;").replace("](", "]\\(").split())


def moment(text: str | None) -> str:
    """Return an ISO 8601 time as people read it, to the second: ``2025-10-22 04:27:00Z``."""
    return f"{text[:10]} {text[11:19]}Z" if text else "—"
