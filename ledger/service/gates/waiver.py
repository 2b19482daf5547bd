"""Waivers: what a person lets pass for a while."""

from __future__ import annotations

from datetime import datetime

from ledger.domain.decision import Decision
from ledger.domain.gates import decide as gates
from ledger.profiles.model import Profile
from ledger.service.core.plan_in_force import plan_of
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger


def check(ledger: Ledger, system: str, subject: str, *, break_glass: bool) -> None:
    """Raise what `waive` would of ``subject``, before anybody is asked for a yes."""
    state = ledger.load(system)
    gates.require_waivable(
        state,
        subject,
        break_glass=break_glass,
        subjects=subjects_of(plan_of(ledger, state).profile),
        now=ledger.recorder.clock.now(),
    )


def waive(
    ledger: Ledger,
    system: str,
    subject: str,
    until: datetime,
    origin: Origin,
    *,
    break_glass: bool,
) -> Decision:
    """Let ``subject`` pass until a time; see `gates.waive` for the rules."""
    profile = plan_of(ledger, ledger.load(system)).profile
    return ledger.decide(
        system,
        lambda state: gates.waive(
            state,
            subject,
            break_glass=break_glass,
            subjects=subjects_of(profile),
            until=until,
            longest=profile.waivers.longest,
            actor=origin.actor,
            reason=origin.reason,
            now=ledger.recorder.clock.now(),
        ),
        origin,
    )


def subjects_of(profile: Profile) -> list[str]:
    """Return all of a plan that can be let pass."""
    return [
        *(f"check:{check.name}" for check in profile.checks),
        *(f"criterion:{p.name}/{one.name}" for p in profile.phases for one in p.success),
        *(f"mode:{mode}" for mode in profile.modes),
        *(f"phase:{phase.name}" for phase in profile.phases),
    ]
