"""Configurations: registered, put in force, vouched for."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ledger.domain.log.event import CommitId, Count, Event, Fingerprint, Part, Sha256
from ledger.domain.systems.events import ConfigFile


class SnapshotFile(Part):
    """One file of a snapshot; its bytes (secrets replaced) lie in the blob of that hash."""

    name: str
    sha256: Sha256
    size: Count
    content_digest: str | None = None
    """Keyed digest of the real bytes, where secrets were replaced: proves a restore byte for byte."""
    secrets: tuple[str, ...] = ()
    """Key paths whose values were replaced."""


class Change(Part):
    """One configuration key. ``old``/``new`` are canonical JSON text; absent where there is none."""

    key: str
    old: str | None = None
    new: str | None = None


class ConfigRegistered(Event):
    """A configuration was put under its fingerprint; its canonical form is the blob of that hash."""

    version: ClassVar[int] = 2

    fingerprint: Fingerprint
    snapshot: Sha256
    files: tuple[SnapshotFile, ...]
    source: str = ""
    canonical_form: Annotated[int, Field(ge=1)]
    """The version of the canonical form that the fingerprint was made by."""


class PhaseMove(Part):
    """The phase that is entered once its configuration is in place. ``limits``: key -> JSON text."""

    phase: str
    left_forward: str | None = None
    """The phase that is left forward for it."""
    gate_position: Count | None = None
    limits: dict[str, str] = {}
    scope: dict[str, tuple[str, ...]] = {}
    break_glass: str | None = None


class ConfigApplyRequested(Event):
    """The intent to write a configuration in place, and to enter the phase that it is for, if it is."""

    fingerprint: Fingerprint
    snapshot: Sha256
    previous: Fingerprint | None = None
    files: tuple[ConfigFile, ...]
    phase: PhaseMove | None = None


class ConfigApplied(Event):
    """From here on this is the configuration in force; ``changes`` is the diff to the one before."""

    fingerprint: Fingerprint
    snapshot: Sha256
    previous: Fingerprint | None = None
    cause: Literal["apply", "rollback", "import", "found", "declared"]
    """found: an importer saw it in place, with no record of who changed it; declared: by hand, said so."""
    changes: tuple[Change, ...]
    code: CommitId | None = None
    """Where the system's code stood then, if it has a checkout."""


class ConfigApplyFailed(Event):
    """The files could not all be written; ``written`` says which were."""

    fingerprint: Fingerprint
    written: tuple[str, ...] = ()
    explanation: str


class FingerprintTagged(Event):
    """A human name for a fingerprint; a tag never moves."""

    fingerprint: Fingerprint
    tag: str


class FingerprintMarkedStable(Event):
    """Somebody vouches for this configuration: `--last-stable` may go back to it."""

    fingerprint: Fingerprint


class FingerprintQuarantined(Event):
    """This configuration did harm: `--last-stable` never goes to it."""

    fingerprint: Fingerprint
