"""A pause, whatever is wrong with the ledger (I5, I33). On the way of a pause: imports nothing heavy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ledger.domain.errors import LedgerError
from ledger.domain.values.modes import PauseKind
from ledger.service import offline
from ledger.service.core.recorder import Origin
from ledger.service.modes.switch import SwitchResult
from runtime.wiring import Runtime

if TYPE_CHECKING:
    from ledger.domain.systems.events import Actuators
    from ledger.service.core.session import Ledger


def pause_at_once(
    runtime: Runtime,
    system: str,
    kind: PauseKind,
    origin: Origin,
    by_hand: Actuators | None = None,
) -> SwitchResult:
    """Pause ``system``, through the ledger if it answers soon; ``by_hand`` instead of its own actuators.

    Raises:
        LedgerUnreachable: the ledger is away, and nobody here knows how to reach the system.
        UnknownName: there is no such system.
    """
    away: LedgerError | None = None
    try:
        ledger = runtime.ledger_for_pause
    except Exception as problem:  # noqa: BLE001 - whatever is wrong with the ledger stops no pause (I33)
        ledger, away = runtime.offline_ledger, offline.unusable(problem)
    result = offline.pause(ledger, system, kind, origin, by_hand=by_hand, away=away)
    said = (origin.reason or "").strip()
    return _with_reason(ledger, result, origin) if result.outcome == "skipped" and said else result


def _with_reason(ledger: Ledger, result: SwitchResult, origin: Origin) -> SwitchResult:
    """Record why it is paused, where that is all that is new: it is paused, whatever comes of this."""
    from ledger.domain.modes.decide import give_reason

    try:
        given = ledger.decide(
            result.system, lambda state: give_reason(state, str(origin.reason)), origin
        )
    except LedgerError as problem:
        warning = f"the reason is not recorded: {problem.message}"
        return replace(result, warnings=(*result.warnings, warning))
    if given.skipped is not None:
        return result
    return replace(result, explanation=f"{result.explanation}; the reason is recorded")
