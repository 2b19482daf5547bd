"""The code that a system runs from: where it stands, how a rollback takes it back, and the restart."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec

from ledger.actuators.restart import restart as run_restart
from ledger.domain import events
from ledger.domain.decision import require_no_rule
from ledger.domain.errors import LedgerError, LedgerUnreachable
from ledger.domain.log.ids import Actor
from ledger.domain.rollbacks import decide as rollbacks
from ledger.domain.rollbacks.state import CodeMove
from ledger.domain.state import SystemState
from ledger.domain.systems.state import CodePlace
from ledger.ports import CodeActuator
from ledger.service.core.actuators import World, world_of
from ledger.service.core.plan_in_force import plan_of
from ledger.service.core.session import Ledger


def move_to(
    ledger: Ledger, state: SystemState, ref: str, written: Collection[str], actor: Actor
) -> events.CodeMove:
    """Return what taking the code back to ``ref`` is; touches nothing.

    ``written`` are the configuration files that are written after it.

    Raises:
        Refused: there is no checkout; it has changes that would be lost; ``ref`` is no way back; a rule asks.
        UnknownName: there is no such commit.
    """
    require_no_rule(actor, "another version of the code")
    world = world_of(state.actuators, ledger.recorder.clock)
    checkout = require_checkout(world, state, written)
    standing = checkout.observe().commit
    wanted = checkout.resolve(ref)
    rollbacks.require_code_target(
        state,
        ref,
        wanted=wanted,
        standing=standing,
        is_behind=checkout.is_ancestor(wanted, standing),
        fallback=_fallback(ledger, state, checkout),
    )
    checkout.require_clean(wanted)
    return events.CodeMove(
        place=_as_recorded(world.code_place),
        from_commit=standing,
        to_commit=wanted,
        ref=ref,
    )


def full_rollback(ledger: Ledger, state: SystemState) -> tuple[str | None, str]:
    """Return the configuration (None: it stays) and the code that the plan's full rollback goes to.

    Raises:
        Refused: the plan names none.
    """
    code = plan_of(ledger, state).profile.actuators.code
    full = (code.config, code.fallback) if code is not None else None
    return rollbacks.require_full_rollback(state, full)


def check_out(world: World, state: SystemState, move: CodeMove, written: Collection[str]) -> bool:
    """Put the code where a rollback wants it; return whether it was elsewhere."""
    return require_checkout(world, state, written).check_out(move.to_commit)


def restart(ledger: Ledger, system: str, place: CodePlace) -> None:
    """Run the system's restart command, and keep what it says on this machine.

    Raises:
        NotRestarted: it failed, or did not end in time.
    """
    run_restart(
        place.restart,
        Path(place.repository),
        timeout_seconds=place.restart_timeout_ms / 1000,
        said=ledger.home / "restarts" / f"{system.replace('/', '%2F')}.log",
    )


def require_checkout(world: World, state: SystemState, written: Collection[str]) -> CodeActuator:
    """Return what checks the code out.

    Raises:
        Refused: the system was registered without a checkout.
    """
    return rollbacks.require_checkout(state, world.code(written))


def _fallback(ledger: Ledger, state: SystemState, checkout: CodeActuator) -> str | None:
    """Return the commit that the plan falls back to; None where it names none that is there."""
    if state.profile is None:
        return None
    try:
        code = plan_of(ledger, state).profile.actuators.code
        return checkout.resolve(code.fallback) if code is not None else None
    except LedgerUnreachable:
        raise
    except LedgerError:
        return None


def _as_recorded(place: CodePlace | None) -> events.CodePlace:
    return events.CodePlace.model_validate_json(msgspec.json.encode(place))
