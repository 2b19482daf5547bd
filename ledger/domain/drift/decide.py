"""Drift: where the world is not as the ledger says, and what is new of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.drift.state import DriftSubject
from ledger.domain.modes import decide as modes
from ledger.domain.state import SystemState
from ledger.domain.values.actuation import Observed, Reading

EDITED_SHOWN_MAX: Final = 5
COMPARED: Final = frozenset({"mode", "config", "code"})
"""A newer program may have found drift in what this one doesn't compare."""


def of_mode(state: SystemState, observed: Observed) -> events.DriftDetected | None:
    """Return where the mode of the world differs; a source that can't tell differs, too (I8)."""
    mode, kind = modes.current(state)
    if mode is None:
        return None
    differing = [reading for reading in observed.readings if not reading.tells(mode, kind)]
    if not differing:
        return None
    return events.DriftDetected(
        subject="mode",
        expected=modes.shown(mode, kind),
        found=" / ".join(f"{reading.actuator}: {_shown(reading)}" for reading in differing),
    )


def _shown(reading: Reading) -> str:
    if reading.mode is None:
        return f"unknown ({reading.problem})"
    return modes.shown(reading.mode, reading.pause_kind)


def of_code(state: SystemState, commit: str, edited: Sequence[str]) -> events.DriftDetected | None:
    """Return where the checkout differs: at another ``commit``, or with files ``edited`` by hand."""
    if state.code is None or (commit == state.code and not edited):
        return None
    by_hand = f", changed by hand: {', '.join(edited[:EDITED_SHOWN_MAX])}" if edited else ""
    return events.DriftDetected(subject="code", expected=state.code, found=f"{commit}{by_hand}")


def record(
    state: SystemState,
    differing: Mapping[DriftSubject, events.DriftDetected],
    *,
    all_compared: bool,
) -> Decision:
    """Record what differs anew or otherwise than before, and what agrees again.

    Where not all could be compared, nothing is said to agree: no evidence is no pass (I8).
    """
    news: list[events.Event] = [
        event
        for subject, event in differing.items()
        if subject not in state.drift or state.drift[subject].found != event.found
    ]
    if all_compared:
        news += [
            events.DriftCleared(subject=subject)
            for subject in state.drift
            if subject in COMPARED and subject not in differing
        ]
    return Decision(tuple(news))
