"""What stands in place beside what is recorded, and what differs between two configurations."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import orjson

from ledger.configuration.snapshot import Snapshot, canonical_of_redacted, snapshot_under
from ledger.domain import events
from ledger.domain.configurations import decide as configurations
from ledger.domain.errors import LedgerError
from ledger.domain.state import SystemState
from ledger.domain.values.fingerprints import diff_flat, flatten
from ledger.service.core.actuators import World
from ledger.service.core.session import Ledger


def standing_in(
    ledger: Ledger, world: World, names: Collection[str] | None = None
) -> Snapshot | None:
    """Return the configuration as its files (those of ``names``) lie there now; None where there are none.

    Raises:
        LedgerError: they can't be read as a configuration.
        Refused: they hold secrets, and this machine lacks the ledger's key to tell which.
    """
    if world.configs is None:
        return None
    contents = world.configs.read()
    files = {name: contents[name] for name in contents if names is None or name in names}
    return snapshot_under(files.items(), ledger.keys) if files else None


def in_place(ledger: Ledger, state: SystemState, world: World) -> str | None:
    """Return the fingerprint of what stands where the configuration in force belongs; None: can't be told.

    A file that is registered by now, and was no part of that configuration, does not count.
    """
    try:
        standing = standing_in(ledger, world, names_in_force(state))
    except LedgerError as problem:
        ledger.warn(f"the configuration in place can't be read: {problem.message}")
        return None
    return as_recorded(ledger, state, standing, state.fingerprint) if standing is not None else None


def as_recorded(
    ledger: Ledger, state: SystemState, standing: Snapshot, expected: str | None
) -> str:
    """Return the fingerprint of what stands in place: ``expected``, if it is that configuration.

    Where another version of the canonical form made that one, today's forms are compared, and it is said.
    """
    if expected is None or not warn_if_made_otherwise(ledger, state, expected):
        return standing.fingerprint
    same = canonical_form(ledger, state, expected) == standing.canonical
    return expected if same else standing.fingerprint


def warn_if_made_otherwise(ledger: Ledger, state: SystemState, fingerprint: str | None) -> bool:
    """Say so where another version of the canonical form made a fingerprint. Return whether."""
    note = configurations.made_otherwise(state, fingerprint)
    if note is not None:
        ledger.warn(note)
    return note is not None


def canonical_form(ledger: Ledger, state: SystemState, fingerprint: str) -> bytes:
    """Return a configuration's canonical form as this program makes it: as kept, or from its kept files."""
    configuration = state.configs.get(fingerprint)
    if (
        configuration is None
        or not configuration.files
        or not configurations.made_otherwise(state, fingerprint)
    ):
        return ledger.blob(fingerprint)
    return canonical_of_redacted(
        (file.name, ledger.blob(file.sha256)) for file in configuration.files
    )


def names_in_force(state: SystemState) -> set[str] | None:
    """Return the names of the files of the configuration in force; None: there is none."""
    if state.fingerprint is None:
        return None
    return names_of(state, state.fingerprint, str(state.snapshot))


def names_of(state: SystemState, fingerprint: str, snapshot: str) -> set[str]:
    """Return the names of the files of a snapshot."""
    return {file.name for file in state.configs[fingerprint].snapshots[snapshot]}


def changes_between(
    ledger: Ledger, state: SystemState, old: str | None, new: str | None
) -> tuple[events.Change, ...]:
    """Return the key-level diff between two fingerprints' canonical forms; None has no keys.

    Where another version of the canonical form made one of them, today's are compared, and it is said.
    """
    for fingerprint in (old, new):
        warn_if_made_otherwise(ledger, state, fingerprint)
    return changes_of(_flat(ledger, state, old), _flat(ledger, state, new))


def changes_to_what_stands(
    ledger: Ledger, state: SystemState, world: World, new: str
) -> tuple[events.Change, ...]:
    """Return the key-level diff from the files as they lie there now, hand-made edits and all."""
    try:
        standing = standing_in(ledger, world, names_in_force(state))
    except LedgerError:  # told by `in_place` already
        standing = None
    if standing is None:
        return changes_between(ledger, state, state.fingerprint, new)
    warn_if_made_otherwise(ledger, state, new)
    return changes_of(flatten(orjson.loads(standing.canonical)), _flat(ledger, state, new))


def changes_of(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[events.Change, ...]:
    """Return the key-level diff between two flat configurations, as events have it."""
    return tuple(
        events.Change(key=change.key, old=change.old, new=change.new)
        for change in diff_flat(old, new)
    )


def _flat(ledger: Ledger, state: SystemState, fingerprint: str | None) -> dict[str, str]:
    if fingerprint is None:
        return {}
    return flatten(orjson.loads(canonical_form(ledger, state, fingerprint)))
