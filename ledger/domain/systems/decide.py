"""Registering systems."""

from __future__ import annotations

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.state import SystemState
from ledger.domain.systems.state import Registration


def register(
    state: SystemState, *, environment: str, description: str, actuators: events.Actuators
) -> Decision:
    """Register the system, or change its registration. The same again is a no-op."""
    fields = {"environment": environment, "description": description, "actuators": actuators}
    if state.registration is None:
        return Decision((events.SystemRegistered.model_validate(fields),))
    changed = events.SystemChanged.model_validate(fields)
    if Registration.of(changed.payload()) == state.registration:
        return Decision(skipped=f"{state.system} is registered like that already")
    return Decision((changed,))
