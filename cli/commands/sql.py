"""rollout sql: questions to the audit replica."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

import click

from cli import options
from cli.call import Call, command
from cli.completion import completer
from cli.output import Output, say
from cli.rows import answer
from cli.sql_shell import run_shell
from ledger import files
from ledger.domain.errors import BadInput
from projections.audit.ask import Parameters
from projections.audit.saved import Parameter, all_saved, saved as saved_question
from runtime.replica import bring_up, questioner, standing

FORMS: Final = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
SQL_BYTES_MAX: Final = 1_000_000


@command("sql", output=False)
@click.argument("statement", required=False, metavar="[SQL]")
@click.option(
    "--saved",
    metavar="NAME",
    shell_complete=completer(lambda _: (saved.id for saved in all_saved())),
    help="Ask a saved question; --list names them.",
)
@click.option(
    "-p",
    "--param",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="A value for $NAME in the SQL or the saved question. May be repeated.",
)
@click.option(
    "--list", "list_saved", is_flag=True, help="List the saved questions and their parameters."
)
@click.option(
    "--shell", is_flag=True, help="Ask one question after the other, each ending in a semicolon."
)
@options.output_or_parquet
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the result to this file instead.",
)
@click.option(
    "--timeout",
    "timeout_seconds",
    type=options.NumberRange(0.001, 86_400),
    default=60.0,
    show_default=True,
    envvar="ROLLOUT_SQL_TIMEOUT",
    show_envvar=True,
    help="Seconds that a question may take.",
)
@click.option(
    "--no-sync", is_flag=True, help="Ask the replica as it is, without looking at Postgres."
)
@click.option(
    "--rebuild",
    is_flag=True,
    help="Build the replica anew from the log. One that disagrees with the log is kept beside it.",
)
def sql(
    call: Call,
    statement: str | None,
    saved: str | None,
    given: tuple[str, ...],
    list_saved: bool,
    shell: bool,
    form: str | None,
    out: Path | None,
    timeout_seconds: float,
    no_sync: bool,
    rebuild: bool,
) -> None:
    """Ask the audit replica in SQL.

    The replica is a DuckDB file in the home folder, brought up to the end of the log first. SQL can read
    it and nothing else: events, config_changes, mode_intervals, alerts, rollbacks, incidents, metrics,
    orders and more (SHOW TABLES). SQL - reads it from stdin.

    Example:
      rollout sql "SELECT key, old, new, actor, reason FROM config_changes WHERE system = 'bot'"
      rollout sql --saved who-changed-what --param system=bot --param since=2025-11-01
      rollout sql "FROM metrics" --out metrics.parquet
      rollout sql --shell
    """
    if list_saved:
        _list(Output(form) if form in {"json", "jsonl", "csv"} else Output())  # pyright: ignore[reportArgumentType] -- narrowed by the set
        return
    if no_sync and rebuild:
        raise BadInput("--rebuild reads the whole log, so it can't go with --no-sync.")
    if shell and (statement or saved or out):
        raise BadInput("--shell takes its questions one by one.", hint="Leave the others out.")
    form = _form(form, out)
    question = (
        None if shell else _question(statement, saved, _parameters(given), wanted=not rebuild)
    )
    current = bring_up(call.runtime, rebuild=rebuild, no_sync=no_sync)
    if shell:
        run_shell(call.runtime, form, timeout_seconds)
    elif question is not None:
        text, parameters = question
        with _target(out, binary=form == "parquet") as (stream, target):
            may_write = target if form == "parquet" else None
            with questioner(call.runtime, timeout_seconds, may_write=may_write) as (asked, head):
                if not current:
                    say(f"note: as of position {standing(head)}")
                answer(asked, head, text, parameters, form=form, stream=stream, parquet=may_write)


@contextmanager
def _target(out: Path | None, *, binary: bool) -> Generator[tuple[TextIO, Path | None]]:
    """Yield a stream to write to and its file, which takes its place when all of it is written."""
    if out is None:
        yield sys.stdout, None
        return
    temporary = out.with_name(f".{out.name}.{os.getpid()}.rollout-tmp").absolute()
    try:
        with files.told_as_not_written(out):
            if binary:
                yield sys.stdout, temporary  # The engine makes the file itself.
            else:
                with temporary.open("w", encoding="utf-8", newline="") as stream:
                    yield stream, temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(out)
            files.sync_folder(temporary.parent)
        say(f"written to {out}")
    finally:
        temporary.unlink(missing_ok=True)


def _form(form: str | None, out: Path | None) -> str:
    """Return how the result is to be written, which the name of the file tells if nothing else does.

    Raises:
        BadInput: that form needs a file, or can't go into one.
    """
    if form is None:
        form = FORMS.get(out.suffix.lower(), "csv") if out is not None else "table"
    if form == "parquet" and out is None:
        raise BadInput("Parquet is no text: it needs a file.", hint="--out FILE.parquet")
    if form == "table" and out is not None:
        raise BadInput(
            "A table is for reading, not for a file.",
            hint="-o csv, json, jsonl or parquet with --out",
        )
    return form


def _question(
    statement: str | None, name: str | None, given: dict[str, str | None], *, wanted: bool
) -> tuple[str, Parameters] | None:
    """Return the SQL that is asked, and its parameters; None when nothing is and nothing has to be."""
    if name is not None:
        if statement is not None:
            raise BadInput("Give SQL or --saved NAME, not both.")
        question = saved_question(name)
        return question.sql, question.filled(given)
    if statement == "-":
        statement = sys.stdin.read(SQL_BYTES_MAX)
    if statement is not None and statement.strip():
        return statement, given
    if wanted:
        raise BadInput(
            "There is no question.",
            hint='rollout sql "SELECT …", --saved NAME, --list or --shell; rollout sql - reads stdin',
        )
    return None


def _parameters(given: tuple[str, ...]) -> dict[str, str | None]:
    values: dict[str, str | None] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise BadInput(f"--param {text!r} is not NAME=VALUE.", hint="--param system=bot")
        values[name] = value
    return values


def _list(output: Output) -> None:
    rows = [
        {
            "name": each.id,
            "question": each.title,
            "parameters": [_named(parameter) for parameter in each.parameters],
            "why": each.why,
        }
        for each in all_saved()
    ]
    output.rows(rows, ["name", "question", "parameters"])


def _named(parameter: Parameter) -> str:
    return parameter.name if parameter.required else f"{parameter.name}={parameter.default or '…'}"
