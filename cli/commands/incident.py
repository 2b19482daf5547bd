"""rollout incident open, list, show, note, ack, resolve, close, export."""

from __future__ import annotations

from pathlib import Path

import click

from cli import options
from cli.call import Call, pass_call, says_something, with_output
from cli.completion import complete_incident
from cli.output import say
from ledger.domain.alerts import decide as alerts
from ledger.domain.alerts.state import IncidentStatus
from ledger.domain.errors import BadInput
from ledger.service.alerts import manual
from projections.models import incidents as model


@click.group()
def incident() -> None:
    """Open, list, note, close and export incidents."""


@incident.command("open")
@options.system
@click.argument("title")
@click.option(
    "--severity",
    type=click.Choice(["critical", "warning", "info"]),
    default="warning",
    show_default=True,
    help="How bad it is.",
)
@options.reason
@with_output
def open_(call: Call, title: str, severity: str) -> None:
    """Open an incident that no alert opened.

    \b
    Example:
      rollout incident open bot "orders stuck at the exchange" --severity critical
    """

    if not says_something(title):
        raise BadInput("The incident's title is blank.", hint="Say what is wrong, in some words.")
    decision = manual.open_incident(
        call.ledger, call.system, call.origin, title=title, severity=severity
    )
    call.finish(decision, "recorded")


@incident.command("list")
@options.any_system
@click.option("--all", "everything", is_flag=True, help="Closed ones too.")
@with_output
def list_(call: Call, system: str | None, everything: bool) -> None:
    """List incidents.

    \b
    Example:
      rollout incident list bot --all
    """

    if system is not None:
        call.ledger.load(system)
    rows = model.list_incidents(call.readmodel, system, only_open=not everything)
    call.output.rows(
        rows,
        ["incident", "system", "severity", "status", "title", "opened_at", "opened_by", "action"],
    )


@incident.command("show")
@click.argument("name")
@with_output
def show(call: Call, name: str) -> None:
    """Show an incident, whole, as it stands in incidents.json.

    \b
    Example:
      rollout incident show INC-20260203234200-12
    """

    call.output.record(model.show_incident(call.readmodel, name))


@incident.command("note")
@options.system
@click.argument("name", shell_complete=complete_incident)
@click.argument("note")
@with_output
def note_(call: Call, name: str, note: str) -> None:
    """Add a remark to an incident.

    \b
    Example:
      rollout incident note bot INC-20260203234200-12 "exchange status page says degraded"
    """
    call.decide(lambda state: alerts.note_incident(state, name, note), "noted")


def _mover(command: str, status: IncidentStatus, help_: str, example: str) -> None:
    @incident.command(
        command,
        help=f"{help_}\n\n\b\nExample:\n"
        f"  rollout incident {command} bot INC-20260203234200-12 --reason {example}",
    )
    @options.system
    @click.argument("name", shell_complete=complete_incident)
    @options.reason
    @with_output
    def move(call: Call, name: str) -> None:
        decision = manual.move_incident(
            call.ledger, call.system, name, status, call.origin, resolution=call.reason or ""
        )
        call.finish(decision, f"{name} is {status}")


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
@options.any_system
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Default: print it.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of incidents.json instead.")
@pass_call
def export(call: Call, system: str | None, out: Path | None, schema: bool) -> None:
    """Write incidents.json, of SYSTEM or of all: when, who, why, metrics before and after, action.

    \b
    Example:
      rollout incident export --out incidents.json
    """

    if system is not None:
        call.ledger.load(system)
    content = _schema() if schema else model.export(call.readmodel, system=system)
    if out is None:
        click.echo(content, nl=False)
        return
    from ledger import files

    files.write_atomically(out, content)
    say(f"{out} was written")


def _schema() -> bytes:
    from importlib.resources import files

    return (files("projections") / "incidents.schema.json").read_bytes()
