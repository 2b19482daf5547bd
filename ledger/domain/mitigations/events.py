"""Mitigations: less than a pause, and they end by themselves."""

from __future__ import annotations

from typing import Literal

from ledger.domain.log.event import DecimalText, Event

MitigationKind = Literal["down_weight", "pause_slice", "pause_calibration", "lock", "override"]


class MitigationRequested(Event):
    """The intent, appended before the world is touched (I5)."""

    mitigation: str
    """The name it has in the profile."""
    kind: MitigationKind
    target: str = ""
    """The slice, the key or the part of the system that it is about."""
    value: str | None = None
    """Canonical JSON text: of an override, or of a lock."""
    factor: DecimalText | None = None
    """Of a down-weight: 0 to 1."""
    until: str
    """ISO 8601; then it is lifted."""
    alert: str | None = None


class MitigationApplied(Event):
    """The system was told, and the file says so."""

    mitigation: str
    target: str = ""
    path: str = ""


class MitigationFailed(Event):
    """The system could not be told."""

    mitigation: str
    target: str = ""
    explanation: str


class MitigationLifted(Event):
    """It counts no more."""

    mitigation: str
    target: str = ""
    how: Literal["expired", "manual", "never_applied"]
