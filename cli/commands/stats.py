"""rollout stats."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import click

from cli import options
from cli.call import Call, command
from cli.output import say
from ledger.domain.errors import UsageError
from ledger.domain.values.durations import duration_text
from ledger.domain.values.moments import iso
from projections.audit.log_reader import Head
from projections.queries.statistics import Number, Statistics, statistics
from runtime.replica import bring_up, questioner
from runtime.wiring import Runtime

TIMEOUT_SECONDS: Final = 300.0
COLUMNS: Final = ["system", "measure", "value", "from", "note"]
CSV_COLUMNS: Final = ["system", "since", "until", "measure", "value", "unit", "samples", "note"]


@command("stats")
@options.any_system
@click.option(
    "--since", metavar="TIME", help="From this time on. Default: the system's first event."
)
@click.option("--until", metavar="TIME", help="Up to this time. Default: now.")
def stats(call: Call, system: str | None, since: str | None, until: str | None) -> None:
    """Show how the rollout went: time in mode, time to detect and restore, change failures, rollbacks.

    A number that can't be derived is absent, and says why. docs/statistics.md defines each.

    Example:
      rollout stats bot --since 30d
      rollout stats -o json
    """
    now, begin, end = call.now(), call.moment(since), call.moment(until)
    if begin is not None and begin >= (end or now):
        raise UsageError("--since is not before the end, so nothing can lie between them.")
    if system is not None:
        _ = call.ledger.load(system)  # a name that is none is told, with the nearest one
    bring_up(call.runtime)
    with questioner(call.runtime, TIMEOUT_SECONDS) as (asked, head):
        systems = statistics(asked, system=system, since=begin, until=end, now=now)
    if call.output.format == "json":
        call.output.record(_document(call.runtime, head, systems))
    elif call.output.format == "jsonl":
        call.output.rows([_record(each) for each in systems])
    elif call.output.format == "csv":
        call.output.rows([row for each in systems for row in _rows(each)], CSV_COLUMNS)
    else:
        call.output.rows([_shown(row) for each in systems for row in _rows(each)], COLUMNS)
        say(f"as of position {head.position:,}; — is a number that can't be derived")


def _document(runtime: Runtime, head: Head, systems: list[Statistics]) -> dict[str, Any]:
    return {
        "position": head.position,
        "chain": head.chain.hex(),
        "generated_at": iso(runtime.clock.now()),
        "generated_by": runtime.settings.actor.as_record(),
        "systems": [_record(each) for each in systems],
    }


def _record(each: Statistics) -> dict[str, Any]:
    return {
        "system": each.system,
        "since": iso(each.window.since),
        "until": iso(each.window.until),
        "time_in_mode": [
            {
                "mode": stay.mode, "kind": stay.kind, "seconds": round(stay.seconds, 3),
                "share": round(stay.share, 6), "times": stay.times,
            }
            for stay in each.time_in_mode
        ],
        "time_in_mode_note": each.mode_note,
        "mean_time_to_detect_seconds": _number(each.detect),
        "mean_time_to_restore_seconds": _number(each.restore),
        "change_failure_rate": _number(each.change_failure),
        "changes": each.changes,
        "failed_changes": each.failed_changes,
        "rollbacks": [
            {
                "cause": one.cause, "count": one.count, "completed": one.completed,
                "abandoned": one.abandoned, "open": one.open,
            }
            for one in each.rollbacks
        ],
    }  # fmt: skip


def _number(number: Number) -> dict[str, Any]:
    value = None if number.value is None else round(number.value, 6)
    return {"value": value, "samples": number.samples, "note": number.note}


def _rows(each: Statistics) -> Iterator[dict[str, Any]]:
    def row(
        measure: str, value: float | None, unit: str, samples: int, note: str | None = None
    ) -> dict[str, Any]:
        return {
            "system": each.system, "since": iso(each.window.since), "until": iso(each.window.until),
            "measure": measure, "value": None if value is None else round(value, 6), "unit": unit,
            "samples": samples, "note": note,
        }  # fmt: skip

    for stay in each.time_in_mode:
        name = stay.mode if stay.kind is None else f"{stay.mode}/{stay.kind}"
        note = f"{stay.share:.1%} of the time"
        yield row(f"time in {name}", stay.seconds, "s", stay.times, note)
    if each.mode_note is not None:
        absent = None if each.time_in_mode else each.mode_note
        yield row("time in any mode" if absent else "time in no mode", None, "s", 0, each.mode_note)
    for name, number, unit in (
        ("mean time to detect", each.detect, "s"),
        ("mean time to restore", each.restore, "s"),
        ("change failure rate", each.change_failure, "ratio"),
    ):
        yield row(name, number.value, unit, number.samples, number.note)
    for one in each.rollbacks:
        note = f"{one.completed} completed, {one.abandoned} abandoned, {one.open} open"
        yield row(f"rollbacks by {one.cause}", one.count, "count", one.count, note)
    if not each.rollbacks:
        yield row("rollbacks", 0, "count", 0, "none was asked for")


def _span(seconds: float) -> str:
    """Return how long that is, as people say it."""
    if seconds >= 1:
        return duration_text(timedelta(seconds=round(seconds)), parts=2)
    milliseconds = round(seconds * 1000)
    return "0s" if seconds == 0 else f"{milliseconds}ms" if milliseconds else "<1ms"


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as a person reads it."""
    value, unit = row["value"], row["unit"]
    if value is None:
        text = "—"
    elif unit == "s":
        text = _span(value)
    else:
        text = f"{value:.1%}" if unit == "ratio" else f"{value:g}"
    return {
        "system": row["system"],
        "measure": row["measure"],
        "value": text,
        "from": row["samples"] or "",
        "note": row["note"] or "",
    }
