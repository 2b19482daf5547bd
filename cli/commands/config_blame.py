"""rollout config blame."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import shorten
from typing import Any, Final

import click

from cli.call import Call, system_command
from ledger.domain.errors import UnknownName
from projections.models import config_changes
from projections.words.sentences import short

REASON_WIDTH: Final = 60
"""Of a reason in a table; JSON has all of it."""


@system_command("blame")
@click.argument("key", required=False)
def blame(call: Call, key: str | None) -> None:
    """Tell for every key (or KEY and below) who set its present value, when, why, in which fingerprint.

    Example:
      rollout config blame bot grid.max_levels
    """
    call.state()
    rows = config_changes.blame(call.readmodel, call.system, key)
    if key is not None and not rows:
        raise UnknownName(
            f"{call.system} has no key {key!r} in force.",
            hint=f"rollout config blame {call.system} lists all keys; "
            f"rollout log {call.system} --key {key} shows its history",
        )
    if call.output.format == "table":
        call.output.rows(
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
    call.output.rows(rows, [*columns, "fingerprint", "tags", "position"])


def _named(row: Mapping[str, Any]) -> str:
    tags = f" ({', '.join(row['tags'])})" if row["tags"] else ""
    return short(row["fingerprint"]) + tags
