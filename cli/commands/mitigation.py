"""rollout mitigation list, apply, lift."""

from __future__ import annotations

import click

from cli import options
from cli.call import Call, decision_command, system_command
from cli.completion import complete_mitigation
from cli.output import say
from ledger.domain.errors import FileProblem, OperationInProgress
from ledger.service.core import plan_in_force
from ledger.service.mitigations import mitigation as mitigating


@click.group()
def mitigation() -> None:
    """List, apply and lift the plan's mitigations: what is less than a pause."""


@system_command("list", mitigation)
def list_(call: Call) -> None:
    """List the mitigations in force, and those that the plan has besides. Ends those whose time is over.

    Example:
      rollout mitigation list bot
    """
    ledger = call.ledger
    state = ledger.load(call.system)
    if mitigating.due(ledger, state):
        try:
            mitigating.settle(ledger, call.system, call.origin)
        except (FileProblem, OperationInProgress) as problem:
            say(f"warning: {call.system} was not told: {problem.message}")
        state = ledger.load(call.system)
        call.runtime.catch_up()
    rows = [
        {
            "mitigation": key,
            "kind": mitigation.kind,
            "status": "in force" if mitigation.status == "applied" else mitigation.status,
            "until": mitigation.until,
            "value": mitigation.value,
            "factor": mitigation.factor,
            "alert": mitigation.alert,
            "by": mitigation.by,
        }
        for key, mitigation in state.mitigations.items()
    ]
    plan = plan_in_force.plan_of(ledger, state) if state.profile is not None else None
    used = {one.mitigation for one in state.mitigations.values()}
    for name, spec in (plan.profile.mitigations if plan is not None else {}).items():
        if name not in used:
            rows.append({"mitigation": name, "kind": spec.kind, "status": "ready"})
    columns = ["mitigation", "kind", "status", "until", "value", "factor", "alert", "by"]
    call.output.rows([{**dict.fromkeys(columns), **row} for row in rows], columns)


@decision_command("apply", mitigation)
@click.argument("name", shell_complete=complete_mitigation)
@click.option(
    "--label", "labels", multiple=True, metavar="KEY=VALUE",
    help="What the mitigation's target names: slice=tokyo. Repeatable.",
)  # fmt: skip
def apply(call: Call, name: str, labels: tuple[str, ...]) -> None:
    """Apply a mitigation of the plan by hand. It ends by itself, as the plan says.

    Example:
      rollout mitigation apply bot down-weight-slice --label slice=tokyo --reason "odd fills"
    """
    ledger = call.ledger
    plan = plan_in_force.plan_of(ledger, ledger.load(call.system))
    given = dict(options.pair(text, "--label") for text in labels)
    origin = call.origin
    result = mitigating.apply(ledger, plan, call.system, name, given, None, origin)
    call.runtime.catch_up()
    explanation = result.explanation
    if result.outcome == "skipped":
        call.skip(explanation)
        return
    call.output.record(
        {"system": call.system, "outcome": "applied", "mitigation": explanation}, explanation
    )


@decision_command("lift", mitigation)
@click.argument("name", nargs=-1, required=True, metavar="NAME [TARGET]")
def lift(call: Call, name: tuple[str, ...]) -> None:
    """Lift a mitigation before its time. Needs a reason: it takes a protection away.

    Example:
      rollout mitigation lift bot down-weight-slice tokyo --reason "the feed was the cause, and is back"
    """
    key = " ".join(name)
    mitigating.lift(call.ledger, call.system, key, call.origin)
    call.runtime.catch_up()
    call.output.record(
        {"system": call.system, "outcome": "lifted", "mitigation": key}, f"{key} is lifted"
    )
