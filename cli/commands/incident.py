"""rollout incident open, list, show, note, ack, resolve, close, export."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import click

from cli import options
from cli.call import Call, command, decision_command, says_something, system_command
from cli.completion import complete_incident
from cli.output import say
from ledger import files
from ledger.domain.alerts import decide as alerts
from ledger.domain.alerts.decide import IncidentStep
from ledger.domain.errors import BadInput
from projections.models import incidents as model

_incident = click.argument("name", shell_complete=complete_incident)


@click.group()
def incident() -> None:
    """Open, list, note, close and export incidents."""


@decision_command("open", incident)
@click.argument("title")
@click.option(
    "--severity",
    type=click.Choice(["critical", "warning", "info"]),
    default="warning",
    show_default=True,
    help="How bad it is.",
)
def open_(call: Call, title: str, severity: str) -> None:
    """Open an incident that no alert opened.

    Example:
      rollout incident open bot "orders stuck at the exchange" --severity critical
    """
    if not says_something(title):
        raise BadInput("The incident's title is blank.", hint="Say what is wrong, in some words.")
    call.decide(
        lambda state: alerts.open_incident(
            state, alerts.incident_name(state, call.now()), title=title, severity=severity
        ),
        "recorded",
    )


@command("list", incident)
@options.any_system
@click.option("--all", "everything", is_flag=True, help="Closed ones too.")
def list_(call: Call, system: str | None, everything: bool) -> None:
    """List incidents.

    Example:
      rollout incident list bot --all
    """
    if system is not None:
        call.ledger.load(system)
    rows = model.list_incidents(call.readmodel, system, only_open=not everything)
    call.output.rows(
        # As programs find it in incidents.json, and as other lists of the command line name it.
        [{"id": row["incident"], **row} for row in rows],
        ["incident", "system", "severity", "status", "title", "opened_at", "opened_by", "action"],
    )


@command("show", incident)
@click.argument("name")
def show(call: Call, name: str) -> None:
    """Show an incident, whole, as it stands in incidents.json.

    Example:
      rollout incident show INC-20260203234200-12
    """
    call.output.record(model.show_incident(call.readmodel, name))


@system_command("note", incident)
@_incident
@click.argument("note")
def note_(call: Call, name: str, note: str) -> None:
    """Add a remark to an incident.

    Example:
      rollout incident note bot INC-20260203234200-12 "exchange status page says degraded"
    """
    call.decide(lambda state: alerts.note_incident(state, name, note), "noted")


@decision_command("ack", incident)
@_incident
def ack(call: Call, name: str) -> None:
    """Acknowledge an incident: you look after it.

    Example:
      rollout incident ack bot INC-20260203234200-12 --reason looking
    """
    _move(call, name, "acknowledged")


@decision_command("resolve", incident)
@_incident
def resolve(call: Call, name: str) -> None:
    """Resolve an incident: what was wrong is right again.

    Example:
      rollout incident resolve bot INC-20260203234200-12 --reason "rejects are back to normal"
    """
    _move(call, name, "resolved")


@decision_command("close", incident)
@_incident
def close(call: Call, name: str) -> None:
    """Close a resolved incident: nothing is left to do about it.

    Example:
      rollout incident close bot INC-20260203234200-12 --reason "exchange has fixed it"
    """
    _move(call, name, "closed")


def _move(call: Call, name: str, status: IncidentStep) -> None:
    call.decide(
        lambda state: alerts.move_incident(state, name, status, resolution=call.reason or ""),
        f"{name} is {status}",
    )


@command("export", incident, output=False)
@options.any_system
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Default: print it.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of incidents.json instead.")
def export(call: Call, system: str | None, out: Path | None, schema: bool) -> None:
    """Write incidents.json, of SYSTEM or of all: when, who, why, metrics before and after, action.

    Example:
      rollout incident export --out incidents.json
    """
    if system is not None:
        call.ledger.load(system)
    if schema:
        content = (resources.files("projections") / "incidents.schema.json").read_bytes()
    else:
        content = model.export(call.readmodel, system=system)
    if out is None:
        click.echo(content, nl=False)
        return
    files.write_atomically(out, content)
    say(f"{out} was written")
