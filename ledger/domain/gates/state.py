"""What the state of a system holds of its checks, gates and waivers. Pure data."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ledger.domain.values.choices import OneOf

VerdictName = OneOf["GO", "NO_GO", "INCONCLUSIVE", "WAIVED"]


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict: when it was given, by whom, and for what."""

    verdict: VerdictName
    at: str
    position: int
    by: str
    fingerprint: str | None = None
    """The configuration that it was given for."""
    profile: str | None = None
    """The plan that it was given by."""
    waivers: tuple[str, ...] = ()


class JudgedPreflight(Judged, frozen=True, kw_only=True):
    """The last preflight."""

    failed: tuple[str, ...]
    """Checks that failed and were not waived, the gravest first."""


class JudgedGate(Judged, frozen=True, kw_only=True):
    """The last evaluation of a phase's exit gate."""

    counts: Mapping[str, int]
    """result -> how many criteria had it."""


class Waiver(msgspec.Struct, frozen=True, kw_only=True):
    """What a person lets pass for a while; it may have expired."""

    subject: str
    until: str
    by: str
    reason: str | None
    break_glass: bool = False
