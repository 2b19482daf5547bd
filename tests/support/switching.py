"""Switching, in one word, for the actuators' tests."""

from __future__ import annotations

from ledger.domain.values.actuation import Carried, NotCarried, Outcome
from ledger.domain.values.modes import Mode, PauseKind
from ledger.ports import ModeActuator


def switch(actuator: ModeActuator, mode: Mode, kind: PauseKind | None = None) -> Carried:
    """Switch, as Alice."""
    return actuator.switch(
        mode=mode, pause_kind=kind, message="alice: drawdown", operation_id="op-1"
    )


def outcomes(asked: Carried | NotCarried) -> list[tuple[str, Outcome]]:
    """Tell who was asked, in order, and what came of it."""
    return [(attempt.actuator, attempt.outcome) for attempt in asked.attempts]
