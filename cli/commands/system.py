"""rollout system add, list, show."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from cli import options
from cli.call import Call, with_output
from cli.completion import complete_system
from ledger.actuators import DEFAULT_CONTROL_FILE
from ledger.domain.errors import UsageError
from ledger.domain.systems.events import Actuators, CodePlace, ConfigFile
from ledger.service.systems.registration import register


@click.group()
def system() -> None:
    """Register systems and show them."""


@system.command("add")
@click.argument("name")
@click.option(
    "--environment",
    type=click.Choice(["staging", "production"]),
    default="production",
    show_default=True,
    help="Where it runs.",
)
@click.option("--description", default="", help="What it is, for people.")
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
    default=60.0,
    show_default=True,
    help="Seconds.",
)
@click.option(
    "--confirm-timeout",
    type=options.NumberRange(0.1, 300),
    default=5.0,
    show_default=True,
    help="Seconds.",
)
@options.reason
@with_output
def add(
    call: Call,
    name: str,
    environment: str,
    description: str,
    control_file: str | None,
    http_admin: str | None,
    config_files: tuple[str, ...],
    mitigation_file: str | None,
    code: str | None,
    restart: str | None,
    restart_timeout: float,
    confirm_timeout: float,
) -> None:
    """Register the system NAME, or change its registration.

    \b
    Example:
      rollout system add polyarb-x --http-admin http://127.0.0.1:8001 \\
          --control-file data/control/mode.json --config-file config/config.yaml
    """

    call.runtime.makes_ledger = True
    actuators = Actuators(
        control_file=str(Path(control_file).absolute()) if control_file else None,
        http_admin=http_admin,
        config_files=_config_files(config_files),
        mitigation_file=str(Path(mitigation_file).absolute()) if mitigation_file else None,
        code=_code(code, restart, restart_timeout),
        confirm_timeout_ms=int(confirm_timeout * 1000),
    )
    state, decision = register(
        call.ledger,
        name,
        call.origin,
        environment=environment,
        description=description,
        actuators=actuators,
    )
    outcome = "skipped" if decision.skipped else "changed"
    if decision.events and decision.events[0].type == "SystemRegistered":
        outcome = "registered"
    human = f"skipped ({decision.skipped})" if decision.skipped else f"{name} is {outcome}"
    record = {"system": name, "outcome": outcome, "position": state.position}
    call.output.record(record | {"explanation": decision.skipped or ""}, human)


def _config_files(given: tuple[str, ...]) -> tuple[ConfigFile, ...]:
    files = []
    for text in given:
        label, separator, path = text.partition("=")
        if not separator:
            label, path = Path(text).name, text
        files.append(ConfigFile(name=label, path=str(Path(path).absolute())))
    return tuple(files)


def _code(folder: str | None, restart: str | None, restart_timeout: float) -> CodePlace | None:
    if folder is None:
        if restart is not None:
            raise UsageError("--restart goes with --code.", hint="--code FOLDER names the checkout")
        return None

    try:
        words = tuple(shlex.split(restart or ""))
    except ValueError as problem:
        raise UsageError(f"--restart {restart!r} can't be read: {problem}.") from None
    return CodePlace(
        repository=str(Path(folder).absolute()),
        restart=words,
        restart_timeout_ms=int(restart_timeout * 1000),
    )


@system.command("list")
@with_output
def list_(call: Call) -> None:
    """List the systems.

    \b
    Example:
      rollout system list -o json
    """
    rows = []
    for name in call.runtime.store.systems():
        state = call.ledger.recorder.load(name)
        rows.append(
            {
                "system": name,
                "environment": state.environment,
                "mode": f"{state.mode}/{state.pause_kind}" if state.pause_kind else state.mode,
                "fingerprint": (state.fingerprint or "")[7:19],
                "description": state.registration.description if state.registration else "",
            }
        )
    call.output.rows(rows, ["system", "environment", "mode", "fingerprint", "description"])


@system.command("show")
@click.argument("name", shell_complete=complete_system)
@with_output
def show(call: Call, name: str) -> None:
    """Show a system's registration.

    \b
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
