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
from ledger.domain.errors import LedgerError, LedgerUnreachable, Refused
from ledger.domain.log.ids import control_stream
from ledger.domain.state import SystemState
from ledger.service import recovery
from ledger.service.alerts import notifications
from ledger.service.core import plan_in_force
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger
from ledger.service.offline import drain
from ledger.service.watch.store_and_forward import lease_of


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
    ledger = call.runtime.ledger_without_draining
    spooled = drain(ledger)
    rows: list[dict[str, Any]] = []
    for name in [system] if system else call.runtime.store.systems():
        count = spooled[control_stream(name)]
        try:
            result = recovery.recover(ledger, name, call.origin, spooled=count)
        except LedgerUnreachable:
            raise
        except LedgerError as problem:  # one that is being worked on must not stop the others
            if system:
                raise
            rows.append({"system": name, "spooled": count, "problems": [problem.message]})
            continue
        notified = _notify_people(ledger, result.state, call.origin, base.absolute())
        mode = f"{result.mode}/{result.pause_kind}" if result.pause_kind else result.mode
        rows.append(
            {
                "system": name,
                "resume_mode": mode,
                "resume_fingerprint": result.fingerprint,
                "completed": [*result.completed, *notified],
                "abandoned": list(result.abandoned),
                "spooled": count,
                "drift": {subject: drift.to_json() for subject, drift in result.drift.items()},
                "problems": list(result.problems),
            }
        )
    if call.output.format == "table":
        for row in rows:
            _tell(row)
    else:
        call.output.rows(rows)
    call.runtime.catch_up()
    if any(row.get("drift") or row["problems"] for row in rows):
        call.exit(3)


def _notify_people(ledger: Ledger, state: SystemState, origin: Origin, base: Path) -> list[str]:
    """Send what a watch that died did not send; one that lives does that itself."""
    if state.profile is None or not (state.alerts or state.ended):
        return []

    store, lease = ledger.recorder.store, lease_of(state.system)
    if not store.try_lock(lease):
        return []
    try:
        plan = plan_in_force.plan_of(ledger, state)
        return notifications.catch_up(ledger, plan, state.system, origin, base)
    finally:
        store.unlock(lease)


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
