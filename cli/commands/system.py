"""rollout system add, list, show."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from cli import options
from cli.call import Call, command
from cli.completion import complete_system
from ledger.actuators import DEFAULT_CONTROL_FILE
from ledger.domain.errors import UsageError
from ledger.domain.systems import decide as systems
from ledger.domain.systems.events import ConfigFile
from ledger.service.systems.registration import amend


def _droppable(
    _context: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    for word in given:
        if word not in systems.DROPPABLE and not word.startswith(systems.ONE_FILE):
            raise click.BadParameter(
                f"{word!r} is none of {', '.join(systems.DROPPABLE)}, {systems.ONE_FILE}NAME"
            )
    return given


@click.group()
def system() -> None:
    """Register systems and show them."""


@command("add", system)
@click.argument("name")
@click.option(
    "--environment",
    type=click.Choice(["staging", "production"]),
    help="Where it runs. A new system without it: production.",
)
@click.option("--description", help="What it is, for people.")
@click.option(
    "--control-file", type=click.Path(dir_okay=False), is_flag=False,
    flag_value=str(DEFAULT_CONTROL_FILE),
    help=f"JSON file that it reads its mode from. Without a value: {DEFAULT_CONTROL_FILE}.",
)  # fmt: skip
@click.option("--http-admin", metavar="URL", help="Its admin interface: GET /status, POST /mode.")
@click.option(
    "--config-file", "config_files", multiple=True, metavar="[NAME=]PATH",
    help="A configuration file where the system reads it; NAME defaults to the file's name. Repeatable.",
)  # fmt: skip
@click.option(
    "--mitigation-file", type=click.Path(dir_okay=False),
    help="Where the system reads which mitigations are in force (JSON).",
)  # fmt: skip
@click.option(
    "--code", type=click.Path(file_okay=False), metavar="FOLDER",
    help="The git checkout that it runs from: what rollback --code puts at another version.",
)  # fmt: skip
@click.option("--restart", metavar="COMMAND", help="What starts it again after that, as one text.")
@click.option(
    "--restart-timeout",
    type=options.NumberRange(0.1, 3600),
    help="Seconds. Without it, at first: 60.",
)
@click.option(
    "--confirm-timeout",
    type=options.NumberRange(0.1, 300),
    help="Seconds. Without it, at first: 5.",
)
@click.option(
    "--drop", multiple=True, metavar="WHAT", callback=_droppable,
    help=f"What is taken out of the registration: {', '.join(systems.DROPPABLE)}, "
    f"or {systems.ONE_FILE}NAME. Repeatable.",
)  # fmt: skip
@options.reason
def add(
    call: Call,
    name: str,
    environment: str | None,
    description: str | None,
    control_file: str | None,
    http_admin: str | None,
    config_files: tuple[str, ...],
    mitigation_file: str | None,
    code: str | None,
    restart: str | None,
    restart_timeout: float | None,
    confirm_timeout: float | None,
    drop: tuple[str, ...],
) -> None:
    """Register the system NAME, or change what the options name of its registration.

    What no option names stays as it is registered. --drop takes something out, and is told.

    Example:
      rollout system add polyarb-x --http-admin http://127.0.0.1:8001 \\
          --control-file data/control/mode.json --config-file config/config.yaml
      rollout system add polyarb-x --drop http-admin --confirm-timeout 10
    """
    call.runtime.makes_ledger = True
    amendment = systems.Amendment(
        environment=environment,
        description=description,
        control_file=_absolute(control_file),
        http_admin=http_admin,
        config_files=_config_files(config_files),
        mitigation_file=_absolute(mitigation_file),
        code=_absolute(code),
        restart=_words(restart),
        restart_timeout_ms=_milliseconds(restart_timeout),
        confirm_timeout_ms=_milliseconds(confirm_timeout),
        drop=drop,
    )
    state, decision, dropped = amend(call.ledger, name, call.origin, amendment)
    outcome = "skipped" if decision.skipped else "changed"
    if decision.events and decision.events[0].type == "SystemRegistered":
        outcome = "registered"
    human = f"skipped ({decision.skipped})" if decision.skipped else f"{name} is {outcome}"
    if dropped:
        human += f"; dropped: {', '.join(dropped)}"
    record = {"system": name, "outcome": outcome, "position": state.position}
    rest = {"dropped": list(dropped), "explanation": decision.skipped or ""}
    call.output.record(record | rest, human)


def _config_files(given: tuple[str, ...]) -> tuple[ConfigFile, ...]:
    files: list[ConfigFile] = []
    for text in given:
        label, separator, path = text.partition("=")
        if not separator:
            label, path = Path(text).name, text
        files.append(ConfigFile(name=label, path=str(Path(path).absolute())))
    return tuple(files)


def _words(command: str | None) -> tuple[str, ...] | None:
    if command is None:
        return None
    try:
        return tuple(shlex.split(command))
    except ValueError as problem:
        raise UsageError(f"--restart {command!r} can't be read: {problem}.") from None


def _absolute(path: str | None) -> str | None:
    return str(Path(path).absolute()) if path else None


def _milliseconds(seconds: float | None) -> int | None:
    return int(seconds * 1000) if seconds is not None else None


@command("list", system)
def list_(call: Call) -> None:
    """List the systems.

    Example:
      rollout system list -o json
    """
    states = [call.ledger.recorder.load(name) for name in call.runtime.store.systems()]
    rows = [
        {
            "system": state.system,
            "environment": state.environment,
            "mode": f"{state.mode}/{state.pause_kind}" if state.pause_kind else state.mode,
            "fingerprint": (state.fingerprint or "")[7:19],
            "description": state.registration.description if state.registration else "",
        }
        for state in states
    ]
    call.output.rows(rows, ["system", "environment", "mode", "fingerprint", "description"])


@command("show", system)
@click.argument("name", shell_complete=complete_system)
def show(call: Call, name: str) -> None:
    """Show a system's registration.

    Example:
      rollout system show polyarb-x
    """
    state = call.ledger.load(name)
    actuators, code = state.actuators, state.actuators.code
    record = {
        "system": name,
        "environment": state.environment,
        "description": state.registration.description if state.registration is not None else "",
        "control_file": actuators.control_file,
        "http_admin": actuators.http_admin,
        "config_files": [file.to_json() for file in actuators.config_files],
        "mitigation_file": actuators.mitigation_file,
        "code": code.to_json() if code is not None else None,
        "confirm_timeout_ms": actuators.confirm_timeout_ms,
    }
    if call.output.format == "table":
        files = [f"{file.name} at {file.path}" for file in actuators.config_files]
        record["config_files"] = ", ".join(files)
        record["code"] = code.repository if code is not None else None
    call.output.record(record)
