"""What all `rollout report` commands share: their options, and writing what was made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from cli.output import Output, counted, say
from ledger.domain.errors import RightMissing
from ledger.domain.events import ReportGenerated
from ledger.domain.log.ids import control_stream
from ledger.folders import write_folder
from projections.reports.provenance import Provenance
from projections.reports.words import Words, words_in
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


@dataclass(frozen=True)
class Made:
    """A report that was made, and not yet written: file name -> content."""

    provenance: Provenance
    files: Mapping[str, bytes]


def hand_out(
    runtime: Runtime, made: Made, words: Words, folder: Path, output: Output, *,
    replaced: bool, facts: Mapping[str, Any], human: str,
) -> None:  # fmt: skip
    """Write the folder, record that it was, and tell: ``human`` to people, ``facts`` to programs.

    Raises:
        BadInput, FileNotWritten: nothing was written, and nothing recorded.
    """
    sums, position = write(runtime, made, words, folder, replaced=replaced)
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


def write(
    runtime: Runtime, made: Made, words: Words, folder: Path, *, replaced: bool
) -> tuple[dict[str, str], int | None]:
    """Write the folder, and record that it was; return the files' SHA-256, and the event's position.

    Raises:
        BadInput, FileNotWritten: nothing was written, and nothing recorded.
    """

    write_folder(folder, made.files, replace=replaced)
    sums = {
        name: hashlib.sha256(content).hexdigest() for name, content in sorted(made.files.items())
    }
    return sums, _record(runtime, made.provenance, words, sums)


def _record(
    runtime: Runtime, made: Provenance, words: Words, sums: Mapping[str, str]
) -> int | None:
    """Append `ReportGenerated`; a login that may only read gets its report all the same."""

    generated = ReportGenerated(
        report=made.report,  # type: ignore[arg-type] -- one of the four
        language=words.language,
        run=made.run_tag,
        from_position=made.from_position,
        to_position=made.to_position,
        chain=made.chain,
        files=dict(sums),
    )
    recorder = runtime.ledger.recorder
    # No string of it is a person's: names of files, digests, and a run tag that was recorded before.
    event = recorder.prepare(
        generated, runtime.origin(), stream=control_stream(made.system), system=made.system,
        redacted=True,
    )  # fmt: skip
    try:
        position = recorder.append([event])[0].position
    except RightMissing as problem:
        say(f"warning: that it was made is not recorded: {problem.message}")
        return None
    runtime.catch_up()
    return position
