"""rollout recover, rollout drift."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from cli import options
from cli.call import Call, command, system_command
from cli.output import say
from ledger.domain.configurations.decide import short
from ledger.domain.errors import Refused
from ledger.service import recovery
from runtime import recovering
from runtime.recovering import Recovered


@command("recover")
@options.any_system
@options.base
@options.reason
def recover(call: Call, system: str | None, base: Path) -> None:
    """Finish or give up what a crash left, append what was journalled, compare the world with the ledger.

    Mitigations whose time is over end, and people are told what a watch that died did not tell them.
    Prints the state to resume from. Exit 3 when something differs or stays open.

    Example:
      rollout recover bot
    """
    rows = [
        _row(each)
        for each in recovering.recover(call.runtime, system, call.origin, base.absolute())
    ]
    if call.output.format == "table":
        for row in rows:
            _tell(row)
    else:
        call.output.rows(rows)
    call.runtime.catch_up()
    if any(row.get("drift") or row["problems"] for row in rows):
        call.exit(3)


def _row(recovered: Recovered) -> dict[str, Any]:
    result = recovered.result
    if result is None:
        return {
            "system": recovered.system,
            "spooled": recovered.spooled,
            "problems": [recovered.problem],
        }
    return {
        "system": result.system,
        "resume_mode": f"{result.mode}/{result.pause_kind}" if result.pause_kind else result.mode,
        "resume_fingerprint": result.fingerprint,
        "completed": [*result.completed, *recovered.notified],
        "abandoned": list(result.abandoned),
        "spooled": recovered.spooled,
        "drift": {subject: drift.to_json() for subject, drift in result.drift.items()},
        "problems": list(result.problems),
    }


def _tell(row: Mapping[str, Any]) -> None:
    if "resume_mode" in row:
        click.echo(f"{row['system']}: resume in mode {row['resume_mode'] or 'mock (never switched)'}, "
                   f"configuration {short(row['resume_fingerprint'])}")  # fmt: skip
    else:
        click.echo(f"{row['system']}: not recovered")
    for kind in ("completed", "abandoned", "problems"):
        for sentence in row.get(kind, ()):
            click.echo(f"  {kind}: {sentence}")
    if row["spooled"]:
        click.echo(f"  appended: {row['spooled']} events from the time without the ledger")
    for subject, event in row.get("drift", {}).items():
        keys = ", ".join(change["key"] for change in event["changes"])
        click.echo(f"  drift in {subject}: the ledger says {_short(event['expected'])}, "
                   f"the world says {_short(event['found'])}{' (' + keys + ')' if keys else ''}")  # fmt: skip


def _short(text: str) -> str:
    return short(text) if text.startswith("sha256:") else text


@system_command("drift")
def drift(call: Call) -> None:
    """Compare the world with the ledger, key by key. Records nothing. Exit 3 when they differ.

    Example:
      rollout drift bot
    """
    state = call.state()
    differing, untold = recovery.find_drift(call.ledger, state)
    if untold:
        raise Refused(f"The configuration of {call.system} can't be compared: {untold[0]}")
    rows: list[dict[str, Any]] = []
    for subject, event in differing.items():
        if not event.changes:
            rows.append(
                {"subject": subject, "key": "", "ledger": event.expected, "world": event.found}
            )
        rows += [
            {"subject": subject, "key": change.key, "ledger": change.old, "world": change.new}
            for change in event.changes
        ]
    if not rows:
        say(f"{call.system}: the world is as the ledger says")
        if call.output.format != "table":
            call.output.rows([])
        return
    call.output.rows(rows, ["subject", "key", "ledger", "world"])
    if "mode" in differing:
        say(f"put it back: rollout switch {call.system} --to {state.mode} --reason …")
    for subject, option, before in (
        ("code", "--code", state.code),
        ("config", "--to", state.fingerprint),
    ):
        if subject in differing:
            say(f"put it back: rollout rollback {call.system} {option} {short(before)} --reason …; "
                f"or keep it: rollout config put {call.system} FILE… --in-force --reason …")  # fmt: skip
    call.exit(3)
