"""What the state of a system holds of its registration. Pure data."""

from __future__ import annotations

from ledger.domain.state_part import StatePart, written


class ConfigFile(StatePart, frozen=True, kw_only=True):
    """A configuration file of a system: its name in snapshots and where it lies."""

    name: str
    path: str


class CodePlace(StatePart, frozen=True, kw_only=True):
    """The git checkout that the system runs from, and what starts it again."""

    repository: str
    restart: tuple[str, ...] = written(())
    """Run after another version was checked out. Empty: somebody does it by hand."""
    restart_timeout_ms: int = written(60_000)


class Actuators(StatePart, frozen=True, kw_only=True):
    """What carries decisions about the system into the world. None: nothing does."""

    code: CodePlace | None = None
    config_files: tuple[ConfigFile, ...] = written(())
    confirm_timeout_ms: int = written(5000)
    control_file: str | None = None
    http_admin: str | None = None
    mitigation_file: str | None = None
    """Where the mitigations in force are written for the system to read."""


class Registration(StatePart, frozen=True, kw_only=True):
    """What the system was last registered as."""

    actuators: Actuators
    description: str = written("")
    environment: str | None = None
    """staging | production. None: the actuators were given by hand while the ledger was away."""
