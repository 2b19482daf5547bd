"""What the state of a system holds of its plan, and of where the rollout stands in it. Pure data.

What stems from an event has its fields in the order of the event's bytes, which is that of the alphabet.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import UNSET, UnsetType

from ledger.domain.state_part import written
from ledger.domain.values.choices import OneOf

PhaseStatus = OneOf["progressing", "held", "aborted", "completed"]


class Quorum(msgspec.Struct, frozen=True):
    """A quorum: how many people of which role have to approve, and for how long that counts."""

    expires_seconds: int
    roles: Mapping[str, int]


class Guard(msgspec.Struct, frozen=True, omit_defaults=True):
    """The guard of a mode: what a switch to it needs."""

    approvals: Quorum | None = None
    preflight_seconds: int | None = None
    """A GO not older than this. None: none is needed."""


class PlannedPhase(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the plan says of a phase, as far as decisions need to know it."""

    approvals: Quorum | None = None
    gated: bool = written(default=False)
    """Whether leaving it forward needs a GO of its exit gate."""
    min_seconds: int = written(0)
    mode: str | None = None
    """The highest mode that the phase is run in."""
    name: str
    preflight_seconds: int | None = None


class PlanInForce(msgspec.Struct, frozen=True, kw_only=True):
    """The plan that was adopted last."""

    name: str
    fingerprint: str
    """Of the blob that holds the profile, its rule files with it."""
    at: str
    by: str
    position: int
    phases: tuple[PlannedPhase, ...] = ()
    guards: Mapping[str, Guard] = {}
    """mode -> what a switch to it needs."""


class PresentPhase(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The phase that was entered last, and how it stands."""

    name: str
    since: str
    by: str
    position: int
    status: PhaseStatus
    limits: Mapping[str, str] = written({})
    """key -> canonical JSON text."""
    scope: Mapping[str, tuple[str, ...]] = written({})
    before: str | None = None
    """The configuration that its overlay took the place of, on the way forward."""
    overlaid: str | None = None
    """The configuration in force with its overlay, where there is one ``before``."""
    held_by: str | None = None
    """Who held it last."""
    held_reason: str | UnsetType | None = UNSET
    """Unset: it was never held. None: whoever held it gave no reason."""
    left_at: str | None = None
    """When it was aborted, or completed as the last one."""

    @property
    def is_over(self) -> bool:
        """Whether the rollout has ended in it."""
        return self.status in {"aborted", "completed"}


class PhaseLeft(msgspec.Struct, frozen=True):
    """A phase that was left forward."""

    entered: str | None
    left: str
    by: str
