"""rollout rollback SYSTEM, and rollout rollback status|resume|abandon SYSTEM."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from cli.call import Call, decision_command, system_command
from cli.commands.config import show_applied, show_plan
from cli.completion import complete_fingerprint, complete_system
from cli.output import say
from ledger.domain.configurations.decide import short
from ledger.domain.errors import Refused, UsageError
from ledger.domain.rollbacks import decide as rollbacks
from ledger.domain.rollbacks.decide import LAST_STABLE, unfinished
from ledger.domain.rollbacks.state import RollbackIntent
from ledger.service.recovery import recover
from ledger.service.rollbacks import rollback as rolling_back
from ledger.service.rollbacks.checkout import full_rollback
from runtime.rolling_back import roll_back

_SYSTEM = click.Argument(["system"])


class _Rollback(click.Group):
    """`rollback SYSTEM …` rolls back; `rollback status|resume|abandon SYSTEM` looks after one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Anything that is no sub-command is the system to roll back."""
        if args and args[0] not in self.commands:
            return "to", self.commands["to"], args
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer the systems beside the sub-commands."""
        systems = [CompletionItem(name) for name in complete_system(ctx, _SYSTEM, incomplete)]
        return systems + super().shell_complete(ctx, incomplete)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the options of `rollback SYSTEM`, which is what people look for here."""
        to_ = self.commands["to"]
        options_ = [one for one in to_.get_params(ctx) if isinstance(one, click.Option)]
        rows = [row for option in options_ if (row := option.get_help_record(ctx))]
        with formatter.section("Options of rollback SYSTEM"):
            formatter.write_dl(rows)
        self.format_commands(ctx, formatter)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let options come before the system, as in `rollback --last-stable bot`."""
        if args and args[0].startswith("-") and args[0] not in {"-h", "--help"}:
            args = ["to", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Rollback, subcommand_metavar="SYSTEM [OPTIONS] | status|resume|abandon SYSTEM")
def rollback() -> None:
    """Roll a system back to a prior configuration, byte for byte.

    \b
    Example:
      rollout rollback bot --last-stable --reason "reject rate tripled"
      rollout rollback bot --to v1.9-prod --dry-run
      rollout rollback bot --to '#118' --reason "as it was at event 118"
      rollout rollback bot --full --reason "back to v2.0.0, code and all"
      rollout rollback resume bot
    """


@decision_command("to", rollback, previews=True)
@click.argument("loose", nargs=-1, metavar="")
@click.option(
    "--to", "target", metavar="FP|TAG|#N", shell_complete=complete_fingerprint, help="Where to."
)
@click.option(
    "--last-stable",
    is_flag=True,
    help="To the newest fingerprint marked stable, not quarantined, not this one.",
)
@click.option(
    "--code", metavar="REF",
    help="Check this tag or commit out too, then restart. Alone: the configuration stays.",
)  # fmt: skip
@click.option("--full", is_flag=True, help="To the code and the configuration that the plan names.")
def to(
    call: Call,
    loose: tuple[str, ...],
    target: str | None,
    last_stable: bool,
    code: str | None,
    full: bool,
    dry_run: bool,
) -> None:
    """Roll SYSTEM back to a prior configuration, byte for byte. Never asks: it is what one does in trouble.

    Quarantines the configuration that is left, so that a second rollback does not bounce back to it.

    Example:
      rollout rollback bot --last-stable --reason "reject rate tripled"
      rollout rollback bot --to v2.0 --code v2.0.0 --reason "the new code is wrong"
    """
    if loose:
        raise UsageError(
            f"Where to go back to is an option, and {' '.join(loose)!r} is none.",
            hint=f"rollout rollback {call.system} --to {loose[0]}",
        )
    selector, code = _where_to(call, target, code, last_stable=last_stable, full=full)
    if dry_run:
        show_rollback(call, selector, code)
        return
    call.require_reason("A rollback needs a reason.", 'Say why: --reason "…"')
    result = roll_back(call.runtime, call.system, selector, call.origin, code=code)
    show_applied(result, call.output)


to.hidden = True  # people type: rollback SYSTEM


def _where_to(
    call: Call, target: str | None, code: str | None, *, last_stable: bool, full: bool
) -> tuple[str, str | None]:
    """Return the configuration and the code to go back to."""
    if full:
        if target or last_stable or code:
            raise UsageError("--full says it all: leave --to, --last-stable and --code out.")
        target, code = full_rollback(call.ledger, call.state())
    if target is not None and last_stable:
        raise UsageError("Say either --last-stable, or --to FINGERPRINT|TAG|#N.")
    if target is not None or last_stable:
        # Not "or": an empty variable of a script is no wish to go anywhere.
        return (target if target is not None else LAST_STABLE), code
    if code is None:
        raise UsageError(
            "Say where to: --last-stable, --to FINGERPRINT|TAG|#N, --code REF, or --full."
        )
    return rollbacks.staying(call.state()), code


def show_rollback(call: Call, selector: str, code: str | None) -> None:
    """Print what a rollback would change, write and append."""
    decision, changes = rolling_back.plan(
        call.ledger, call.system, selector, call.origin, code=code
    )
    if decision.skipped is not None:
        call.skip(decision.skipped)
        return
    intent = RollbackIntent.of(decision.events[0].payload())
    title = f"{short(intent.from_fingerprint)} → {short(intent.to_fingerprint)}"
    steps = ["RollbackStepCompleted"] * rollbacks.step_count(intent)
    show_plan(decision, changes, call.output, title, [*steps, "ConfigApplied", "RollbackCompleted"])


@system_command("status", rollback)
def status(call: Call) -> None:
    """Show a rollback that was begun and not ended.

    Example:
      rollout rollback status bot
    """
    state = call.state()
    begun = unfinished(state)
    if begun is None:
        call.output.record(
            {"system": call.system, "rollback": None}, f"{call.system} has no rollback in flight"
        )
        return
    name, operation = begun
    call.output.record(
        {
            "operation": name,
            "to": operation.intent.to_fingerprint,
            "begun_at": operation.at,
            "by": operation.actor,
            "reason": operation.reason,
            "steps_done": len(operation.steps),
            "steps": rollbacks.step_count(operation.intent),
            "failed": operation.failed,
        }
    )
    say(
        f"go on: rollout rollback resume {call.system}; "
        f"give up: rollout rollback abandon {call.system} --reason …"
    )


@decision_command("resume", rollback)
def resume(call: Call) -> None:
    """Resume a rollback that was begun, and finish it.

    Example:
      rollout rollback resume bot
    """
    if unfinished(call.state()) is None:
        call.skip(f"{call.system} has no rollback in flight")
        return
    result = recover(call.ledger, call.system, call.origin)
    if unfinished(result.state) is not None:
        raise Refused(
            result.problems[0], hint=f"Mend that, then: rollout rollback resume {call.system}"
        )
    call.output.record(
        {
            "system": call.system,
            "completed": list(result.completed),
            "fingerprint": result.fingerprint,
        },
        f"✔ {'; '.join(result.completed) or 'nothing was left to do'}",
    )


@decision_command("abandon", rollback)
def abandon(call: Call) -> None:
    """Abandon a rollback that was begun; files that were written stay as they are.

    Example:
      rollout rollback abandon bot --reason "fixed by hand"
    """
    call.require_reason("Giving up a rollback needs a reason.")
    operation = rolling_back.abandon(call.ledger, call.system, call.origin)
    if operation is None:
        call.skip(f"{call.system} has no rollback in flight")
        return
    call.output.record(
        {"system": call.system, "abandoned": operation},
        f"the rollback of {call.system} was given up",
    )
