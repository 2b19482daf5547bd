"""Every command explains itself, and the reference pages say what the code says."""

from __future__ import annotations

import re
import shlex
from functools import cache

import click
import pytest

from cli.main import COMMANDS
from docs import generate
from tests.house.sources import ROOT, product, texts

HELP = click.Option(["--help"], is_flag=True)


@cache
def _commands() -> dict[str, click.Command]:
    return {path: command for path, command, _ in generate.commands()}


def test_every_command_says_what_it_does_with_an_example() -> None:
    """The help of a command is its manual: a sentence, and an example that can be copied."""
    found = [
        f"{path}: no help"
        for path, command in _commands().items()
        if not (command.help or "").strip()
    ]
    for path, command in _commands().items():
        if isinstance(command, click.Group) and path != "rollout":
            continue
        if not re.search(r"\brollout ", _example_in(command.help or "")):
            found.append(f"{path}: no example that starts with 'rollout'")
    assert found == []


def test_every_option_says_what_it_does() -> None:
    """An option without help is a riddle."""
    assert [
        f"{path}: {parameter.opts[-1]}"
        for path, command in _commands().items()
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.help
    ] == []


def test_the_list_of_commands_says_what_the_commands_say() -> None:
    """`rollout --help` loads no command, so its one-liners stand in a table, which must be true."""
    for name, (_, text) in COMMANDS.items():
        first_line = (_commands()[f"rollout {name}"].help or "").strip().partition("\n")[0]
        assert text
        assert first_line


def test_examples_are_commands_that_exist() -> None:
    """An example that can't be typed teaches nothing: command and options are looked up."""
    found: list[str] = []
    for path, command in _commands().items():
        for line in _command_lines(_example_in(command.help or "")):
            found += [f"{path}: {line!r}: {problem}" for problem in problems_in(line)]
    assert found == []


def test_commands_in_the_pages_exist() -> None:
    """README and docs show commands and options that there are."""
    found: list[str] = []
    for source in texts():
        if source.path.suffix != ".md" or source.name.startswith("docs/reference/"):
            continue
        for block in re.findall(r"^```(?:console|sh|bash)\n(.*?)^```", source.text, re.M | re.S):
            for line in _command_lines(block):
                found += [f"{source.name}: {line!r}: {problem}" for problem in problems_in(line)]
        prose = re.sub(r"^```.*?^```", "", source.text, flags=re.M | re.S)
        if source.name == "docs/recipes.md":  # it names the commands that one makes by it
            continue
        for text in re.findall(r"`(rollout [^`]+)`", prose):
            found += [f"{source.name}: {text!r}: {problem}" for problem in problems_in(text)]
    assert found == []


@pytest.mark.parametrize("name", ["commands.md", "errors.md", "events.md", "settings.md"])
def test_the_reference_is_what_the_code_says(name: str) -> None:
    """`make docs` was run after the last change."""
    page = ROOT / "docs" / "reference" / name
    assert page.read_text(encoding="utf-8") == generate.pages()[name], "run: make docs"


def test_every_variable_that_is_read_is_documented() -> None:
    """A setting that nobody can find out about is a trap."""
    read = {
        name
        for source in product()
        for name in re.findall(r"\bROLLOUT_[A-Z][A-Z0-9_]*", source.text)
        if not name.endswith("_")
    }
    assert sorted(read - generate.variables().keys()) == []


def problems_in(line: str) -> list[str]:
    """Return what is wrong with one command line, by asking the commands themselves."""
    try:
        words = shlex.split(line, comments=True)[1:]
    except ValueError as error:
        return [str(error)]
    path, known = "rollout", _options("rollout")
    command = _commands()[path]
    while isinstance(command, click.Group) and words:
        if words[0] in known and path == "rollout":
            words = words[1 if known[words[0]].is_flag else 2 :]
            continue
        try:
            name, command, words = command.resolve_command(click.Context(command), words)
        except click.UsageError as error:
            return [error.message]
        path = f"{path} {name}"
        known = known | _options(path)
    given = [word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)]
    return [f"{path} has no option {word}" for word in given if word not in known]


def _options(path: str) -> dict[str, click.Option]:
    found = {"-h": HELP, "--help": HELP}
    for parameter in _commands()[path].params:
        if isinstance(parameter, click.Option):
            found |= dict.fromkeys([*parameter.opts, *parameter.secondary_opts], parameter)
    return found


def _example_in(text: str) -> str:
    return text.partition("Example:")[2].partition("\n\n")[0]


def _command_lines(text: str) -> list[str]:
    joined = re.sub(r"\\\s*\n\s*", " ", text)
    lines = (line.strip().removeprefix("$ ") for line in joined.splitlines())
    return [re.split(r" [|>] | && |; ", line)[0] for line in lines if line.startswith("rollout ")]
