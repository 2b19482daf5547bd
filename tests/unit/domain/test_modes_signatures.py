"""One act is signed for once: the yes to a phase is one to the mode that it runs in, and to nothing else."""

from __future__ import annotations

from datetime import datetime

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.errors import ApprovalNeeded
from ledger.domain.log.event import Event, ModeName
from ledger.domain.modes.decide import request
from ledger.domain.state import SystemState
from ledger.domain.values.modes import Mode
from tests.support.tables import (
    ANN,
    ONE,
    PLAN,
    REGISTERED,
    THREE,
    TWO,
    Case,
    Refuses,
    Told,
    adopted,
    applied,
    preflight,
    switched,
    table,
)

FAR = "2099-01-01T00:00:00.000000Z"
GUARD = events.ModeGuard(
    preflight_seconds=1800, approvals=events.Quorum(roles={"ops": 1}, expires_seconds=86400)
)
SWITCHED = (
    events.ModeSwitchRequested(from_mode="mock", to_mode="real", actuators=("control_file",)),
)


def to_real(state: SystemState, now: datetime) -> Decision:
    return request(
        state, Mode.REAL, None, actuators=("control_file",), observed=None, said_yes=ANN, now=now
    )


def entered(
    runs_in: ModeName | None,
    *given: Event,
    roles: tuple[str, ...] = ("ops",),
    over: Event | None = None,
) -> tuple[Event | Told, ...]:
    """In the phase "live", for which as many roles were asked for, and all of them given by others."""
    quorum = events.Quorum(roles=dict.fromkeys(roles, 1), expires_seconds=86400)
    asked_for = events.ApprovalRequested(
        request="A-2", subject="phase:live", roles=quorum.roles, fingerprint=ONE, profile=PLAN,
        expires_at=FAR,
    )  # fmt: skip
    said = [
        Told(
            events.ApprovalGranted(request="A-2", role=role, signed_on="2025-11-20"),
            who=f"a {role}",
        )
        for role in roles
    ]
    live = events.PlannedPhase(name="live", mode=runs_in, approvals=quorum)
    before = (over,) if over is not None else ()
    arrived = events.PhaseEntered(phase="live", before=ONE if over is not None else None)
    return (
        REGISTERED,
        switched("mock"),
        applied(ONE),
        adopted(live, real=GUARD),
        asked_for,
        *said,
        *before,
        arrived,
        *given,
    )


SIGNED_ONCE = [
    Case(
        "for the phase that runs in it",
        entered("real", preflight()),
        to_real,
        SWITCHED,
    ),
    Case(
        "for it with the phase's overlay",
        entered("real", preflight(fingerprint=TWO), over=applied(TWO)),
        to_real,
        SWITCHED,
    ),
    Case(
        "by more than the mode wants",
        entered("real", preflight(), roles=("dev", "ops")),
        to_real,
        SWITCHED,
    ),
    Case(
        "by others than the mode wants",
        entered("real", preflight(), roles=("dev",)),
        to_real,
        Refuses(ApprovalNeeded, "mode:real of bot needs approval"),
    ),
    Case(
        "for a phase that runs in no certain mode",
        entered(None, preflight()),
        to_real,
        Refuses(ApprovalNeeded, "mode:real of bot needs approval"),
    ),
    Case(
        "for another configuration than is in force now",
        entered("real", applied(TWO), preflight(fingerprint=TWO)),
        to_real,
        Refuses(ApprovalNeeded, "mode:real of bot needs approval"),
    ),
    Case(
        "for another than stands there since the overlay",
        entered("real", applied(THREE), preflight(fingerprint=THREE), over=applied(TWO)),
        to_real,
        Refuses(ApprovalNeeded, "mode:real of bot needs approval"),
    ),
    Case(
        "for a phase that was aborted",
        entered("real", preflight(), events.PhaseAborted(phase="live")),
        to_real,
        Refuses(ApprovalNeeded, "mode:real of bot needs approval"),
    ),
]


@table(SIGNED_ONCE)
def test_an_act_is_signed_for_once(case: Case) -> None:
    """Who said yes to a phase, overlay and all, said yes to the mode that it runs in: to nothing else."""
    case.holds()
