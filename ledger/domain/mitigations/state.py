"""What the state of a system holds of mitigations. Pure data."""

from __future__ import annotations

from typing import Literal

from ledger.domain.state_part import StatePart, written


def mitigation_key(mitigation: str, target: str) -> str:
    """Return what a mitigation is called in the state: its name, and its target if it has one."""
    return f"{mitigation} {target}".strip()


class StandingMitigation(StatePart, frozen=True, kw_only=True):
    """A mitigation in force or under way: the data of MitigationRequested, and what became of it."""

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
    status: Literal["requested", "applied"]
    at: str
    by: str
    position: int

    @property
    def key(self) -> str:
        """What it is called in the state."""
        return mitigation_key(self.mitigation, self.target)
