"""rollout mitigation list, apply, lift."""

from __future__ import annotations

import click

from cli import options
from cli.commands.modes import skip
from cli.completion import complete_mitigation, complete_system
from cli.output import Output, say
from cli.wiring import Runtime, pass_runtime
from ledger.domain.errors import FileProblem, ReasonRequired

system_argument = click.argument("system", shell_complete=complete_system)


@click.group()
def mitigation() -> None:
    """What is less than a pause: list, put in force and lift the plan's mitigations."""


@mitigation.command("list")
@system_argument
@options.output
@pass_runtime
def list_(runtime: Runtime, system: str, output: Output) -> None:
    """List the mitigations in force, and those that the plan has besides. Ends those whose time is over.

    \b
    Example:
      rollout mitigation list bot
    """
    from ledger.service.mitigations import mitigation as mitigating
    from ledger.service.plans import adoption

    ledger, now = runtime.ledger, runtime.clock.now()
    state = ledger.load(system)
    if mitigating.due(state, now):
        try:
            mitigating.tell(ledger, system, runtime.origin())
        except FileProblem as problem:
            say(f"warning: {system} was not told: {problem.message}", colour="yellow")
        state = ledger.load(system)
        runtime.catch_up()
    rows = [
        {
            "mitigation": key,
            "kind": known["kind"],
            "status": "in force" if known["status"] == "applied" else known["status"],
            "until": known["until"],
            "value": known.get("value"),
            "factor": known.get("factor"),
            "alert": known.get("alert"),
            "by": known["by"],
        }
        for key, known in state.mitigations.items()
    ]
    plan = adoption.plan_of(ledger, state) if state.profile is not None else None
    used = {known["mitigation"] for known in state.mitigations.values()}
    for name, spec in (plan.profile.mitigations if plan is not None else {}).items():
        if name not in used:
            rows.append({"mitigation": name, "kind": spec.kind, "status": "ready"})
    columns = ["mitigation", "kind", "status", "until", "value", "factor", "alert", "by"]
    output.rows([{**dict.fromkeys(columns), **row} for row in rows], columns)


@mitigation.command("apply")
@system_argument
@click.argument("name", shell_complete=complete_mitigation)
@click.option(
    "--label", "labels", multiple=True, metavar="KEY=VALUE",
    help="What the mitigation's target names: slice=tokyo. Repeatable.",
)  # fmt: skip
@options.reason
@options.output
@pass_runtime
def apply(
    runtime: Runtime,
    system: str,
    name: str,
    labels: tuple[str, ...],
    reason: str | None,
    output: Output,
) -> None:
    """Put a mitigation of the plan in force by hand. It ends by itself, as the plan says.

    \b
    Example:
      rollout mitigation apply bot down-weight-slice --label slice=tokyo --reason "odd fills"
    """
    from ledger.service.mitigations import mitigation as mitigating
    from ledger.service.plans import adoption

    ledger = runtime.ledger
    plan = adoption.plan_of(ledger, ledger.load(system))
    given = dict(options.pair(text, "--label") for text in labels)
    origin = runtime.origin(reason)
    outcome, told = mitigating.apply(ledger, plan, system, name, given, None, origin)
    runtime.catch_up()
    if outcome == "skipped":
        skip(output, system, told)
        return
    output.record({"system": system, "outcome": "applied", "mitigation": told}, told)


@mitigation.command("lift")
@system_argument
@click.argument("name", nargs=-1, required=True, metavar="NAME [TARGET]")
@options.reason
@options.output
@pass_runtime
def lift(
    runtime: Runtime, system: str, name: tuple[str, ...], reason: str | None, output: Output
) -> None:
    """End a mitigation before its time. Needs a reason: it takes a protection away.

    \b
    Example:
      rollout mitigation lift bot down-weight-slice tokyo --reason "the feed was the cause, and is back"
    """
    from ledger.service.mitigations import mitigation as mitigating

    if not (reason and reason.strip()):
        raise ReasonRequired("Lifting a mitigation needs a reason.", hint="--reason TEXT")
    key = " ".join(name)
    mitigating.lift(runtime.ledger, system, key, runtime.origin(reason))
    runtime.catch_up()
    output.record({"system": system, "outcome": "lifted", "mitigation": key}, f"{key} is lifted")
