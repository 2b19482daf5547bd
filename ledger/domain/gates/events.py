"""Checks, gates and waivers: what was measured, and whether that is enough to go on."""

from __future__ import annotations

from typing import Literal

from ledger.domain.log.event import Count, Event, Fingerprint, Part

VerdictName = Literal["GO", "NO_GO", "INCONCLUSIVE", "WAIVED"]
ResultName = Literal["PASS", "WARN", "FAIL", "SKIP", "ERROR"]
PriorityName = Literal["P0", "P1", "P2", "P3"]


class CheckResult(Part):
    """One check: the measured value beside the threshold."""

    name: str
    kind: str
    priority: PriorityName
    category: str = ""
    result: ResultName
    measured: str = ""
    threshold: str = ""
    detail: str = ""
    took_ms: Count = 0
    waived_by: str | None = None
    """The waiver that lets it pass all the same."""


class PreflightCompleted(Event):
    """The checks were run, for this configuration and this plan."""

    verdict: VerdictName
    fingerprint: Fingerprint | None = None
    profile: Fingerprint | None = None
    results: tuple[CheckResult, ...]
    params: dict[str, str] = {}
    waivers: tuple[str, ...] = ()


class CriterionResult(Part):
    """One criterion of a gate. ``samples`` were looked at, ``observed_seconds`` of what was needed."""

    name: str
    result: Literal["pass", "warn", "fail", "inconclusive"]
    measured: str = ""
    threshold: str = ""
    samples: Count = 0
    observed_seconds: Count = 0
    needed_seconds: Count = 0
    detail: str = ""
    waived_by: str | None = None


class GateEvaluated(Event):
    """The exit gate of a phase was put to what was recorded."""

    phase: str
    verdict: VerdictName
    fingerprint: Fingerprint | None = None
    profile: Fingerprint | None = None
    criteria: tuple[CriterionResult, ...]
    waivers: tuple[str, ...] = ()


class GateWaived(Event):
    """A person takes it on themselves that something is let pass, for a while."""

    waiver: str
    subject: str
    """check:NAME, criterion:PHASE/NAME, or break-glass:mode:real, break-glass:phase:NAME."""
    until: str
    """ISO 8601."""
    break_glass: bool = False


class WaiverRevoked(Event):
    """The waiver counts no more."""

    waiver: str
