"""rollout rules check."""

from __future__ import annotations

from pathlib import Path

import click

from cli import options
from cli.output import Output


@click.group()
def rules() -> None:
    """Alert rules: Prometheus rule files, with what the ledger does about them."""


@rules.command("check")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE..."
)
@options.output
def check(files: tuple[Path, ...], output: Output) -> None:
    """Read rule files, and list their rules; needs no ledger.

    \b
    Example:
      rollout rules check profiles/rules/*.yaml
    """
    from ledger.alerts.rules import load_rules
    from ledger.configuration.source import read_bytes
    from ledger.domain.durations import duration_text

    rows = [
        {
            "file": file.name,
            "rule": rule.name,
            "severity": rule.severity,
            "expr": rule.expression.text,
            "for": duration_text(rule.for_),
            "action": " ".join(filter(None, (rule.action.name, rule.action.argument))),
        }
        for file in files
        for rule in load_rules(read_bytes(file), file.name).rules
    ]
    output.rows(rows)
