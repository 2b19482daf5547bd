"""rollout projections status, rebuild, verify."""

from __future__ import annotations

from typing import Any, Final

import click

from cli.call import Call, command
from cli.output import say
from ledger.domain.errors import IntegrityFailure
from projections.engine.checkpoint import details
from projections.engine.verify import verify as run

ROW_SHOWN_MAX: Final = 400
"""Characters of a differing row told on stderr; the JSON output has them whole."""


@click.group()
def projections() -> None:
    """Show, rebuild and verify the read models."""


@command("status", projections)
def status(call: Call) -> None:
    """Show how far each projection has come, of which version, with how many rows.

    Example:
      rollout projections status
    """
    _ = call.runtime.store
    rows = details(call.runtime.projector.db)
    if call.output.format == "table":
        rows = [{**row, "size": f"{row['size'] / 1e6:.1f} MB"} for row in rows]
    call.output.rows(rows, ["projection", "version", "position", "behind", "rows", "size"])


@command("rebuild", projections)
def rebuild(call: Call) -> None:
    """Build all read models anew from the log, beside the live ones, and swap them.

    Readers see the live ones until the new ones have caught up.

    Example:
      rollout projections rebuild
    """
    began = call.runtime.clock.monotonic()
    position = call.runtime.projector.rebuild()
    seconds = call.runtime.clock.monotonic() - began
    call.runtime.catch_up()
    record = {"outcome": "rebuilt", "position": position, "seconds": round(seconds, 3)}
    call.output.record(record, f"rebuilt up to #{position} in {seconds:.1f} s")


@command("verify", projections)
def verify(call: Call) -> None:
    """Verify the live read models against a fresh fold of the log; incidents.json too.

    Exit code 7, and the first rows that differ, when they are not identical.

    Example:
      rollout projections verify
    """
    call.runtime.catch_up()
    verdict = run(call.runtime.projector)
    path = call.runtime.settings.home / "incidents.json"
    same_file = path.is_file() and path.read_bytes() == verdict.incidents_json
    record: dict[str, Any] = {
        "outcome": "different" if verdict.differences or not same_file else "identical",
        "position": verdict.position,
        "tables": verdict.tables,
        "incidents_json": "identical" if same_file else "different",
        "differences": [
            {
                "projection": each.projection,
                "table": each.table,
                "only_live": each.only_live,
                "only_fresh": each.only_fresh,
            }
            for each in verdict.differences
        ],
    }
    text = f"{record['outcome']}: {verdict.tables} tables and incidents.json, up to #{verdict.position}"
    call.output.record(record, text)
    if record["outcome"] == "identical":
        return
    for each in verdict.differences:
        for where, rows in (("live only", each.only_live), ("fresh only", each.only_fresh)):
            for row in rows:
                text = ", ".join(f"{name}={value}" for name, value in row.items())
                say(f"{each.table}, {where}: {text[:ROW_SHOWN_MAX]}")
    names = [f"readmodel.{each.table}" for each in verdict.differences]
    names += [] if same_file else [str(path)]
    raise IntegrityFailure(
        f"What the log gives is not what stands in {', '.join(names)}.",
        hint="rollout projections rebuild; then find out who wrote to the read models",
    )
