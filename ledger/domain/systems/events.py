"""Systems: what is rolled out, and how the world is reached."""

from __future__ import annotations

from typing import Literal

from ledger.domain.log.event import Count, Event, Fingerprint, ModeName, Part, PauseKindName


class ConfigFile(Part):
    """A configuration file of a system: its name in snapshots and where it lies."""

    name: str
    path: str


class CodePlace(Part):
    """The git checkout that the system runs from, and what starts it again."""

    repository: str
    restart: tuple[str, ...] = ()
    """Run after another version was checked out. Empty: somebody does it by hand."""
    restart_timeout_ms: Count = 60_000


class Actuators(Part):
    """What carries decisions about the system into the world. Absent: nothing does."""

    control_file: str | None = None
    http_admin: str | None = None
    config_files: tuple[ConfigFile, ...] = ()
    mitigation_file: str | None = None
    """Where the mitigations in force are written for the system to read."""
    code: CodePlace | None = None
    confirm_timeout_ms: Count = 5000


class SystemRegistered(Event):
    """A system came under the ledger's eyes."""

    environment: Literal["staging", "production"]
    description: str = ""
    actuators: Actuators


class SystemChanged(Event):
    """The system's registration changed; the new one, whole."""

    environment: Literal["staging", "production"]
    description: str = ""
    actuators: Actuators


class StateRecovered(Event):
    """`rollout recover` went over the system: what it finished, what it gave up, what to resume from."""

    completed: tuple[str, ...]
    abandoned: tuple[str, ...]
    spooled: Count
    """Events that were waiting in the local spool."""
    mode: ModeName | None = None
    pause_kind: PauseKindName | None = None
    fingerprint: Fingerprint | None = None
