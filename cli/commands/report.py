"""rollout report: what is handed to people, as files."""

from __future__ import annotations

import click

from cli.commands.report_canary import canary
from cli.commands.report_sheets import daily, monitoring, stop


@click.group()
def report() -> None:
    """Write reports, derived from the ledger, each with its provenance."""


report.add_command(canary)
report.add_command(daily)
report.add_command(stop)
report.add_command(monitoring)
