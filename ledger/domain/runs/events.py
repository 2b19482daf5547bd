"""Supervised runs, and the watch over them."""

from __future__ import annotations

from ledger.domain.log.event import CommitId, Count, Event, Fingerprint, ModeName, PauseKindName


class RunStarted(Event):
    """A program of the system was started under supervision."""

    run: str
    """The run tag."""
    command: tuple[str, ...]
    pid: Count
    host: str
    fingerprint: Fingerprint | None = None
    profile: Fingerprint | None = None
    mode: ModeName | None = None
    pause_kind: PauseKindName | None = None
    preflight_position: Count | None = None
    code: CommitId | None = None
    """Where the system's code stood, if it has a checkout."""


class RunStopped(Event):
    """It ended by itself, or because somebody told it to."""

    run: str
    exit_code: int | None = None
    signal: str | None = None
    seconds: Count
    asked: bool = False
    """Whether somebody asked it to stop."""


class CrashDetected(Event):
    """It died without being asked to, or its supervisor did."""

    run: str
    exit_code: int | None = None
    signal: str | None = None
    seconds: Count | None = None
    explanation: str


class WatchStarted(Event):
    """Somebody watches over the system from here on."""

    host: str
    pid: Count
    rules: Count
    sources: Count
    silent_seconds: Count | None = None
    """How long nobody had watched before, where that was longer than the plan allows."""


class WatchStopped(Event):
    """The watch ended, in order."""

    explanation: str
