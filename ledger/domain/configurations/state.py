"""What the state of a system holds of its configurations. Pure data."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.domain.state_part import StatePart, written
from ledger.domain.systems.state import ConfigFile


class Change(StatePart, frozen=True, kw_only=True):
    """One configuration key. ``old``/``new`` are canonical JSON text; None where there is none."""

    key: str
    new: str | None = None
    old: str | None = None


class PhaseMove(StatePart, frozen=True, kw_only=True):
    """The phase that is entered once its configuration is in place."""

    break_glass: str | None = None
    gate_position: int | None = None
    left_forward: str | None = None
    """The phase that is left forward for it."""
    limits: Mapping[str, str] = written({})
    phase: str
    scope: Mapping[str, tuple[str, ...]] = written({})


class ApplyIntent(StatePart, frozen=True, kw_only=True):
    """The intent of an apply: the data of ConfigApplyRequested."""

    files: tuple[ConfigFile, ...]
    fingerprint: str
    phase: PhaseMove | None = None
    previous: str | None = None
    snapshot: str


class SnapshotFile(StatePart, frozen=True, kw_only=True):
    """One file of a snapshot; its bytes (secrets replaced) lie in the blob of that hash."""

    content_digest: str | None = None
    """Keyed digest of the real bytes, where secrets were replaced: proves a restore byte for byte."""
    name: str
    secrets: tuple[str, ...] = written(())
    """Key paths whose values were replaced."""
    sha256: str
    size: int = written(0)


class Configuration(StatePart, frozen=True, kw_only=True):
    """What is known of a fingerprint. One that was never registered, only applied, has no snapshot."""

    snapshots: Mapping[str, tuple[SnapshotFile, ...]] = written({})
    """By id, the oldest first."""
    registered_at: str | None = written(None)
    registered_position: int | None = written(None)
    last_snapshot: str | None = written(None)
    """The one last in force, or first registered."""
    stable: int | None = written(None)
    """The position at which somebody vouched for it last."""
    stable_at: str | None = written(None)
    quarantined: int | None = written(None)
    """The position at which it was quarantined. None: it is not."""
    applied: bool = written(default=False)
    """Whether it was ever in force."""
    canonical_form: int = 1
    """The version of the canonical form that made the fingerprint, when it was registered last."""

    @property
    def is_stable(self) -> bool:
        """Whether somebody vouched for it, and it is not in quarantine."""
        return bool(self.stable) and not self.quarantined

    @property
    def files(self) -> tuple[SnapshotFile, ...]:
        """The files of the last snapshot."""
        return self.snapshots.get(self.last_snapshot or "", ())
