"""rollout phase list, enter, advance, hold, release, abort, scope."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from cli.call import Call, decision_command, system_command
from cli.commands.config import show_changes
from cli.commands.rollback import show_rollback
from cli.completion import complete_phase
from cli.output import say
from ledger.domain.configurations.decide import short
from ledger.domain.decision import Decision
from ledger.domain.errors import BadInput
from ledger.domain.plans import decide as phases
from ledger.domain.values.durations import duration_text
from ledger.service.plans import phases as phasing


@click.group()
def phase() -> None:
    """Enter, advance, hold and abort the phases of the plan."""


@system_command("list", phase)
def list_(call: Call) -> None:
    """List the phases of the plan, and where the rollout stands in them.

    Example:
      rollout phase list polyarb-x
    """
    state = call.state()
    rows: list[dict[str, Any]] = []
    for planned in phases.phases_of(state):
        name = planned.name
        done = "done" if name in state.phases_done else ""
        present = state.phase if state.phase_name == name else None
        gate = state.gates.get(name)
        rows.append(
            {
                "phase": name,
                "mode": planned.mode,
                "min_duration": duration_text(timedelta(seconds=planned.min_seconds)),
                "status": present.status if present is not None else done,
                "since": present.since if present is not None else None,
                "gate": gate.verdict if gate else "",
                "approvals": ", ".join(
                    planned.approvals.roles if planned.approvals is not None else ()
                ),
            }
        )
    call.output.rows(rows)


@decision_command("enter", phase, asks=True, previews=True)
@click.argument("name", metavar="PHASE", shell_complete=complete_phase)
def enter(call: Call, name: str, yes: bool, dry_run: bool) -> None:
    """Enter PHASE: the first one, the next after one that was left forward, or an earlier one again.

    Where the phase has an overlay, its keys are set in the configuration files in the same operation.

    Example:
      rollout phase enter polyarb-x shadow --reason "plan agreed on Monday"
    """
    if dry_run:
        _preview(call, name)
        return
    call.require_yes(f"{call.system} enters the phase {name}", yes=yes)
    decision = phasing.enter(call.ledger, call.system, name, call.origin)
    call.finish(decision, f"{call.system} is in {name}")


@decision_command("advance", phase, asks=True, previews=True)
def advance(call: Call, yes: bool, dry_run: bool) -> None:
    """Advance to the next phase. Needs a GO of the present gate, and what the next phase wants on entry.

    Where the next phase has an overlay, its keys are set in the configuration files in the same operation.

    Example:
      rollout phase advance polyarb-x --reason "7 days without CRITICAL, signed by all"
    """
    if dry_run:
        _preview(call, None)
        return
    call.require_yes(f"{call.system} goes on to the next phase", yes=yes)
    decision = phasing.advance(call.ledger, call.system, call.origin)
    entered = [e.payload()["phase"] for e in decision.events if e.type == "PhaseEntered"]
    said = (
        f"{call.system} is in {entered[0]}"
        if entered
        else f"the rollout of {call.system} is complete"
    )
    call.finish(decision, said)


def _would_append(decision: Decision) -> dict[str, Any]:
    return {"would_append": [{"event": event.type, **event.payload()} for event in decision.events]}


def _preview(call: Call, name: str | None) -> None:
    """Show what entering a phase would change, write and append."""
    preview = phasing.preview(call.ledger, call.system, name, call.actor)
    if preview.decision.skipped is not None:
        call.skip(preview.decision.skipped)
        return
    if call.output.format != "table":
        changed = [change.model_dump(exclude_none=True) for change in preview.changes]
        would = _would_append(preview.decision)
        call.output.record({**would, "changes": changed, "files": list(preview.files)})
        return
    if preview.changes:
        show_changes(preview.changes, call.output, "the phase's overlay")
    say("would do, and change nothing now:")
    for path in preview.files:
        say(f"  set those keys in {path}, and leave the rest of it as it is")
    applied = ["ConfigRegistered", "ConfigApplyRequested", "ConfigApplied"] if preview.files else []
    names = [*applied, *(event.type for event in preview.decision.events)]
    say(f"would append: {', '.join(names)}")


@decision_command("hold", phase)
def hold(call: Call) -> None:
    """Hold the rollout in the present phase until somebody releases it.

    Example:
      rollout phase hold polyarb-x --reason "waiting for the exchange's maintenance"
    """
    call.decide(phases.hold, f"{call.system} is held")


@decision_command("release", phase)
def release(call: Call) -> None:
    """Release a rollout that is held.

    Example:
      rollout phase release polyarb-x --reason "maintenance is over"
    """
    call.decide(lambda state: phases.release(state, call.actor), f"{call.system} is released")


@decision_command("abort", phase, previews=True)
def abort(call: Call, dry_run: bool) -> None:
    """Abort the rollout where it is.

    What the phase's overlay took the place of is put back, where an earlier phase ran on it and nobody has
    put anything else in force since. Nothing else is touched: pause what runs, or roll it back.

    Example:
      rollout phase abort polyarb-x --reason "the strategy does not carry its costs"
    """
    if dry_run:
        state = call.state()
        would, before = phases.abort(state), phases.to_put_back(state)
        if before is not None:
            show_rollback(call, before, None)
            say("and before that: PhaseAborted")
        else:
            call.output.record(_would_append(would), "would append: PhaseAborted")
        return
    decision, put_back = phasing.abort(call.ledger, call.system, call.origin)
    said = f"the rollout of {call.system} is given up"
    if put_back is not None:
        said += f"; {short(put_back.fingerprint)} is in force again"
    call.finish(decision, said)


@decision_command("scope", phase, asks=True)
@click.argument("scope", nargs=-1, required=True, metavar="KEY=VALUE,VALUE…")
def scope_(call: Call, scope: tuple[str, ...], yes: bool) -> None:
    """Set the scope of the present phase from here on.

    Example:
      rollout phase scope ofi-cvd symbols=BTCUSDT,ETHUSDT,ADAUSDT --reason "as approved on Friday"
    """
    given = _scope(scope)
    call.require_yes(f"the scope of {call.system} changes", yes=yes)
    call.decide(
        lambda state: phases.change_scope(
            state, {**phases.present_phase(state).scope, **given}, call.actor
        ),
        f"{call.system} covers {'; '.join(scope)}",
    )


def _scope(texts: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    scope: dict[str, tuple[str, ...]] = {}
    for text in texts:
        key, separator, values = text.partition("=")
        if not separator or not key:
            raise BadInput(f"{text!r} is not KEY=VALUE,VALUE.", hint="symbols=BTCUSDT,ETHUSDT")
        scope[key] = tuple(value for value in values.split(",") if value)
    return scope
