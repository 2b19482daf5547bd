"""rollout sql --shell: one question after the other."""

from __future__ import annotations

import readline
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from cli.output import say
from cli.rows import answer
from ledger.domain.errors import LedgerError
from projections.audit.saved import all_saved
from runtime.replica import bring_up, questioner
from runtime.wiring import Runtime

HISTORY_FILE: Final = "sql_history"
HISTORY_LINES_MAX: Final = 1000
PROMPT: Final = "rollout> "
PROMPT_MORE: Final = "     ..> "
HELP: Final = """\
A question ends in a semicolon and may take several lines. Ctrl-C gives it up, Ctrl-D leaves.
  SHOW TABLES;        what can be asked
  DESCRIBE events;    the columns of one of them
  .saved              the questions that were saved
  .sync               bring the replica up to the end of the log
  .help  .quit"""


def run_shell(runtime: Runtime, form: str, timeout_seconds: float) -> None:
    """Ask until there are no more questions. The replica is open only while it answers, so others can sync.

    What is piped in is run too; then the first error ends it.
    """
    typed = sys.stdin.isatty()
    history = runtime.settings.home / HISTORY_FILE
    if typed:
        _remember(history)
        say("Ask in SQL, end with a semicolon; .help tells more.")
    try:
        for text in _questions(typed=typed):
            try:
                _answer(runtime, text, form, timeout_seconds)
            except LedgerError as error:
                if not typed:
                    raise
                say(error.message, colour="red")
                if error.hint:
                    say(f"  next: {error.hint}")
            except KeyboardInterrupt:
                if not typed:
                    raise
                say("Given up.")
    finally:
        if typed:
            _keep(history)


def _answer(runtime: Runtime, text: str, form: str, timeout_seconds: float) -> None:
    match text.rstrip(";").strip():
        case ".help":
            say(HELP)
        case ".saved":
            for saved in all_saved():
                click.echo(f"{saved.id:24} {saved.title}")
        case ".sync":
            bring_up(runtime)
        case unknown if unknown.startswith("."):
            say(f"There is no {unknown}; .help tells what there is.")
        case _:
            with questioner(runtime, timeout_seconds) as (asked, head):
                answer(asked, head, text, {}, form=form, stream=sys.stdout)


def _questions(*, typed: bool) -> Iterator[str]:
    """Yield what ends in a semicolon, dot commands, and what is left at the end."""
    lines: list[str] = []
    while True:
        try:
            line = input((PROMPT_MORE if lines else PROMPT) if typed else "")
        except EOFError:
            if typed:
                say("")
            break
        except KeyboardInterrupt:
            if not typed:
                raise
            say("")
            lines.clear()
            continue
        if line.strip() in {".quit", ".exit"}:
            return
        if line.strip():
            lines.append(line)
        text = "\n".join(lines)
        if text.startswith(".") or (text.rstrip().endswith(";") and text.count("'") % 2 == 0):
            lines.clear()
            yield text
    if lines:
        yield "\n".join(lines)


def _remember(history: Path) -> None:
    readline.set_history_length(HISTORY_LINES_MAX)
    with suppress(OSError):
        readline.read_history_file(history)


def _keep(history: Path) -> None:
    with suppress(OSError):
        history.touch(mode=0o600)
        readline.write_history_file(history)
