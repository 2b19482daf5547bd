"""Every option once, with its ROLLOUT_ variable; commands take them by decorator."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from cli.completion import complete_system
from cli.output import Output, say
from ledger.domain.errors import BadInput

F = TypeVar("F", bound=Callable[..., Any])
FORMS: Final = ("table", "json", "jsonl", "csv")


def pair(text: str, what: str, form: str = "KEY=VALUE") -> tuple[str, str]:
    """Return the two sides of ``text``; ``what`` it is, such as "--label", is told where it has none.

    Raises:
        BadInput: it is not of that form.
    """
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise BadInput(f"{what} {text!r} is not {form}.")
    return name, value


def stack(*parameters: Callable[[Any], Any]) -> Callable[[F], F]:
    """Return what gives a command all these parameters, in this order."""

    def give(function: F) -> F:
        for parameter in reversed(parameters):
            function = parameter(function)
        return function

    return give


class NumberRange(click.FloatRange):
    """A number within bounds. Python reads "nan" and "inf" as numbers, and click lets them through."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no number.", param, ctx)
        return number


class _FormOrTable(click.Choice[str]):
    """A form of output; a table where the environment names none that there is: that stops no pause (I33)."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            if ctx is None or ctx.get_parameter_source("output") is not ParameterSource.ENVIRONMENT:
                raise
            with suppress(OSError):
                say(f"warning: ROLLOUT_OUTPUT={value} is no form of output: a table is printed")
            return "table"


def _output(_context: click.Context, _parameter: click.Parameter, value: str) -> Output:
    return Output(value)  # type: ignore[arg-type] -- click.Choice has checked it


def _form_option(kind: click.Choice[str]) -> Callable[[F], F]:
    return click.option(
        "-o", "--output", type=kind, default="table", callback=_output, envvar="ROLLOUT_OUTPUT",
        show_envvar=True, help="How results are printed.",
    )  # fmt: skip


output = _form_option(click.Choice(FORMS))
output_or_table = _form_option(_FormOrTable(FORMS))
output_or_parquet = click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice([*FORMS, "parquet"]),
    envvar="ROLLOUT_OUTPUT",
    show_envvar=True,
    help="How results are printed; parquet needs --out. Default: by the name of --out, else table.",
)
system = click.argument("system", shell_complete=complete_system)
any_system = click.argument("system", required=False, shell_complete=complete_system)
reason = click.option(
    "-r", "--reason", envvar="ROLLOUT_REASON", show_envvar=True, help="Why. Recorded."
)
base = click.option(
    "--base",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder that the plan's relative paths begin at. Default: here.",
)
files = click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE..."
)
dry_run = click.option(
    "--dry-run", is_flag=True, help="Show what would be done and recorded; change nothing."
)
yes = click.option(
    "-y", "--yes", is_flag=True, envvar="ROLLOUT_YES", show_envvar=True,
    help="Don't ask. Needed for what raises exposure when there is no terminal.",
)  # fmt: skip


def file(name: str, parameter: str | None = None, **given: Any) -> Callable[[F], F]:
    """Return the option of a file that is read or written."""
    kind = click.Path(path_type=Path, dir_okay=False)
    given = {"metavar": "FILE", **given}
    return click.option(name, *([parameter] if parameter else []), type=kind, **given)


def checkpoint(what: str) -> Callable[[F], F]:
    """Return the option of a checkpoint; ``what`` must agree with it."""
    said = f"A checkpoint kept elsewhere, which the {what} must agree with."
    return file("--checkpoint", "checkpoint_file", help=said)
