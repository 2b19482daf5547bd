"""Write docs/reference and the schema of profiles, by ``make docs``. Tests hold them to the code."""

from __future__ import annotations

import ast
import inspect
import json
import os
import pkgutil
import sys
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click

from cli.main import cli
from ledger.domain.errors import LedgerError
from ledger.domain.events import catalogue
from ledger.domain.log import event
from ledger.domain.values.alert_actions import ACTIONS
from ledger.profiles import shipped
from ledger.profiles.model import json_schema

FOLDER = Path(__file__).parent / "reference"
SCHEMA = shipped.FOLDER / shipped.SCHEMA
GENERATED = "<!-- Written by `make docs` from the code. Change the code, not this page. -->\n"
WIDTH = 100

EXIT_CODES = {
    0: "done, or healthy",
    1: "error",
    2: "usage: the command's words, or a file given to it, are off",
    3: "the rules say no (NO_GO), or degraded",
    4: "inconclusive",
    5: "conflict: read again, then decide again",
    6: "timeout: no confirmation came in time, or there is nothing that could give one",
    7: "integrity failure",
    8: "approval needed",
    9: "a dependency cannot be reached",
}

# Variables that no option carries.
OTHER_VARIABLES = {
    "NO_COLOR": "Any value: no colours (<https://no-color.org>).",
    "ROLLOUT_BACKUP_PASSPHRASE": "The passphrase of backups, where no file of one is named.",
    "ROLLOUT_CLOCK": "A file with an ISO 8601 time, for rehearsals: that is the time; waits end with it.",
    "ROLLOUT_DEBUG": "Any value: show the traceback of an error that should not happen.",
    "ROLLOUT_SECRET_KEY": "The key that secrets are digested under, instead of `secret.key` in the home.",
    "ROLLOUT_FAIL_AT": "For the crash tests: the place at which the process kills itself.",
}


def pages() -> dict[str, str]:
    """Return every generated page: file name in docs/reference, and text."""
    return {
        "commands.md": commands_page(),
        "errors.md": errors_page(),
        "events.md": events_page(),
        "settings.md": settings_page(),
    }


# --- commands ----------------------------------------------------------------------------------


def commands(
    command: click.Command | None = None, context: click.Context | None = None
) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Yield each command below ``command`` (default: `rollout`) with its full name, the parent first."""
    if command is None:
        command = cli
    # The width is fixed, so that the page does not depend on the terminal it was made in.
    here = click.Context(
        command, parent=context, info_name=command.name if context else "rollout",
        terminal_width=WIDTH, max_content_width=WIDTH, **command.context_settings,
    )  # fmt: skip
    yield here.command_path, command, here
    if isinstance(command, click.Group):
        for name in command.list_commands(here):
            child = command.get_command(here, name)
            if child is not None:
                child.name = name
                yield from commands(child, here)


def commands_page() -> str:
    """Return the help of every command, as it is printed."""
    parts = [GENERATED, "# Commands\n"]
    for path, command, context in commands():
        heading = "##" if len(path.split()) <= 2 else "###"
        parts.append(f"{heading} {path}\n\n```text\n{command.get_help(context).rstrip()}\n```\n")
    return "\n".join(parts)


# --- errors ------------------------------------------------------------------------------------


def errors() -> list[type[LedgerError]]:
    """Return the whole exception tree, wherever its classes live, in the order of codes."""
    for package in ("ledger", "projections", "runtime", "cli"):
        for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            import_module(module.name)
    return sorted(_subclasses(LedgerError), key=lambda error: (error.code, error.__name__))


def _subclasses(error: type[LedgerError]) -> set[type[LedgerError]]:
    return {error}.union(*(_subclasses(child) for child in error.__subclasses__()))


def errors_page() -> str:
    """Return the exit codes and every error."""
    parts = [
        GENERATED,
        "# Exit codes and errors\n",
        "The exit code is part of the interface. An error is one sentence on stderr, with the next step.\n",
        _table(["exit code", "meaning"], [[str(code), text] for code, text in EXIT_CODES.items()]),
        _table(
            ["code", "error", "exit code", "what it says"],
            [
                [f"`{error.code}`", f"`{error.__name__}`", str(error.exit_code), _first_line(error)]
                for error in errors()
            ],
        ),
    ]
    return "\n".join(parts)


# --- events ------------------------------------------------------------------------------------


def events_page() -> str:
    """Return the catalogue: each event type, the parts that their fields are made of, and the types."""
    events = catalogue()
    introduction = (
        "What the log records. Each event's body also says who, through which channel and why "
        "(see [the hash layout](../hash-layout.md)). A field that was not given is left out.\n"
    )
    parts = sorted(set(event.Part.__subclasses__()) - {event.Event}, key=lambda part: part.__name__)
    types = [
        ast.unparse(statement)
        for statement in ast.parse(inspect.getsource(event)).body
        if isinstance(statement, ast.Assign)
    ]
    types.append(f"ActionName = Literal{list(ACTIONS)}")
    return "\n".join(
        [
            GENERATED,
            "# Events\n",
            introduction,
            *(_event(model, f"Version {model.version}. ") for _, model in sorted(events.items())),
            "# Parts\n",
            *(_event(part, "") for part in parts),
            "# Types\n",
            "```python\n" + "\n".join(types) + "\n```\n",
        ]
    )


def _event(model: type, version: str) -> str:
    rows = [[f"`{field}`", f"`{type_}`", text] for field, type_, text in _fields(model)]
    table = _table(["field", "type", "meaning"], rows) if rows else "No fields.\n"
    return f"## {model.__name__}\n\n{version}{inspect.getdoc(model) or ''}\n\n{table}"


def _fields(model: type) -> Iterator[tuple[str, str, str]]:
    """Yield name, type and docstring of each field, as the source has them."""
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    statements = body.body if isinstance(body, ast.ClassDef) else []
    for statement, following in zip(statements, [*statements[1:], None], strict=True):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        type_ = ast.unparse(statement.annotation)
        if type_.startswith("ClassVar"):
            continue
        text = ""
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            text = inspect.cleandoc(str(following.value.value))
        yield statement.target.id, type_, text


# --- settings ----------------------------------------------------------------------------------


def variables() -> dict[str, str]:
    """Return every environment variable that is read, and what it does."""
    found = dict(OTHER_VARIABLES)
    for _, command, _ in commands():
        for parameter in command.params:
            if isinstance(parameter, click.Option) and isinstance(parameter.envvar, str):
                text = f"{parameter.help or ''} As `{'`, `'.join(parameter.opts)}`."
                found.setdefault(parameter.envvar, text)
    return dict(sorted(found.items()))


def settings_page() -> str:
    """Return the environment variables."""
    rows = [[f"`{name}`", text] for name, text in variables().items()]
    return "\n".join(
        [
            GENERATED,
            "# Settings\n",
            "An option on the command line wins over its variable. `rollout doctor` tells what is in use.\n",
            _table(["variable", "meaning"], rows),
        ]
    )


def _first_line(thing: type) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    escaped = ([cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


def main() -> None:
    """Write every page, and the schema."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        click.echo(f"wrote {os.path.relpath(FOLDER / name)}")
    SCHEMA.write_text(json.dumps(json_schema(), indent=2) + "\n", encoding="utf-8")
    click.echo(f"wrote {os.path.relpath(SCHEMA)}")


if __name__ == "__main__":
    sys.exit(main())
