"""rollout approve request, grant, deny, list."""

from __future__ import annotations

from datetime import datetime

import click

from cli.call import Call, decision_command, system_command
from cli.completion import complete_approval, complete_request
from ledger.domain.approvals import decide as approvals
from ledger.domain.errors import BadInput
from ledger.domain.plans.state import Quorum
from ledger.domain.state import SystemState


@click.group()
def approve() -> None:
    """Request, grant, deny and list approvals."""


@decision_command("request", approve)
@click.argument("subject", metavar="phase:NAME|mode:NAME", shell_complete=complete_approval)
def request(call: Call, subject: str) -> None:
    """Request approval of SUBJECT, with the configuration and the plan as they are.

    Example:
      rollout approve request polyarb-x phase:micro_live --reason "7 days without CRITICAL"
    """
    ledger = call.ledger
    state = ledger.load(call.system)
    quorum = _quorum(state, subject)
    name = f"A-{state.revision + 1}"
    now = call.now()
    roles = ", ".join(f"{count} × {role}" for role, count in quorum.roles.items())
    call.decide(
        lambda state: approvals.request(state, subject, quorum, name, now),
        f"{name} asks {roles} for {subject}",
    )


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


@decision_command("grant", approve)
@click.argument("name", metavar="REQUEST", shell_complete=complete_request)
@click.option("--role", required=True, help="The role in which you say yes.")
@click.option("--signed-on", metavar="DATE", help="The date you put to it. Default: today (UTC).")
def grant(call: Call, name: str, role: str, signed_on: str | None) -> None:
    """Grant an approval: say yes. Nobody approves what they asked for themselves.

    Who you are is taken on trust, by your login or --actor: nothing checks it.

    Example:
      rollout approve grant polyarb-x A-12 --role ops_lead --signed-on 2026-02-01
    """
    now = call.now()
    day = now.date()
    if signed_on is not None:
        try:
            day = datetime.fromisoformat(signed_on).date()
        except ValueError:
            raise BadInput(
                f"--signed-on {signed_on!r} is no date.", hint="Write it as 2026-02-01."
            ) from None
    actor = call.actor
    call.decide(
        lambda state: approvals.grant(state, name, role, actor, day, now),
        f"{name} has the yes of {actor.name} as {role}",
    )


@decision_command("deny", approve)
@click.argument("name", metavar="REQUEST", shell_complete=complete_request)
@click.option("--role", required=True, help="The role in which you say no.")
def deny(call: Call, name: str, role: str) -> None:
    """Deny an approval: say no, and the request is over.

    Example:
      rollout approve deny polyarb-x A-12 --role ops_lead --reason "the backup was never tried"
    """
    now, actor = call.now(), call.actor
    call.decide(lambda state: approvals.deny(state, name, role, actor, now), f"{name} is denied")


@system_command("list", approve)
def list_(call: Call) -> None:
    """List the requests for approval, who said yes, and who is still missing.

    Example:
      rollout approve list polyarb-x
    """
    state, now = call.state(), call.now()
    rows = [
        {
            "request": name,
            "subject": asked.subject,
            "status": approvals.stale(state, asked, now)
            or ("approved" if not approvals.missing(asked) else "open"),
            "granted": ", ".join(
                f"{one.role}: {one.name} on {one.signed_on}" for one in asked.granted
            ),
            "missing": ", ".join(
                f"{count} × {role}" for role, count in approvals.missing(asked).items()
            ),
            "asked_by": asked.by,
            "expires_at": asked.expires_at,
        }
        for name, asked in state.approvals.items()
    ]
    call.output.rows(rows)
