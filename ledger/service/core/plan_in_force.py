"""The rollout plan that is in force, read back from the ledger."""

from __future__ import annotations

from ledger.domain.errors import UnknownName
from ledger.domain.state import SystemState
from ledger.profiles.plan import Plan, from_content
from ledger.service.core.session import Ledger


def plan_of(ledger: Ledger, state: SystemState) -> Plan:
    """Return the plan in force.

    Raises:
        UnknownName: the system has none.
    """
    if state.profile is None:
        raise UnknownName(
            f"{state.system} has no rollout plan.",
            hint=f"rollout profile adopt {state.system} FILE",
        )
    content = ledger.blob(state.profile.fingerprint)
    return from_content(content, f"the plan {state.profile.name}")
