"""Plans: adopted from a file, kept in the ledger, read back by whatever watches and judges."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.errors import BadInput
from ledger.domain.plans import decide as plans
from ledger.domain.state import SystemState
from ledger.profiles.phases import Approvals
from ledger.profiles.plan import Plan, load
from ledger.service.core.plan_in_force import plan_of
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger
from ledger.service.systems import plan_actuators


def adopt(
    ledger: Ledger, system: str, path: Path, origin: Origin, *, register: bool = False
) -> tuple[Plan, Decision, Decision]:
    """Make the profile in ``path`` the plan of ``system``. The same again is a no-op.

    A system that is not registered is, if the profile names actuators. Where a registered one is reached
    otherwise than the profile says, that is told; ``register`` changes it.

    Returns the plan, what was decided on it, and on the registration.

    Raises:
        BadInput: the profile or a rule file does not fit, or holds a secret, or is for another environment.
        ReasonRequired: it takes the place of another plan, and nobody said why.
        NameTaken: another system is reached in a way that the profile names: the name may be mistyped.
    """
    plan = load(path)
    _require_no_secret(ledger, plan)
    registered = plan_actuators.enlist(ledger, system, plan.profile, origin, change=register)
    state = ledger.load(system)
    previous = plan_of(ledger, state) if state.profile is not None else None
    adopted = events.ProfileAdopted(
        profile=plan.profile.profile,
        fingerprint=plan.fingerprint,
        previous=previous.fingerprint if previous is not None else None,
        source=str(path),
        phases=tuple(_planned(plan)),
        guards={
            mode: events.ModeGuard(
                preflight_seconds=_seconds(guard.preflight), approvals=_quorum(guard.approvals)
            )
            for mode, guard in plan.profile.guards.items()
        },
        changes=tuple(
            events.Change(key=change.key, old=change.old, new=change.new)
            for change in plan.changes_since(previous)
        ),
    )

    def decide(state: SystemState) -> Decision:
        return plans.adopt(
            state,
            adopted,
            environment=plan.profile.environment,
            file=path.name,
            reason=origin.reason,
        )

    decide(state)  # refuses what would be refused, before anything is kept
    ledger.keep_blob(plan.content)
    return plan, ledger.decide(system, decide, origin), registered


def _require_no_secret(ledger: Ledger, plan: Plan) -> None:
    """Raise if a secret stands in a plan, which is kept and shown as it is (I6).

    What was read is looked at, not the file again: that may have become another one meanwhile.
    """
    for file in plan.written:
        for number, line in enumerate(file.text.splitlines(), start=1):
            if ledger.recorder.clean(line) != line:
                raise BadInput(
                    f"{file.name}, line {number}: this looks like a secret, and a plan is recorded as it is.",
                    hint="Name an environment variable instead: ${WEBHOOK_URL}",
                )


def _planned(plan: Plan) -> list[events.PlannedPhase]:
    return [
        events.PlannedPhase(
            name=phase.name,
            mode=phase.mode,
            min_seconds=int(phase.min_duration.total_seconds()),
            preflight_seconds=_seconds(phase.entry.preflight),
            approvals=_quorum(phase.entry.approvals),
            gated=bool(phase.success),
        )
        for phase in plan.profile.phases
    ]


def _seconds(span: timedelta | None) -> int | None:
    return int(span.total_seconds()) if span is not None else None


def _quorum(approvals: Approvals | None) -> events.Quorum | None:
    if approvals is None:
        return None
    return events.Quorum(
        roles=dict(approvals.roles), expires_seconds=int(approvals.expires.total_seconds())
    )
