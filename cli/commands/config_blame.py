"""rollout config blame."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import shorten
from typing import Any, Final

import click

from cli import options
from cli.commands.config_marks import system_argument
from cli.output import Output
from cli.wiring import Runtime, pass_runtime
from projections.words.sentences import short

REASON_WIDTH: Final = 60
"""Of a reason in a table; JSON has all of it."""


@click.command("blame")
@system_argument
@click.argument("key", required=False)
@options.output
@pass_runtime
def blame(runtime: Runtime, system: str, key: str | None, output: Output) -> None:
    """Tell for every key (or KEY and below) who set its present value, when, why, in which fingerprint.

    \b
    Example:
      rollout config blame bot grid.max_levels
    """
    from ledger.domain.errors import UnknownName
    from projections.models import config_changes

    runtime.ledger.load(system)
    rows = config_changes.blame(runtime.readmodel, system, key)
    if key is not None and not rows:
        raise UnknownName(
            f"{system} has no key {key!r} in force.",
            hint=f"rollout config blame {system} lists all keys; "
            f"rollout log {system} --key {key} shows its history",
        )
    if output.format == "table":
        output.rows(
            [
                row
                | {
                    "position": f"#{row['position']}",
                    "fingerprint": _named(row),
                    "reason": shorten(row["reason"] or "", REASON_WIDTH, placeholder=" …"),
                }
                for row in rows
            ],
            ["key", "value", "actor", "occurred_at", "reason", "fingerprint", "position"],
        )
        return
    columns = ["key", "value", "actor", "occurred_at", "cause", "reason"]
    output.rows(rows, [*columns, "fingerprint", "tags", "position"])


def _named(row: Mapping[str, Any]) -> str:
    tags = f" ({', '.join(row['tags'])})" if row["tags"] else ""
    return short(row["fingerprint"]) + tags
