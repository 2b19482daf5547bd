"""What the state of a system holds of mitigations. Pure data."""

from __future__ import annotations

from ledger.domain.state_part import StatePart, written
from ledger.domain.values.choices import OneOf

MitigationStatus = OneOf["requested", "applied"]


def mitigation_key(mitigation: str, target: str) -> str:
    """Return the key of a mitigation in the state: its name, and its target if it has one."""
    return f"{mitigation} {target}".strip()


class MitigationIntent(StatePart, frozen=True, kw_only=True):
    """The intent of a mitigation: the data of MitigationRequested."""

    alert: str | None = None
    factor: str | None = None
    """Of a down-weight: 0 to 1."""
    kind: str
    mitigation: str
    """The name it has in the profile."""
    target: str = written("")
    until: str
    """ISO 8601; then it is lifted."""
    value: str | None = None
    """Canonical JSON text: of an override, or of a lock."""

    @property
    def key(self) -> str:
        """Its key in the state."""
        return mitigation_key(self.mitigation, self.target)


class StandingMitigation(MitigationIntent, frozen=True, kw_only=True):
    """A mitigation in force or under way: its intent, and what became of it."""

    status: MitigationStatus
    at: str
    by: str
    position: int
