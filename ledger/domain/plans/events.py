"""The plan of a rollout: the profile in force, its phases, where the rollout stands in them."""

from __future__ import annotations

from ledger.domain.configurations.events import Change
from ledger.domain.log.event import Count, Event, Fingerprint, ModeName, Part


class Quorum(Part):
    """How many people of which role have to say yes, and for how long that counts."""

    roles: dict[str, Count]
    expires_seconds: Count


class ModeGuard(Part):
    """What a switch to a mode needs."""

    preflight_seconds: Count | None = None
    """A GO not older than this, made for the fingerprint in force. None: none is needed."""
    approvals: Quorum | None = None


class PlannedPhase(Part):
    """What decisions need to know of a phase; the rest lies in the profile's blob."""

    name: str
    mode: ModeName | None = None
    """The highest mode that the phase is run in."""
    min_seconds: Count = 0
    preflight_seconds: Count | None = None
    approvals: Quorum | None = None
    gated: bool = False
    """Whether leaving it forward needs a GO of its exit gate."""


class ProfileAdopted(Event):
    """From here on this is the plan. Its text, the rule files with it, is the blob of the fingerprint."""

    profile: str
    fingerprint: Fingerprint
    previous: Fingerprint | None = None
    source: str = ""
    phases: tuple[PlannedPhase, ...] = ()
    guards: dict[str, ModeGuard] = {}
    changes: tuple[Change, ...] = ()


class PhaseEntered(Event):
    """The rollout is in this phase from here on. ``limits``: key -> canonical JSON text."""

    phase: str
    limits: dict[str, str] = {}
    scope: dict[str, tuple[str, ...]] = {}
    break_glass: str | None = None
    """The waiver that stood in for a gate or an approval."""
    before: Fingerprint | None = None
    """What the phase's overlay took the place of, on the way forward: aborting the phase puts it back."""


class PhaseHeld(Event):
    """The rollout stays where it is until somebody releases it."""

    phase: str


class PhaseReleased(Event):
    """The hold is over."""

    phase: str


class PhaseAdvanced(Event):
    """The phase was left forward. ``to_phase`` is absent after the last: the rollout is complete."""

    from_phase: str
    to_phase: str | None = None
    gate_position: Count | None = None
    """The GateEvaluated that said GO."""


class PhaseAborted(Event):
    """The rollout was given up in this phase."""

    phase: str


class ScopeChanged(Event):
    """What the phase covers: symbols, slices."""

    phase: str
    before: dict[str, tuple[str, ...]]
    after: dict[str, tuple[str, ...]]
