"""rollout log, show."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatch
from typing import Any, Final
from uuid import UUID

import click
import orjson

from cli import collecting, options
from cli.call import Call, command
from cli.completion import complete_fingerprint
from cli.output import Output, printable, say
from cli.overview import event_line, recorded_apart
from ledger.domain.configurations.decide import resolve
from ledger.domain.corrections.sound import sound
from ledger.domain.errors import BadInput, IntegrityFailure, UnknownName
from ledger.domain.events import catalogue
from ledger.domain.log import canonical
from ledger.domain.log.envelope import Recorded
from ledger.domain.log.unreadable import in_calendar
from ledger.domain.values.moments import iso
from ledger.domain.values.spelling import nearest
from ledger.store.base import chain_after
from projections.engine.checkpoint import reached_in
from projections.models.config_changes import changes_at
from projections.models.timeline import Filter, select
from projections.words.sentences import changes_text, sentence
from runtime.times import shown
from runtime.wiring import Runtime

LIMIT: Final = 100
LOOK_AGAIN_SECONDS: Final = 0.5
COLUMNS: Final = ["position", "occurred", "recorded", "system", "actor", "what", "reason"]
CSV_COLUMNS: Final = [
    "position", "occurred_at", "recorded_at", "system", "type", "actor_id", "actor", "actor_kind", "channel",
    "sentence", "reason", "fingerprint", "operation", "backfilled", "spooled",
]  # fmt: skip


@command("log")
@options.any_system
@click.option("--actor", help="Only what this person, service or rule did (name or id).")
@click.option("--type", "type_", help="Only events of this type; Alert* for several.")
@click.option(
    "--fingerprint",
    shell_complete=complete_fingerprint,
    help="Only what is about, or happened under, this configuration.",
)
@click.option("--key", help="Only changes of this configuration key, or of the keys below it.")
@click.option(
    "--since", help="Only from this time on: 2025-11-20T03:00Z, 2h, '3 days ago', yesterday."
)
@click.option("--until", help="Only up to this time; a date alone is its first moment.")
@click.option("--text", help="Only where this stands in the sentence or the reason.")
@click.option(
    "--by", type=click.Choice(["occurred", "recorded"]), default="occurred", show_default=True,
    help="Which clock the order, --since and --until go by.",
)  # fmt: skip
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(0),
    default=LIMIT,
    show_default=True,
    help="The newest so many; 0: all.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on showing what comes in. Ctrl-C ends.")
def log(
    call: Call,
    system: str | None,
    since: str | None,
    until: str | None,
    by: str,
    limit: int,
    follow: bool,
    **filters: str | None,
) -> None:
    """Show what happened: who, when, what, why. The newest comes last.

    Where an event was recorded later than it happened, both times are shown.

    Example:
      rollout log bot --since 2h
      rollout log bot --key grid.max_levels
      rollout log --actor li.wei --type 'Mode*' -o jsonl
    """
    _require_a_type(filters["type_"])
    if follow:
        collecting.stay()
    state = call.ledger.load(system) if system is not None else None
    named = filters["fingerprint"]
    wanted = Filter(
        system=system,
        actor=filters["actor"],
        type=filters["type_"],
        # A tag or the first digits; without a system, the first digits.
        fingerprint=resolve(state, named) if state is not None and named is not None else named,
        key=filters["key"],
        text=filters["text"],
        since=call.moment(since),
        until=call.moment(until),
        clock="recorded_at" if by == "recorded" else "occurred_at",
    )
    db = call.readmodel
    events = _with_changes(db, wanted, select(db, wanted, limit=limit + 1 if limit else None))
    more = bool(limit) and len(events) > limit
    _print(events[1:] if more else events, call.output, system, following=follow)
    if more:
        say(f"There is more; these are the newest {limit}. Show all: --limit 0", colour="yellow")
    if follow:
        _follow(call.runtime, wanted, call.output)


def _require_a_type(given: str | None) -> None:
    """Refuse a type that no event has: "nothing to show" would say that nothing of the kind happened.

    Raises:
        BadInput: there is none; names the nearest.
    """
    if given is None:
        return
    types = sorted(catalogue())
    if any(fnmatch(name.lower(), given.lower()) for name in types):
        return
    near = nearest(given.strip("*"), types)
    hint = f"Did you mean {near}? " if near else ""
    raise BadInput(
        f"--type {given}: there is no such type of event.",
        hint=f"{hint}Alert* stands for several; docs/reference/events.md lists them.",
    )


def _with_changes(db: Any, wanted: Any, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Where one key is asked for, let each event say what it changed of that, and nothing else."""
    if wanted.key is None:
        return events

    changes = changes_at(db, [event["position"] for event in events], wanted.key)
    for event in events:
        event["changes"] = changes.get(event["position"], [])
        event["sentence"] = (
            f"{changes_text(event['changes'])} ({event['sentence'].partition(':')[0]})"
        )
    return events


def _follow(runtime: Runtime, wanted: Any, output: Output) -> None:
    seen = reached_in(runtime.readmodel)
    while True:
        try:
            runtime.clock.sleep(LOOK_AGAIN_SECONDS)
        except KeyboardInterrupt:  # following has no other end, so nobody need be told of it
            click.get_current_context().exit(130)
        db = runtime.readmodel
        reached = reached_in(db)
        if reached > seen:
            newer = replace(wanted, after=seen, clock="recorded_at")
            _print(
                _with_changes(db, wanted, select(db, newer)), output, wanted.system, following=True
            )
            seen = reached


def _print(
    events: list[dict[str, Any]], output: Output, system: str | None, *, following: bool
) -> None:
    if output.format != "table":
        lines = Output("jsonl") if following and output.format == "json" else output
        if events or not following:
            lines.rows(events, CSV_COLUMNS)
    elif following:
        for event in events:
            click.echo(printable(event_line(event), styled=True))
    else:
        rows = [_row(event) for event in events]
        output.rows(rows, [name for name in COLUMNS if name not in _needless(rows, system)])


def _needless(rows: list[dict[str, Any]], system: str | None) -> set[str]:
    """Return the columns that would tell nothing, so that the sentences have their room."""
    needless = {"recorded"} if not any(row["recorded"] for row in rows) else set[str]()
    return needless if system is None else {"system", *needless}


def _row(event: dict[str, Any]) -> dict[str, Any]:
    recorded = recorded_apart(event)
    marks = [name for name in ("backfilled", "spooled") if event[name]]
    return {
        "position": f"#{event['position']}",
        "occurred": event["occurred_at"],
        "recorded": " ".join([shown(recorded), *marks]) if recorded else "",
        "system": event["system"],
        "actor": event["actor"],
        "what": event["sentence"],
        "reason": event["reason"],
    }


@command("show")
@click.argument("event")
def show(call: Call, event: str) -> None:
    """Show one event, whole. EVENT is a position or an event id; its own hash is recomputed.

    Example:
      rollout show 42
      rollout show 019a9f3e-6a00-7000-8000-000000000042 -o json
    """
    recorded = call.runtime.store.get(_event_key(event))
    if recorded is None:
        raise UnknownName(
            f"There is no event {event}.",
            hint=f"The log ends at #{call.runtime.store.head().position}.",
        )
    problem = _hash_problem(call.runtime, recorded)
    record = _record(recorded, problem)
    call.output.record(record, _event_text(record))
    if problem is not None:
        raise IntegrityFailure(f"#{recorded.position}: {problem}.", hint="Run: rollout verify")


def _event_key(text: str) -> int | UUID:
    digits = text.removeprefix("#")
    if digits.isdecimal() and len(digits) < 19:
        return int(digits)
    try:
        return UUID(text)
    except ValueError:
        raise BadInput(
            f"{text!r} is neither a position nor an event id.",
            hint="rollout log shows positions: rollout show 42",
        ) from None


def _hash_problem(runtime: Runtime, event: Recorded) -> str | None:
    """Return what is wrong with an event's own hashes, recomputed from its bytes, or None."""
    if not in_calendar(event):  # its time is not the one that was hashed
        return None
    if canonical.body_hash(event.body) != event.body_hash:
        return "the body is not the one that was recorded"
    before = runtime.store.get(event.position - 1) if event.position > 1 else None
    if before is None and event.position > 1:
        return f"position {event.position - 1}, which its hash builds on, is missing"
    previous = before.chain if before is not None else canonical.GENESIS
    if chain_after(previous, event) != event.chain:
        return "its hash does not follow from the event before"
    return None


def _record(event: Recorded, problem: str | None) -> dict[str, Any]:
    whole = sound(event)
    if whole is not event:
        return {
            **_record(whole, problem),
            "type": event.type,
            "body": event.body.decode(errors="replace"),
        }
    envelope = {name: value for name, value in event.decoded.items() if name != "data"}
    return {
        "position": event.position,
        "event_id": str(event.event_id),
        "stream": event.stream,
        "revision": event.revision,
        "type": event.type,
        "schema_version": event.schema_version,
        "occurred_at": iso(event.occurred_at),
        "recorded_at": iso(event.recorded_at),
        **envelope,
        "sentence": sentence(event.type, event.data),
        "data": dict(event.data),
        "body_hash": event.body_hash.hex(),
        "chain": event.chain.hex(),
        "hash": problem
        or ("verified" if in_calendar(event) else "not recomputed: rollout verify does"),
    }


def _event_text(record: dict[str, Any]) -> str:
    actor = record["actor"]
    shown_as = {**record, "actor": f"{actor['name']} ({actor['kind']} {actor['id']})"}
    del shown_as["data"]
    width = max(map(len, shown_as))
    lines = [f"{name:<{width}}  {value}" for name, value in shown_as.items()]
    data = orjson.dumps(record["data"], option=orjson.OPT_INDENT_2).decode()
    return "\n".join([*lines, "data", data])
