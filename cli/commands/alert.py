"""rollout alert raise, list, ack, resolve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from cli import options
from cli.commands.modes import skip
from cli.commands.silence import silence, unsilence
from cli.completion import complete_alert, complete_system
from cli.output import Output
from cli.wiring import Runtime, pass_runtime
from ledger.domain.alerts import decide as alerts
from ledger.domain.decision import Decision
from ledger.domain.values.severities import SEVERITIES

system_argument = click.argument("system", shell_complete=complete_system)


@click.group()
def alert() -> None:
    """Raise, list, acknowledge, silence and resolve alerts."""


alert.add_command(silence)
alert.add_command(unsilence)


@alert.command("raise")
@system_argument
@click.argument("name")
@click.option(
    "--severity",
    type=click.Choice(list(SEVERITIES), case_sensitive=False),
    default="warning",
    show_default=True,
    help="How bad it is; other schemes' words are understood.",
)
@click.option("-m", "--message", default="", help="What is wrong, for people.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Repeatable.")
@options.reason
@options.output
@pass_runtime
def raise_(
    runtime: Runtime,
    system: str,
    name: str,
    severity: str,
    message: str,
    labels: tuple[str, ...],
    reason: str | None,
    output: Output,
) -> None:
    """Raise the alert NAME. A critical one opens an incident.

    \b
    Example:
      rollout alert raise bot HIGH_REJECT_RATE --severity critical -m "12 % of orders rejected"
    """
    from ledger.service.alerts import manual

    ledger = runtime.ledger
    decision = manual.fire(
        ledger,
        system,
        ledger.recorder.insist_on_plain(name, "alert's name"),
        runtime.origin(reason),
        severity=SEVERITIES[severity.lower()],
        message=message,
        labels=dict(options.pair(label, "--label") for label in labels),
    )
    told(decision, output, f"{name} is firing", system)
    runtime.catch_up()


def told(decision: Decision, output: Output, said: str, system: str) -> None:
    """Print what was decided, or why nothing was."""
    if decision.skipped is not None:
        skip(output, system, decision.skipped)
        return
    incidents = [
        event.payload()["incident"] for event in decision.events if event.type == "IncidentOpened"
    ]
    record = {
        "system": system,
        "outcome": "recorded",
        "events": [event.type for event in decision.events],
        "incident": incidents[0] if incidents else None,
    }
    output.record(record, said + (f"; incident {incidents[0]} is open" if incidents else ""))


@alert.command("list")
@click.argument("system", required=False, shell_complete=complete_system)
@click.option("--all", "everything", is_flag=True, help="Resolved ones too.")
@options.output
@pass_runtime
def list_(runtime: Runtime, system: str | None, everything: bool, output: Output) -> None:
    """List what is open: alerts that fire, that are pending, that have no data, that can't be evaluated.

    The flags say who looks after one, and what keeps people from being told: silenced, inhibited.

    \b
    Example:
      rollout alert list bot --all
    """
    from projections.models import alerts as alerts_model
    from projections.queries.open_alerts import open_alerts

    if system is not None:
        runtime.ledger.load(system)
    rows = open_alerts(runtime.readmodel, runtime.clock.now(), system)
    if everything:
        ended = alerts_model.list_alerts(runtime.readmodel, system, only_open=False)
        rows = [{**row, "flags": []} for row in ended if row["status"] == "resolved"] + rows
    for_people = output.format == "table"
    opened = "open" if for_people else "open_seconds"
    columns = ["system", "alert", "severity", "status", opened, "flags", "message", "since",
               "fired_by", "position"]  # fmt: skip
    if for_people:
        rows = [{**row, "flags": "; ".join(row["flags"]), "open": _open_for(row)} for row in rows]
    rows = [{**dict.fromkeys(columns), **row} for row in rows]
    output.rows(rows, columns)


def _open_for(row: Mapping[str, Any]) -> str:
    from cli.times import span

    seconds = row.get("open_seconds")  # of what is over: none
    return span(seconds) if seconds is not None else ""


@alert.command("ack")
@system_argument
@click.argument("name", shell_complete=complete_alert)
@options.reason
@options.output
@pass_runtime
def ack(runtime: Runtime, system: str, name: str, reason: str | None, output: Output) -> None:
    """Say that you look after an alert, and after its incident.

    \b
    Example:
      rollout alert ack bot HIGH_REJECT_RATE --reason "looking"
    """
    decision = runtime.ledger.decide(
        system, lambda state: alerts.acknowledge(state, name), runtime.origin(reason)
    )
    told(decision, output, f"{name} is acknowledged", system)
    runtime.catch_up()


@alert.command("resolve")
@system_argument
@click.argument("name", shell_complete=complete_alert)
@options.reason
@options.output
@pass_runtime
def resolve(runtime: Runtime, system: str, name: str, reason: str | None, output: Output) -> None:
    """Say by hand that an alert is over.

    \b
    Example:
      rollout alert resolve bot HIGH_REJECT_RATE --reason "rejects are back to normal"
    """
    decision = runtime.ledger.decide(
        system, lambda state: alerts.resolve(state, name), runtime.origin(reason)
    )
    told(decision, output, f"{name} is resolved", system)
    runtime.catch_up()
