"""What all `rollout report` commands share: their options, and writing what was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from cli.output import Output, counted
from projections.reports.words import Words, words_in
from runtime import reports
from runtime.reports import Made
from runtime.wiring import Runtime

F = TypeVar("F", bound=Callable[..., Any])


def _language(_context: click.Context, _parameter: click.Parameter, value: str) -> Words:
    return words_in(value)


lang = click.option(
    "--lang", "words", default="en", show_default=True, metavar="en|zh",
    envvar="ROLLOUT_LANG", show_envvar=True, callback=_language, help="The report's language.",
)  # fmt: skip
out = click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="DIR",
    help="The folder to write. It appears when it is whole.",
)  # fmt: skip
replace = click.option(
    "--replace", is_flag=True, help="Exchange a report that is in that folder already."
)


def hand_out(
    runtime: Runtime, made: Made, words: Words, folder: Path, output: Output, *,
    replaced: bool, facts: Mapping[str, Any], human: str,
) -> None:  # fmt: skip
    """Write the folder, record that it was, and tell: ``human`` to people, ``facts`` to programs.

    Raises:
        BadInput, FileNotWritten: nothing was written, and nothing recorded.
    """
    sums, position = reports.write(runtime, made, words, folder, replaced=replaced)
    output.record(
        {
            "report": made.provenance.report,
            "system": made.provenance.system,
            **facts,
            "folder": str(folder),
            "files": sums,
            "position": position,
        },
        f"{human}\n{folder}: {counted(len(sums), 'file')}",
    )
