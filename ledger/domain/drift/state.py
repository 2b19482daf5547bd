"""What the state of a system holds of drift. Pure data."""

from __future__ import annotations

from ledger.domain.configurations.state import Change
from ledger.domain.state_part import StatePart, written
from ledger.domain.values.choices import OneOf

DriftSubject = OneOf["mode", "config", "code"]


class Drift(StatePart, frozen=True, kw_only=True):
    """Where the world differs from the ledger: the data of DriftDetected, and since when."""

    changes: tuple[Change, ...] = written(())
    expected: str
    found: str
    subject: DriftSubject
    since: str
