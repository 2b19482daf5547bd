"""What the state of a system holds of approvals. Pure data."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ledger.domain.state_part import written
from ledger.domain.values.choices import OneOf

NoLonger = OneOf["denied", "fingerprint_changed", "profile_changed", "expired"]
"""Why a request counts no more."""
RequestStatus = OneOf["open"] | NoLonger


class Grant(msgspec.Struct, frozen=True):
    """The approval of one person."""

    role: str
    id: str
    name: str
    at: str
    signed_on: str
    """The date that they put to it."""


class ApprovalRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request for approvals: its subject, and who has approved."""

    subject: str
    """phase:NAME or mode:NAME."""
    roles: Mapping[str, int]
    """How many of each role."""
    fingerprint: str | None = written(None)
    """The configuration that it is asked for."""
    profile: str | None = written(None)
    """The plan that it is asked for."""
    expires_at: str
    at: str
    by: str
    by_id: str
    status: RequestStatus = written("open")
    granted: tuple[Grant, ...] = written(())
    ended_by: str | None = None
    """Who denied it."""
