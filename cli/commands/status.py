"""rollout status."""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import click

from cli import collecting, options
from cli.call import Call, command
from cli.output import Output
from cli.overview import overview_text
from ledger.domain.state import SystemState
from projections.queries import overview
from projections.words.sentences import mode_text, short
from runtime.wiring import Runtime

DEGRADED: Final = 3
INTERRUPTED: Final = 130
LOOK_AGAIN_SECONDS: Final = 1.0
_CLEAR: Final = "\x1b[H\x1b[2J\x1b[3J"


@command("status")
@options.any_system
@click.option(
    "-w", "--watch", is_flag=True, help="Keep looking; show it again whenever it changes. Ctrl-C ends."
)  # fmt: skip
def status(call: Call, system: str | None, watch: bool) -> None:
    """Show the current state of a system, or of all.

    Exit code 3 when something is degraded: an open critical alert, drift, an operation that was begun
    and not ended, a switch that was not confirmed, a run that crashed, a configuration in force that is
    in quarantine or above its phase's limits; and in real a watch that died, or a source that fails.

    Example:
      rollout status bot
      rollout status bot -w
      rollout status -o json
    """
    if watch:
        collecting.stay()
    _ = call.ledger  # appends what this machine did without the ledger
    overviews, shown = _show(call.runtime, system, call.output, None, watching=watch)
    with suppress(KeyboardInterrupt):  # watching has no other end, so nobody need be told of it
        while watch:
            call.runtime.clock.sleep(LOOK_AGAIN_SECONDS)
            overviews, shown = _show(call.runtime, system, call.output, shown, watching=True)
    if watch:
        call.exit(INTERRUPTED)
    call.exit(DEGRADED if any(row["health"] == "degraded" for row in overviews) else 0)


def _show(
    runtime: Runtime, system: str | None, output: Output, before: object, *, watching: bool
) -> tuple[list[Any], object]:
    """Print the present state, unless it reads as it did before; return it, and what that was."""
    db, now = runtime.readmodel, runtime.clock.now()
    text = ""
    if system is None:
        overviews = overview.overviews(db, lambda state: _beside(runtime, state, now))
    else:
        from cli.rollout_overview import rollout_lines
        from runtime.rollout_status import judged_with, rollout_record, sign_of

        state = overview.present_state(db, system)
        beside = _beside(runtime, state, now)
        seen = overview.overview(db, system, now, beside)
        sign = sign_of(runtime, state, now)
        judged = judged_with(runtime, state)
        overviews = [{**seen, "rollout": rollout_record(state, now, sign, judged)}]
        text = overview_text(
            seen,
            now,
            rollout_lines(state, now, sign, judged),
            [*overview.problems_of_running(state), *beside],
        )
    # On a screen the ages have to go on; a file of JSON lines shall hold changes only.
    shown = (overviews, text) if output.format == "table" and sys.stdout.isatty() else overviews
    if shown == before:
        return overviews, shown
    if watching and output.format == "table" and sys.stdout.isatty():
        click.echo(_CLEAR, nl=False)
    if system:
        lines = Output("jsonl") if watching and output.format == "json" else output
        lines.record(overviews[0], text)
    else:
        columns = ["system", "health", "mode", "since", "config", "alerts", "incidents", "why"]
        if output.format == "table":
            rows = [_row(row) for row in overviews]
            filled = [
                name for name in columns if name == "system" or any(row[name] for row in rows)
            ]
            output.rows(rows, filled)
        else:
            output.rows(overviews, columns)
    return overviews, shown


def _beside(runtime: Runtime, state: SystemState, now: datetime) -> list[str]:
    """Return what is wrong and not in the log; nothing for a system without a plan."""
    if state.profile is None:
        return []
    from runtime.rollout_status import problems_beside

    return problems_beside(runtime, state, now)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    tags = f" ({', '.join(row['tags'])})" if row["tags"] else ""
    return {
        "system": row["system"],
        "health": row["health"],
        "mode": mode_text(row["mode"], row["pause_kind"]),
        "since": row["mode_since"],
        "config": short(row["fingerprint"]) + tags,
        "alerts": row["open_alerts"] or "",
        "incidents": row["open_incidents"] or "",
        "why": "; ".join(row["problems"]),
    }
