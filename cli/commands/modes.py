"""rollout switch, pause, resume."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cli import options
from cli.completion import complete_system
from cli.output import Output, colours_wanted, say
from cli.wiring import Runtime, pass_runtime
from ledger.domain.errors import (
    Conflict,
    LedgerError,
    LedgerUnreachable,
    ReasonRequired,
    Refused,
    TimedOut,
    Unreachable,
)
from ledger.domain.values.modes import Mode, PauseKind, full_kind
from ledger.service.modes.switch import SwitchResult

if TYPE_CHECKING:
    from ledger.domain.systems.events import Actuators

NOBODY = "nothing"  # as `carried_by`: no way to the system is registered
KINDS = [kind.value.replace("_", "-") for kind in PauseKind]
system_argument = click.argument("system", shell_complete=complete_system)
kind_option = click.option(
    "--kind", type=click.Choice(KINDS), default=None,
    help="What a paused system still does. Default: halt (rejects all orders).",
)  # fmt: skip


def _kind(text: str | None) -> PauseKind | None:
    return PauseKind(text.replace("-", "_")) if text else None


@click.command()
@system_argument
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Choice([mode.value for mode in Mode]),
    help="The mode to switch to.",
)
@kind_option
@options.reason
@options.yes
@options.dry_run
@options.output
@pass_runtime
def switch(
    runtime: Runtime,
    system: str,
    target: str,
    kind: str | None,
    reason: str | None,
    yes: bool,
    dry_run: bool,
    output: Output,
) -> None:
    """Switch SYSTEM to mock, real or paused, and wait until the world confirms it.

    Start in mock; from paused the way to real leads through mock. Raising the exposure needs a reason,
    and a yes where there is no terminal to ask at.

    \b
    Example:
      rollout switch bot --to real --reason "rehearsal was clean for 30 minutes"
    """
    mode = Mode(target)
    pause_kind = full_kind(mode, _kind(kind))
    if dry_run:
        _show_plan(runtime, system, mode, pause_kind, output)
    elif pause_kind is not None:
        _finish(_pause(runtime, system, pause_kind, reason, None), output)
    else:
        _switch(runtime, system, mode, reason, output, yes=yes)


@click.command()
@system_argument
@kind_option
@options.reason
@click.option(
    "--control-file",
    type=click.Path(dir_okay=False),
    help="Act on this file, whatever is registered.",
)
@click.option(
    "--http-admin", metavar="URL", help="Act through this interface, whatever is registered."
)
@options.output
@pass_runtime
def pause(
    runtime: Runtime,
    system: str,
    kind: str | None,
    reason: str | None,
    control_file: str | None,
    http_admin: str | None,
    output: Output,
) -> None:
    """Pause SYSTEM now. Never asks, never waits for a lock, works while Postgres is down.

    Without the ledger it acts, keeps a durable record here, says so, and the next command (or
    rollout recover) appends the record.

    \b
    Example:
      rollout pause bot --reason "rejects are piling up"
      rollout pause bot --kind reduce-only
    """
    by_hand = None
    if control_file or http_admin:
        from pathlib import Path

        from ledger.domain.systems.events import Actuators

        path = str(Path(control_file).absolute()) if control_file else None
        by_hand = Actuators(control_file=path, http_admin=http_admin)
    _finish(_pause(runtime, system, _kind(kind) or PauseKind.HALT, reason, by_hand), output)


@click.command()
@system_argument
@options.reason
@options.yes
@options.output
@pass_runtime
def resume(runtime: Runtime, system: str, reason: str | None, yes: bool, output: Output) -> None:
    """Bring a paused SYSTEM back to mock; from there, rollout switch leads to real.

    \b
    Example:
      rollout resume bot --reason "exchange is back, rehearsing first"
    """
    from ledger.service.modes import switch as switching

    state, _, observed = switching.survey(runtime.ledger, system, Mode.MOCK, None)
    by_hand = (
        observed is not None and observed.safe is not None and observed.safe.mode is Mode.PAUSED
    )
    if state.mode != Mode.PAUSED and not by_hand:
        skip(output, system, f"not paused: {state.mode or 'never switched'}")
        return
    _switch(runtime, system, Mode.MOCK, reason, output, yes=yes)


def _switch(
    runtime: Runtime, system: str, mode: Mode, reason: str | None, output: Output, *, yes: bool
) -> None:
    from ledger.domain.modes import decide as modes
    from ledger.service.modes import switch as switching

    ledger = runtime.ledger
    state, _, observed = switching.survey(ledger, system, mode, None)
    said_yes = runtime.settings.actor if yes and has_reason(reason) else None
    if modes.raises(state, mode, None, observed):
        insist_on_yes(
            f"{system} goes from {state.mode or 'never switched'} to {mode}", reason, yes=yes
        )
        said_yes = runtime.settings.actor
    result = switching.switch(ledger, system, mode, None, runtime.origin(reason), said_yes=said_yes)
    _finish(result, output)


def _pause(
    runtime: Runtime, system: str, kind: PauseKind, reason: str | None, by_hand: Actuators | None
) -> SwitchResult:
    from ledger.service import offline

    origin = runtime.origin(reason)
    away: LedgerError | None = None
    try:
        ledger = runtime.ledger_for_pause
    except (LedgerError, OSError) as problem:  # whatever is wrong with the ledger stops no pause
        told = problem if isinstance(problem, LedgerError) else LedgerUnreachable(f"{problem}.")
        ledger, away = runtime.offline_ledger, told
    return offline.pause(ledger, system, kind, origin, by_hand=by_hand, away=away)


def has_reason(reason: str | None) -> bool:
    """Tell whether a reason says anything."""
    return bool(reason and reason.strip())


def skip(output: Output, system: str, why: str) -> None:
    """Tell that there is nothing to do (I16)."""
    record = {"system": system, "outcome": "skipped", "explanation": why}
    output.record(record, f"skipped ({why})")


def insist_on_yes(what: str, reason: str | None, *, yes: bool) -> None:
    """Raise unless a reason is given and somebody says yes, at the terminal or by --yes.

    Raises:
        ReasonRequired: no reason, or nobody to ask.
        Refused: the answer was no.
    """
    if not has_reason(reason):
        raise ReasonRequired(f"{what}: that needs a reason.", hint="Say why: --reason TEXT")
    if yes:
        return
    if not sys.stdin.isatty():
        raise ReasonRequired(
            f"{what}: that needs a yes, and there is no terminal to ask at.", hint="Add --yes"
        )
    if not click.confirm(f"{what}. Go ahead?", err=True):
        raise Refused("You said no: nothing was done.")


def _show_plan(
    runtime: Runtime, system: str, mode: Mode, kind: PauseKind | None, output: Output
) -> None:
    """Decide as the switch would, and show the events that it would append."""
    from ledger.domain.modes import decide as modes
    from ledger.service.modes import switch as switching

    state, world, observed = switching.survey(runtime.ledger, system, mode, kind)
    decision = modes.request(
        state,
        mode,
        kind,
        actuators=world.mode_actuators,
        observed=observed,
        said_yes=runtime.settings.actor,
        now=runtime.clock.now(),
    )
    if decision.skipped:
        skip(output, system, decision.skipped)
        return
    rows = [{"event": event.type, **event.payload()} for event in decision.events]
    if rows[0]["event"] == "ModeSwitchRequested":
        rows.append({"event": "ModeSwitched", "to_mode": mode.value, "if": "the world confirms it"})
    say(f"would append to {system}, and change nothing now:")
    output.rows(rows, ["event", "from_mode", "to_mode", "actuators", "explanation"])


def _finish(result: SwitchResult, output: Output) -> None:
    shown = f"{result.mode}/{result.pause_kind}" if result.pause_kind else result.mode
    output.record(_as_row(result), _sentence(result, shown))
    if result.carried_by == NOBODY and result.outcome == "switched":
        say(
            f"warning: {result.system} was told nothing: it has no control file and no admin interface",
            colour="yellow",
        )
        say(f"  next: rollout system add {result.system} --control-file PATH (or --http-admin URL)")
    for warning in result.warnings:
        say(f"warning: {warning}", colour="yellow")
    if result.spooled:
        say(
            "recorded here, and not yet in the ledger: the next command that reaches it appends it "
            "(rollout recover)",
            colour="yellow",
        )
    elif result.spooled is None:
        say("NOTHING of this is recorded: write it down, and pause again when the ledger is back",
            colour="red")  # fmt: skip
    if result.outcome == "not_carried":
        raise Unreachable(
            f"{result.system} is not {shown}: {result.explanation}",
            hint="Mend that and repeat the command; until then the system is as it was.",
        )
    if result.outcome == "unconfirmed":
        raise TimedOut(
            f"{result.system} was not seen to be {shown}: {result.explanation}",
            hint=f"Look at the system itself, then: rollout recover {result.system}",
        )
    if result.outcome == "abandoned":
        raise Conflict(
            f"{result.system}: the switch to {shown} was given up: {result.explanation}.",
            hint=f"Look again (rollout status {result.system}), then decide again.",
        )
    if result.spooled is None:
        click.get_current_context().exit(3)


def _as_row(result: SwitchResult) -> dict[str, object]:
    names: Sequence[str] = (
        "system", "mode", "pause_kind", "outcome", "carried_by", "took_ms", "operation", "spooled",
        "explanation",
    )  # fmt: skip
    return {name: getattr(result, name) for name in names}


def _sentence(result: SwitchResult, shown: str) -> str:
    if result.outcome == "skipped":
        return f"skipped ({result.explanation})"
    if result.outcome in {"abandoned", "unconfirmed", "not_carried"}:
        return f"{result.system}: {shown} {result.outcome.replace('_', ' ')}"
    if result.carried_by == NOBODY:
        return f"{result.system}: {shown} is recorded"
    mark = click.style("✔", fg="green") if colours_wanted() else "✔"
    return f"{mark} {result.system} is {shown} (by {result.carried_by}, {result.took_ms} ms)"
