"""rollout approve request, grant, deny, list."""

from __future__ import annotations

from datetime import datetime

import click

from cli import options
from cli.commands.alert import told
from cli.completion import complete_approval, complete_request, complete_system
from cli.output import Output
from cli.wiring import Runtime, pass_runtime
from ledger.domain.approvals import decide as approvals
from ledger.domain.errors import BadInput
from ledger.domain.plans.state import Quorum
from ledger.domain.state import SystemState

system_argument = click.argument("system", shell_complete=complete_system)


@click.group()
def approve() -> None:
    """Ask for approvals, give them, deny them."""


@approve.command("request")
@system_argument
@click.argument("subject", metavar="phase:NAME|mode:NAME", shell_complete=complete_approval)
@options.reason
@options.output
@pass_runtime
def request(
    runtime: Runtime, system: str, subject: str, reason: str | None, output: Output
) -> None:
    """Ask those whom the plan names to say yes to SUBJECT, with the configuration and the plan as they are.

    \b
    Example:
      rollout approve request polyarb-x phase:micro_live --reason "7 days without CRITICAL"
    """
    ledger = runtime.ledger
    state = ledger.load(system)
    quorum = _quorum(state, subject)
    name = f"A-{state.revision + 1}"
    now = runtime.clock.now()
    decision = ledger.decide(
        system,
        lambda state: approvals.request(state, subject, quorum, name, now),
        runtime.origin(reason),
    )
    roles = ", ".join(f"{count} × {role}" for role, count in quorum.roles.items())
    told(decision, output, f"{name} asks {roles} for {subject}", system)
    runtime.catch_up()


def _quorum(state: SystemState, subject: str) -> Quorum:
    axis, _, name = subject.partition(":")
    wanted = {}
    if state.profile is not None and axis == "phase":
        wanted = {phase.name: phase.approvals for phase in state.profile.phases}
    elif state.profile is not None and axis == "mode":
        wanted = {mode: guard.approvals for mode, guard in state.profile.guards.items()}
    quorum = wanted.get(name)
    if quorum is None:
        raise BadInput(
            f"The plan of {state.system} wants no approval of {subject!r}.",
            hint="Write phase:NAME or mode:NAME, as rollout profile show has them.",
        )
    return quorum


@approve.command("grant")
@system_argument
@click.argument("name", metavar="REQUEST", shell_complete=complete_request)
@click.option("--role", required=True, help="The role in which you say yes.")
@click.option("--signed-on", metavar="DATE", help="The date you put to it. Default: today (UTC).")
@options.reason
@options.output
@pass_runtime
def grant(
    runtime: Runtime,
    system: str,
    name: str,
    role: str,
    signed_on: str | None,
    reason: str | None,
    output: Output,
) -> None:
    """Say yes. Nobody approves what they asked for themselves.

    \b
    Example:
      rollout approve grant polyarb-x A-12 --role ops_lead --signed-on 2026-02-01
    """
    now = runtime.clock.now()
    day = now.date()
    if signed_on is not None:
        try:
            day = datetime.fromisoformat(signed_on).date()
        except ValueError:
            raise BadInput(
                f"--signed-on {signed_on!r} is no date.", hint="Write it as 2026-02-01."
            ) from None
    actor = runtime.settings.actor
    decision = runtime.ledger.decide(
        system,
        lambda state: approvals.grant(state, name, role, actor, day, now),
        runtime.origin(reason),
    )
    told(decision, output, f"{name} has the yes of {actor.name} as {role}", system)
    runtime.catch_up()


@approve.command("deny")
@system_argument
@click.argument("name", metavar="REQUEST", shell_complete=complete_request)
@click.option("--role", required=True, help="The role in which you say no.")
@options.reason
@options.output
@pass_runtime
def deny(
    runtime: Runtime, system: str, name: str, role: str, reason: str | None, output: Output
) -> None:
    """Say no: the request is over.

    \b
    Example:
      rollout approve deny polyarb-x A-12 --role ops_lead --reason "the backup was never tried"
    """
    now, actor = runtime.clock.now(), runtime.settings.actor
    decision = runtime.ledger.decide(
        system,
        lambda state: approvals.deny(state, name, role, actor, now),
        runtime.origin(reason),
    )
    told(decision, output, f"{name} is denied", system)
    runtime.catch_up()


@approve.command("list")
@system_argument
@options.output
@pass_runtime
def list_(runtime: Runtime, system: str, output: Output) -> None:
    """List the requests, who said yes, and who is still missing.

    \b
    Example:
      rollout approve list polyarb-x
    """
    state, now = runtime.ledger.load(system), runtime.clock.now()
    rows = [
        {
            "request": name,
            "subject": known["subject"],
            "status": approvals.stale(state, known, now)
            or ("approved" if not approvals.missing(known) else "open"),
            "granted": ", ".join(
                f"{one['role']}: {one['name']} on {one['signed_on']}" for one in known["granted"]
            ),
            "missing": ", ".join(
                f"{count} × {role}" for role, count in approvals.missing(known).items()
            ),
            "asked_by": known["by"],
            "expires_at": known["expires_at"],
        }
        for name, known in state.approvals.items()
    ]
    output.rows(rows)
