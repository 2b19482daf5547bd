"""Rollbacks: intent, steps, outcome."""

from __future__ import annotations

from typing import Literal

from ledger.domain.log.event import CommitId, Count, Event, Fingerprint, Part, Sha256
from ledger.domain.systems.events import CodePlace, ConfigFile


class CodeMove(Part):
    """That the code goes back too: before the files, with a restart after them."""

    place: CodePlace
    from_commit: CommitId
    to_commit: CommitId
    ref: str
    """How the commit was named."""


class RollbackRequested(Event):
    """The intent to go back, with its plan."""

    from_fingerprint: Fingerprint | None = None
    """What stood in place. Absent: it could be read as no configuration."""
    to_fingerprint: Fingerprint
    snapshot: Sha256
    selector: str
    """How the target was named: --last-stable, a fingerprint, a tag, #N."""
    files: tuple[ConfigFile, ...]
    code: CodeMove | None = None


class RollbackStepCompleted(Event):
    """One file is back, byte for byte; or the code is, or the system was started again."""

    step: Count
    name: str
    path: str
    outcome: Literal["written", "already", "checked_out", "restarted"]


class RollbackCompleted(Event):
    """Every file is back and the fingerprint in place is the target's."""

    from_fingerprint: Fingerprint | None = None
    to_fingerprint: Fingerprint


class RollbackFailed(Event):
    """A step could not be done; the rollback stands open and can be resumed or abandoned."""

    step: Count
    explanation: str


class RollbackAbandoned(Event):
    """The rollback was given up."""

    explanation: str
