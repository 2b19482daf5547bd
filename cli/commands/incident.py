"""rollout incident open, list, show, note, ack, resolve, close, export."""

from __future__ import annotations

from pathlib import Path

import click

from cli import options
from cli.commands.alert import told
from cli.commands.modes import has_reason
from cli.completion import complete_incident, complete_system
from cli.output import Output, say
from cli.wiring import Runtime, pass_runtime
from ledger.domain.alerts import decide as alerts
from ledger.domain.errors import BadInput

system_argument = click.argument("system", shell_complete=complete_system)


@click.group()
def incident() -> None:
    """Open, list, note, close and export incidents."""


@incident.command("open")
@system_argument
@click.argument("title")
@click.option(
    "--severity",
    type=click.Choice(["critical", "warning", "info"]),
    default="warning",
    show_default=True,
    help="How bad it is.",
)
@options.reason
@options.output
@pass_runtime
def open_(
    runtime: Runtime, system: str, title: str, severity: str, reason: str | None, output: Output
) -> None:
    """Open an incident that no alert opened.

    \b
    Example:
      rollout incident open bot "orders stuck at the exchange" --severity critical
    """
    from ledger.service.alerts import manual

    if not has_reason(title):
        raise BadInput("The incident's title is blank.", hint="Say what is wrong, in some words.")
    decision = manual.open_incident(
        runtime.ledger, system, runtime.origin(reason), title=title, severity=severity
    )
    told(decision, output, "recorded", system)
    runtime.catch_up()


@incident.command("list")
@click.argument("system", required=False, shell_complete=complete_system)
@click.option("--all", "everything", is_flag=True, help="Closed ones too.")
@options.output
@pass_runtime
def list_(runtime: Runtime, system: str | None, everything: bool, output: Output) -> None:
    """List incidents.

    \b
    Example:
      rollout incident list bot --all
    """
    from projections.models import incidents as model

    if system is not None:
        runtime.ledger.load(system)
    rows = model.list_incidents(runtime.readmodel, system, only_open=not everything)
    output.rows(
        rows,
        ["incident", "system", "severity", "status", "title", "opened_at", "opened_by", "action"],
    )


@incident.command("show")
@click.argument("name")
@options.output
@pass_runtime
def show(runtime: Runtime, name: str, output: Output) -> None:
    """Show an incident, whole, as it stands in incidents.json.

    \b
    Example:
      rollout incident show INC-20260203234200-12
    """
    from projections.models import incidents as model

    output.record(model.show_incident(runtime.readmodel, name))


@incident.command("note")
@system_argument
@click.argument("name", shell_complete=complete_incident)
@click.argument("note")
@options.output
@pass_runtime
def note_(runtime: Runtime, system: str, name: str, note: str, output: Output) -> None:
    """Add a remark to an incident.

    \b
    Example:
      rollout incident note bot INC-20260203234200-12 "exchange status page says degraded"
    """
    decision = runtime.ledger.decide(
        system, lambda state: alerts.note_incident(state, name, note), runtime.origin()
    )
    told(decision, output, "noted", system)
    runtime.catch_up()


def _mover(command: str, status: str, help_: str, example: str) -> None:
    @incident.command(
        command,
        help=f"{help_}\n\n\b\nExample:\n"
        f"  rollout incident {command} bot INC-20260203234200-12 --reason {example}",
    )
    @system_argument
    @click.argument("name", shell_complete=complete_incident)
    @options.reason
    @options.output
    @pass_runtime
    def move(runtime: Runtime, system: str, name: str, reason: str | None, output: Output) -> None:
        from ledger.service.alerts import manual

        decision = manual.move_incident(
            runtime.ledger, system, name, status, runtime.origin(reason), resolution=reason or ""
        )
        told(decision, output, f"{name} is {status}", system)
        runtime.catch_up()


_mover("ack", "acknowledged", "Take an incident on.", "looking")
_mover(
    "resolve", "resolved", "Say that what was wrong is right again.", '"rejects are back to normal"'
)
_mover(
    "close",
    "closed",
    "Say that nothing is left to do about a resolved incident.",
    '"exchange has fixed it"',
)


@incident.command("export")
@click.argument("system", required=False, shell_complete=complete_system)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Default: print it.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of incidents.json instead.")
@pass_runtime
def export(runtime: Runtime, system: str | None, out: Path | None, schema: bool) -> None:
    """Write incidents.json, of SYSTEM or of all: when, who, why, metrics before and after, action.

    \b
    Example:
      rollout incident export --out incidents.json
    """
    from projections.models import incidents as model

    if system is not None:
        runtime.ledger.load(system)
    content = _schema() if schema else model.export(runtime.readmodel, system=system)
    if out is None:
        click.echo(content, nl=False)
        return
    from ledger import files

    files.write_atomically(out, content)
    say(f"{out} was written")


def _schema() -> bytes:
    from importlib.resources import files

    return (files("projections") / "incidents.schema.json").read_bytes()
