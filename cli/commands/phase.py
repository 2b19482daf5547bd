"""rollout phase list, enter, advance, hold, release, abort, scope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from cli import options
from cli.commands.alert import told
from cli.commands.modes import insist_on_yes, skip
from cli.commands.rollback import show_rollback
from cli.completion import complete_phase, complete_system
from cli.output import Output, say
from cli.wiring import Runtime, pass_runtime
from ledger.domain.configurations.decide import short
from ledger.domain.decision import Decision
from ledger.domain.errors import BadInput
from ledger.domain.plans import decide as phases
from ledger.domain.state import SystemState

system_argument = click.argument("system", shell_complete=complete_system)


@click.group()
def phase() -> None:
    """The phases of the plan: enter, advance, hold, abort."""


def _decide(
    runtime: Runtime,
    system: str,
    decide: Callable[[SystemState], Decision],
    reason: str | None,
    output: Output,
    said: str,
) -> None:
    decision = runtime.ledger.decide(system, decide, runtime.origin(reason))
    told(decision, output, said, system)
    runtime.catch_up()


@phase.command("list")
@system_argument
@options.output
@pass_runtime
def list_(runtime: Runtime, system: str, output: Output) -> None:
    """List the phases of the plan, and where the rollout stands in them.

    \b
    Example:
      rollout phase list polyarb-x
    """
    from datetime import timedelta

    from ledger.domain.values.durations import duration_text

    state = runtime.ledger.load(system)
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
                "gate": gate["verdict"] if gate else "",
                "approvals": ", ".join(
                    planned.approvals.roles if planned.approvals is not None else ()
                ),
            }
        )
    output.rows(rows)


@phase.command("enter")
@system_argument
@click.argument("name", metavar="PHASE", shell_complete=complete_phase)
@options.reason
@options.yes
@options.dry_run
@options.output
@pass_runtime
def enter(
    runtime: Runtime,
    system: str,
    name: str,
    reason: str | None,
    yes: bool,
    dry_run: bool,
    output: Output,
) -> None:
    """Enter PHASE: the first one, the next after one that was left forward, or an earlier one again.

    Where the phase has an overlay, its keys are set in the configuration files in the same operation.

    \b
    Example:
      rollout phase enter polyarb-x shadow --reason "plan agreed on Monday"
    """
    from ledger.service.plans import phases as phasing

    if dry_run:
        _preview(runtime, system, name, output)
        return
    insist_on_yes(f"{system} enters the phase {name}", reason, yes=yes)
    decision = phasing.enter(runtime.ledger, system, name, runtime.origin(reason))
    told(decision, output, f"{system} is in {name}", system)
    runtime.catch_up()


@phase.command("advance")
@system_argument
@options.reason
@options.yes
@options.dry_run
@options.output
@pass_runtime
def advance(
    runtime: Runtime, system: str, reason: str | None, yes: bool, dry_run: bool, output: Output
) -> None:
    """Leave the present phase forward: needs a GO of its gate, and what the next one wants on entry.

    Where the next phase has an overlay, its keys are set in the configuration files in the same operation.

    \b
    Example:
      rollout phase advance polyarb-x --reason "7 days without CRITICAL, signed by all"
    """
    from ledger.service.plans import phases as phasing

    if dry_run:
        _preview(runtime, system, None, output)
        return
    insist_on_yes(f"{system} goes on to the next phase", reason, yes=yes)
    decision = phasing.advance(runtime.ledger, system, runtime.origin(reason))
    entered = [e.payload()["phase"] for e in decision.events if e.type == "PhaseEntered"]
    said = f"{system} is in {entered[0]}" if entered else f"the rollout of {system} is complete"
    told(decision, output, said, system)
    runtime.catch_up()


def _would_append(decision: Decision) -> dict[str, Any]:
    return {"would_append": [{"event": event.type, **event.payload()} for event in decision.events]}


def _preview(runtime: Runtime, system: str, name: str | None, output: Output) -> None:
    """Show what entering a phase would change, write and append."""
    from cli.commands.config import show_changes
    from ledger.service.plans import phases as phasing

    found = phasing.preview(runtime.ledger, system, name, runtime.settings.actor)
    if found.decision.skipped is not None:
        skip(output, system, found.decision.skipped)
        return
    if output.format != "table":
        changed = [change.model_dump(exclude_none=True) for change in found.changes]
        would = _would_append(found.decision)
        output.record({**would, "changes": changed, "files": list(found.files)})
        return
    if found.changes:
        show_changes(found.changes, output, "the phase's overlay")
    say("would do, and change nothing now:")
    for path in found.files:
        say(f"  set those keys in {path}, and leave the rest of it as it is")
    applied = ["ConfigRegistered", "ConfigApplyRequested", "ConfigApplied"] if found.files else []
    names = [*applied, *(event.type for event in found.decision.events)]
    say(f"would append: {', '.join(names)}")


@phase.command("hold")
@system_argument
@options.reason
@options.output
@pass_runtime
def hold(runtime: Runtime, system: str, reason: str | None, output: Output) -> None:
    """Stay in the present phase until somebody releases it.

    \b
    Example:
      rollout phase hold polyarb-x --reason "waiting for the exchange's maintenance"
    """
    _decide(runtime, system, phases.hold, reason, output, f"{system} is held")


@phase.command("release")
@system_argument
@options.reason
@options.output
@pass_runtime
def release(runtime: Runtime, system: str, reason: str | None, output: Output) -> None:
    """End a hold.

    \b
    Example:
      rollout phase release polyarb-x --reason "maintenance is over"
    """
    actor = runtime.settings.actor
    _decide(
        runtime, system, lambda state: phases.release(state, actor), reason, output,
        f"{system} is released",
    )  # fmt: skip


@phase.command("abort")
@system_argument
@options.reason
@options.dry_run
@options.output
@pass_runtime
def abort(runtime: Runtime, system: str, reason: str | None, dry_run: bool, output: Output) -> None:
    """Give the rollout up where it is.

    What the phase's overlay took the place of is put back, where an earlier phase ran on it and nobody has
    put anything else in force since. Nothing else is touched: pause what runs, or roll it back.

    \b
    Example:
      rollout phase abort polyarb-x --reason "the strategy does not carry its costs"
    """
    from ledger.service.plans import phases as phasing

    if dry_run:
        state = runtime.ledger.load(system)
        would, before = phases.abort(state), phases.to_put_back(state)
        if before is not None:
            show_rollback(runtime, system, before, None, output)
            say("and before that: PhaseAborted")
        else:
            output.record(_would_append(would), "would append: PhaseAborted")
        return
    decision, put_back = phasing.abort(runtime.ledger, system, runtime.origin(reason))
    said = f"the rollout of {system} is given up"
    if put_back is not None:
        said += f"; {short(put_back.fingerprint)} is in force again"
    told(decision, output, said, system)
    runtime.catch_up()


@phase.command("scope")
@system_argument
@click.argument("scope", nargs=-1, required=True, metavar="KEY=VALUE,VALUE…")
@options.reason
@options.yes
@options.output
@pass_runtime
def scope_(
    runtime: Runtime,
    system: str,
    scope: tuple[str, ...],
    reason: str | None,
    yes: bool,
    output: Output,
) -> None:
    """Say what the present phase covers from here on.

    \b
    Example:
      rollout phase scope ofi-cvd symbols=BTCUSDT,ETHUSDT,ADAUSDT --reason "as approved on Friday"
    """
    given = _scope(scope)
    actor = runtime.settings.actor
    insist_on_yes(f"the scope of {system} changes", reason, yes=yes)
    _decide(
        runtime, system, lambda state: phases.change_scope(state, _over(state, given), actor), reason,
        output, f"{system} covers {'; '.join(scope)}",
    )  # fmt: skip


def _scope(texts: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        key, separator, values = text.partition("=")
        if not separator or not key:
            raise BadInput(f"{text!r} is not KEY=VALUE,VALUE.", hint="symbols=BTCUSDT,ETHUSDT")
        found[key] = tuple(value for value in values.split(",") if value)
    return found


def _over(state: SystemState, given: phases.Scope) -> dict[str, tuple[str, ...]]:
    return {**phases.present_phase(state).scope, **given}
