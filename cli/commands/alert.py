"""rollout alert raise, list, ack, resolve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from cli import options
from cli.call import Call, command, decision_command
from cli.commands.silence import silence, unsilence
from cli.completion import complete_alert
from ledger.domain.alerts import decide as alerts
from ledger.domain.values.severities import SEVERITIES
from projections.models import alerts as alerts_model
from projections.queries.open_alerts import open_alerts
from runtime.times import span


@click.group()
def alert() -> None:
    """Raise, list, acknowledge, silence and resolve alerts."""


alert.add_command(silence)
alert.add_command(unsilence)


@decision_command("raise", alert)
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
def raise_(call: Call, name: str, severity: str, message: str, labels: tuple[str, ...]) -> None:
    """Raise the alert NAME. A critical one opens an incident.

    Example:
      rollout alert raise bot HIGH_REJECT_RATE --severity critical -m "12 % of orders rejected"
    """
    call.ledger.recorder.require_plain(name, "alert's name")
    given = dict(options.pair(label, "--label") for label in labels)
    call.decide(
        lambda state: alerts.fire(
            state,
            name,
            severity=SEVERITIES[severity.lower()],
            message=message,
            labels=given,
            incident=alerts.incident_name(state, call.now()),
        ),
        f"{name} is firing",
    )


@command("list", alert)
@options.any_system
@click.option("--all", "everything", is_flag=True, help="Resolved ones too.")
def list_(call: Call, system: str | None, everything: bool) -> None:
    """List open alerts: those that fire, that are pending, that have no data, that can't be evaluated.

    The flags say who looks after one, and what keeps people from being told: silenced, inhibited.

    Example:
      rollout alert list bot --all
    """
    if system is not None:
        call.ledger.load(system)
    rows = open_alerts(call.readmodel, call.now(), system)
    if everything:
        ended = alerts_model.list_alerts(call.readmodel, system, only_open=False)
        over: list[dict[str, Any]] = [
            {**row, "flags": []} for row in ended if row["status"] == "resolved"
        ]
        rows = over + rows
    for_people = call.output.format == "table"
    columns = ["system", "alert", "severity", "status", "open" if for_people else "open_seconds", "flags",
               "message", "since", "fired_by", "position"]  # fmt: skip
    if for_people:
        rows = [{**row, "flags": "; ".join(row["flags"]), "open": _open_for(row)} for row in rows]
    call.output.rows([{**dict.fromkeys(columns), **row} for row in rows], columns)


def _open_for(row: Mapping[str, Any]) -> str:
    seconds = row.get("open_seconds")  # of what is over: none
    return span(seconds) if seconds is not None else ""


@decision_command("ack", alert)
@click.argument("name", shell_complete=complete_alert)
def ack(call: Call, name: str) -> None:
    """Acknowledge an alert, and its incident: you look after them.

    Example:
      rollout alert ack bot HIGH_REJECT_RATE --reason "looking"
    """
    call.decide(lambda state: alerts.acknowledge(state, name), f"{name} is acknowledged")


@decision_command("resolve", alert)
@click.argument("name", shell_complete=complete_alert)
def resolve(call: Call, name: str) -> None:
    """Resolve an alert by hand: it is over.

    Example:
      rollout alert resolve bot HIGH_REJECT_RATE --reason "rejects are back to normal"
    """
    call.decide(lambda state: alerts.resolve(state, name), f"{name} is resolved")
