"""rollout report: what is handed to people, as files."""

from __future__ import annotations

import click

from cli.commands.report_canary import canary


@click.group()
def report() -> None:
    """Write reports, derived from the ledger, each with its provenance."""


report.add_command(canary)
