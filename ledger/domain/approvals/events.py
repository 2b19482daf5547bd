"""Approvals: asked for, given by people of named roles, and gone stale."""

from __future__ import annotations

from typing import Literal

from ledger.domain.log.event import Count, Event, Fingerprint


class ApprovalRequested(Event):
    """Somebody asks others to say yes, to this and to nothing else."""

    request: str
    subject: str
    """phase:NAME or mode:NAME."""
    roles: dict[str, Count]
    """How many of each role."""
    fingerprint: Fingerprint | None = None
    profile: Fingerprint | None = None
    expires_at: str


class ApprovalGranted(Event):
    """One person of one role says yes; ``signed_on`` is the date they put to it."""

    request: str
    role: str
    signed_on: str


class ApprovalDenied(Event):
    """One person says no, and that is the end of the request."""

    request: str
    role: str


class ApprovalInvalidated(Event):
    """What was asked for is no longer what would be done."""

    request: str
    why: Literal["fingerprint_changed", "profile_changed", "expired"]
