"""rollout switch, pause, resume."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from cli import options
from cli.call import Call, command, decision_command
from cli.output import Output, colours_wanted, say
from ledger.domain.errors import Conflict, TimedOut, ToldNothing, Unreachable
from ledger.domain.modes import decide as modes
from ledger.domain.values.modes import Mode, PauseKind, full_kind
from ledger.service.core.operation import look_ahead
from ledger.service.modes import switch as switching
from ledger.service.modes.switch import SwitchResult
from runtime.pausing import pause_at_once

KINDS = [kind.value.replace("_", "-") for kind in PauseKind]
kind_option = click.option(
    "--kind", type=click.Choice(KINDS), default=None,
    help="What a paused system still does. Default: halt (rejects all orders).",
)  # fmt: skip


def _kind(text: str | None) -> PauseKind | None:
    return PauseKind(text.replace("-", "_")) if text else None


@decision_command("switch", asks=True, previews=True)
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Choice([mode.value for mode in Mode]),
    help="The mode to switch to.",
)
@kind_option
def switch(call: Call, target: str, kind: str | None, yes: bool, dry_run: bool) -> None:
    """Switch SYSTEM to mock, real or paused, and wait until the world confirms it.

    Start in mock; from paused the way to real leads through mock. Raising the exposure needs a reason,
    and a yes where there is no terminal to ask at.

    Example:
      rollout switch bot --to real --reason "rehearsal was clean for 30 minutes"
    """
    mode = Mode(target)
    pause_kind = full_kind(mode, _kind(kind))
    if dry_run:
        _show_plan(call, mode, pause_kind)
    elif pause_kind is not None:
        _finish(pause_at_once(call.runtime, call.system, pause_kind, call.origin), call.output)
    else:
        _switch(call, mode, yes=yes)


@command("pause", output=False)
@options.system
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
@options.output_or_table
def pause(call: Call, kind: str | None, control_file: str | None, http_admin: str | None) -> None:
    """Pause SYSTEM now. Never asks, never waits for a lock, works while Postgres is down.

    Where no way to SYSTEM is registered, the pause is recorded, SYSTEM is told nothing, and the exit
    code is 6. Without the ledger it acts, keeps a durable record here, says so, and the next command (or
    rollout recover) appends the record.

    Example:
      rollout pause bot --reason "rejects are piling up"
      rollout pause bot --kind reduce-only
    """
    by_hand = None
    if control_file or http_admin:
        from ledger.domain.systems.events import Actuators

        path = str(Path(control_file).absolute()) if control_file else None
        by_hand = Actuators(control_file=path, http_admin=http_admin)
    _finish(
        pause_at_once(
            call.runtime, call.system, _kind(kind) or PauseKind.HALT, call.origin, by_hand
        ),
        call.output,
    )


@decision_command("resume", asks=True)
def resume(call: Call, yes: bool) -> None:
    """Bring a paused SYSTEM back to mock; from there, rollout switch leads to real.

    Example:
      rollout resume bot --reason "exchange is back, rehearsing first"
    """
    state, _, observed = switching.survey(call.ledger, call.system, Mode.MOCK, None)
    by_hand = (
        observed is not None and observed.safe is not None and observed.safe.mode is Mode.PAUSED
    )
    if state.mode != Mode.PAUSED and not by_hand:
        call.skip(f"not paused: {state.mode or 'never switched'}")
        return
    _switch(call, Mode.MOCK, yes=yes)


def _switch(call: Call, mode: Mode, *, yes: bool) -> None:
    ledger = call.ledger
    state, _, observed = switching.survey(ledger, call.system, mode, None)
    said_yes = call.actor if yes and call.has_reason else None
    if modes.raises(state, mode, None, observed):
        call.require_yes(
            f"{call.system} goes from {state.mode or 'never switched'} to {mode}", yes=yes
        )
        said_yes = call.actor
    result = switching.switch(ledger, call.system, mode, None, call.origin, said_yes=said_yes)
    _finish(result, call.output)


def _show_plan(call: Call, mode: Mode, kind: PauseKind | None) -> None:
    """Decide as the switch would, and show the events that it would append."""
    operation = switching.Switch(mode, kind, said_yes=call.actor)
    _, _, decision = look_ahead(call.ledger, call.system, operation, call.origin)
    if decision.skipped:
        call.skip(decision.skipped)
        return
    rows = [{"event": event.type, **event.payload()} for event in decision.events]
    if rows[0]["event"] == "ModeSwitchRequested":
        rows.append({"event": "ModeSwitched", "to_mode": mode.value, "if": "the world confirms it"})
    say(f"would append to {call.system}, and change nothing now:")
    call.output.rows(rows, ["event", "from_mode", "to_mode", "actuators", "explanation"])


def _finish(result: SwitchResult, output: Output) -> None:
    shown = f"{result.mode}/{result.pause_kind}" if result.pause_kind else result.mode
    output.record(_as_row(result), _sentence(result, shown))
    for warning in result.warnings:
        say(f"warning: {warning}")
    if result.spooled:
        say(
            "recorded here, and not yet in the ledger: the next command that reaches it appends it "
            "(rollout recover)",
            colour="yellow",
        )
    elif result.spooled is None:
        say("NOTHING of this is recorded: write it down, and pause again when the ledger is back",
            colour="red")  # fmt: skip
    _require_told(result, shown)


def _require_told(result: SwitchResult, shown: str) -> None:
    """Raise, or exit, unless the system is known to be as it was asked to be, and that is recorded."""
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
    if not result.has_way:
        recorded = "not even recorded" if result.spooled is None else "recorded only"
        raise ToldNothing(
            f"{result.system} was told nothing: {shown} is {recorded}, "
            "since it has no control file and no admin interface.",
            hint=f"See to it by hand, then: rollout system add {result.system} --control-file PATH "
            "(or --http-admin URL), and repeat the command.",
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
    if not result.has_way:
        return f"{result.system}: {shown} is recorded"
    mark = click.style("✔", fg="green") if colours_wanted() else "✔"
    return f"{mark} {result.system} is {shown} (by {result.carried_by}, {result.took_ms} ms)"
