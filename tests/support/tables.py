"""Tables of decisions: given what was recorded, when somebody decides, then events, nothing, or a refusal.

States are folded from events, as the program folds them, so that a table says nothing about their shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

import pytest

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.errors import LedgerError
from ledger.domain.log.event import Event
from ledger.domain.log.ids import Actor, ActorKind
from ledger.domain.state import SystemState
from tests.support.stories import Story

ANN = Actor("ann", "ann", ActorKind.HUMAN)
BOB = Actor("bob", "bob", ActorKind.HUMAN)
RULE = Actor("ece-high", "ece-high", ActorKind.RULE)
SERVICE = Actor("deployer", "deployer", ActorKind.SERVICE)
ONE, TWO, THREE = ("sha256:" + digit * 64 for digit in "123")
"""Fingerprints of configurations."""
PLAN, OTHER_PLAN = ("sha256:" + digit * 64 for digit in "89")
"""Fingerprints of plans."""
OPERATION = UUID(int=1)


@dataclass(frozen=True)
class Told:
    """An event that somebody else recorded, or as part of an operation, or that happened long ago."""

    event: Event
    who: str = "ann"
    operation: UUID | None = None
    ago_seconds: float = 0


@dataclass(frozen=True)
class Skips:
    """Nothing is recorded, and ``why`` stands in what is told (I16)."""

    why: str


@dataclass(frozen=True)
class Refuses:
    """Exactly this error, with ``text`` in its message."""

    error: type[LedgerError]
    text: str


Given: TypeAlias = "Sequence[Event | Told]"
When: TypeAlias = Callable[[SystemState, datetime], Decision]
Then: TypeAlias = "tuple[Event, ...] | Skips | Refuses"


@dataclass(frozen=True)
class Case:
    """One row: ``later`` is how long after the last event somebody decides."""

    name: str
    given: Given
    when: When
    then: Then
    later: timedelta = timedelta(0)

    def holds(self) -> None:
        """Raise unless what comes of the decision is what the row says."""
        state, now = fold(self.given)
        if isinstance(self.then, Refuses):
            with pytest.raises(self.then.error) as caught:
                self.when(state, now + self.later)
            assert type(caught.value) is self.then.error
            assert self.then.text in caught.value.message
            return
        decision = self.when(state, now + self.later)
        if isinstance(self.then, Skips):
            assert decision.events == ()
            assert self.then.why in (decision.skipped or "")
        else:
            assert decision == Decision(self.then)


def fold(given: Given) -> tuple[SystemState, datetime]:
    """Return the state after what was recorded, and the time of the last event."""
    story = Story()
    for one in given:
        told = one if isinstance(one, Told) else Told(one)
        story.tell(told.event, who=told.who, operation=told.operation, ago_seconds=told.ago_seconds)
    return story.state, story.clock.now()


def table(cases: Sequence[Case]) -> pytest.MarkDecorator:
    """Return the mark that runs a test once for each row, under the row's name."""
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


# --- events, made short ---

REGISTERED = events.SystemRegistered(
    environment="production",
    actuators=events.Actuators(
        control_file="/srv/bot/mode.json",
        config_files=(events.ConfigFile(name="config.yaml", path="/srv/bot/config.yaml"),),
    ),
)
PLACE = events.ConfigFile(name="config.yaml", path="/srv/bot/config.yaml")


def snapshot_of(fingerprint: str) -> str:
    """Return the snapshot that `kept` keeps under a fingerprint."""
    return fingerprint[-64:]


def kept(fingerprint: str, *, file: str = "config.yaml", snapshot: str | None = None) -> Event:
    """A configuration of one file was put under its fingerprint."""
    return events.ConfigRegistered(
        fingerprint=fingerprint,
        snapshot=snapshot or snapshot_of(fingerprint),
        files=(events.SnapshotFile(name=file, sha256="f" * 64, size=1),),
        canonical_form=1,
    )


def applied(fingerprint: str, cause: str = "apply", snapshot: str | None = None) -> Event:
    """A configuration is in force from here on."""
    return events.ConfigApplied.model_validate(
        {
            "fingerprint": fingerprint,
            "snapshot": snapshot or snapshot_of(fingerprint),
            "cause": cause,
            "changes": (),
        }
    )


def stable(fingerprint: str) -> Event:
    """Somebody vouched for it."""
    return events.FingerprintMarkedStable(fingerprint=fingerprint)


def quarantined(fingerprint: str) -> Event:
    """It did harm."""
    return events.FingerprintQuarantined(fingerprint=fingerprint)


def switched(mode: str, kind: str | None = None) -> Event:
    """The world confirmed a mode."""
    return events.ModeSwitched.model_validate(
        {"to_mode": mode, "to_kind": kind, "carried_by": "control_file"}
    )


def preflight(
    verdict: str = "GO", fingerprint: str | None = ONE, profile: str | None = PLAN, *failed: str
) -> Event:
    """The checks were run."""
    results = tuple(
        events.CheckResult(name=name, kind="metric", priority="P0", result="FAIL")
        for name in failed
    )
    judged = {"verdict": verdict, "fingerprint": fingerprint, "profile": profile}
    return events.PreflightCompleted.model_validate({**judged, "results": results})


def adopted(
    *phases: events.PlannedPhase, fingerprint: str = PLAN, **guards: events.ModeGuard
) -> Event:
    """A plan is in force from here on."""
    return events.ProfileAdopted(
        profile="plan", fingerprint=fingerprint, phases=phases, guards=guards
    )


def waived(subject: str, until: str, waiver: str = "W-1", *, break_glass: bool = False) -> Event:
    """A person let something pass for a while."""
    return events.GateWaived(waiver=waiver, subject=subject, until=until, break_glass=break_glass)
