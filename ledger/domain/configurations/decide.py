"""Keeping, naming, vouching for and applying configurations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ledger.domain import events
from ledger.domain.configurations.state import ApplyIntent
from ledger.domain.decision import Decision, require_registered
from ledger.domain.errors import AmbiguousName, NameTaken, Refused, UnknownName
from ledger.domain.operations import ApplyOperation
from ledger.domain.state import SystemState
from ledger.domain.values import fingerprints

SHORT_LENGTH_MIN: Final = 4
SHORT_LENGTH_SHOWN: Final = 12


def short(fingerprint: str | None) -> str:
    """Return a fingerprint as people read it: its first 12 digits."""
    return fingerprint.removeprefix("sha256:")[:SHORT_LENGTH_SHOWN] if fingerprint else "none"


def resolve(state: SystemState, name: str) -> str:
    """Return the full fingerprint that ``name`` means: a tag, a fingerprint, or the start of one.

    Raises:
        UnknownName: nothing is called that.
        AmbiguousName: several fingerprints begin like that.
    """
    require_registered(state)
    if name in state.tags:
        return state.tags[name]
    digits = name.removeprefix("sha256:").lower()
    matching = [each for each in state.configs if each.removeprefix("sha256:").startswith(digits)]
    if len(digits) < SHORT_LENGTH_MIN or not matching:
        raise UnknownName(
            f"{state.system} has no configuration {name!r}.",
            hint=f"rollout config list {state.system} shows fingerprints and tags "
            f"(at least {SHORT_LENGTH_MIN} digits of one will do)",
        )
    if len(matching) > 1:
        shown = ", ".join(sorted(short(fingerprint) for fingerprint in matching)[:5])
        raise AmbiguousName(
            f"{name!r} fits {len(matching)} configurations of {state.system}: {shown}.",
            hint="Give more digits.",
        )
    return matching[0]


def made_otherwise(state: SystemState, fingerprint: str | None) -> str | None:
    """Tell that a fingerprint is none that this program's canonical form makes; None: it is.

    One that is not can't be compared with what this program makes of files; the forms can, made anew.
    """
    configuration = state.configs.get(fingerprint or "")
    if configuration is None or configuration.canonical_form == fingerprints.CANONICAL_FORM:
        return None
    return (
        f"{short(fingerprint)} was made by version {configuration.canonical_form} of the canonical form, and "
        f"this program makes version {fingerprints.CANONICAL_FORM}: only what was kept can be compared"
    )


def register(state: SystemState, registered: events.ConfigRegistered) -> Decision:
    """Register a snapshot under its fingerprint. The same bytes again are a no-op."""
    require_registered(state)
    configuration = state.configs.get(registered.fingerprint)
    if configuration is not None and registered.snapshot in configuration.snapshots:
        return Decision(
            skipped=f"already registered as {short(registered.fingerprint)}, at {configuration.registered_at}"
        )
    return Decision((registered,))


def tag(state: SystemState, fingerprint: str, name: str) -> Decision:
    """Tag a fingerprint with a human name. A tag never moves.

    Raises:
        NameTaken: the tag names another fingerprint.
    """
    holder = state.tags.get(name)
    if holder == fingerprint:
        return Decision(skipped=f"{short(fingerprint)} is tagged {name} already")
    if holder is not None:
        raise NameTaken(
            f"The tag {name!r} names {short(holder)} already, and a tag never moves.",
            hint="Choose another tag.",
        )
    return Decision((events.FingerprintTagged(fingerprint=fingerprint, tag=name),))


def mark_stable(state: SystemState, fingerprint: str) -> Decision:
    """Mark a fingerprint stable, so that --last-stable may go back to it."""
    configuration = state.configs[fingerprint]
    if configuration.is_stable:
        return Decision(skipped=f"{short(fingerprint)} is marked stable already")
    return Decision((events.FingerprintMarkedStable(fingerprint=fingerprint),))


def quarantine(state: SystemState, fingerprint: str) -> Decision:
    """Quarantine a fingerprint: --last-stable and apply keep away from it."""
    if state.configs[fingerprint].quarantined:
        return Decision(skipped=f"{short(fingerprint)} is in quarantine already")
    return Decision((events.FingerprintQuarantined(fingerprint=fingerprint),))


def request_apply(
    state: SystemState,
    fingerprint: str,
    *,
    in_place: str | None,
    override_quarantine: bool = False,
    snapshot: str | None = None,
    phase: events.PhaseMove | None = None,
) -> Decision:
    """Request that a configuration is written in place.

    ``in_place`` is the fingerprint of the files as they lie there now, if they could be read; ``snapshot``
    which of the fingerprint's to write (default: `snapshot_to_write`); ``phase`` is entered by it.

    Raises:
        Refused: it is in quarantine, or the system has no configuration files to write.
    """
    require_registered(state)
    configuration = state.configs[fingerprint]
    if configuration.quarantined and not override_quarantine:
        raise in_quarantine(state, fingerprint)
    if state.fingerprint == fingerprint and in_place == fingerprint:
        return Decision(skipped=f"already running {short(fingerprint)}, since {state.applied_at}")
    snapshot = snapshot or snapshot_to_write(state, fingerprint)
    return Decision(
        (
            events.ConfigApplyRequested(
                fingerprint=fingerprint,
                snapshot=snapshot,
                previous=state.fingerprint,
                files=targets(state, snapshot, fingerprint),
                phase=phase,
            ),
        )
    )


def in_quarantine(state: SystemState, fingerprint: str) -> Refused:
    """Return the error that tells a person why a configuration is not written, and the way round."""
    return Refused(
        f"{short(fingerprint)} is in quarantine: it was left because it did harm.",
        hint="Fix the configuration and put it anew; or vouch for it again: "
        f"rollout config stable {state.system} {short(fingerprint)} --reason …",
    )


def snapshot_to_write(state: SystemState, fingerprint: str) -> str:
    """Return which of a fingerprint's snapshots to write: the one last in force, if its files have a place.

    One fingerprint may have several (other comments, other files: an imported change log knows no file
    names); what can't be written here gives way to what can, the newest first.
    """
    configuration = state.configs[fingerprint]
    last = configuration.last_snapshot or ""
    candidates = [
        last,
        *(other for other in reversed(list(configuration.snapshots)) if other != last),
    ]
    places = _places(state)
    for snapshot in candidates:
        if all(file.name in places for file in configuration.snapshots.get(snapshot, ())):
            return snapshot
    return last


def _places(state: SystemState) -> dict[str, str]:
    return {file.name: file.path for file in state.actuators.config_files}


def targets(state: SystemState, snapshot: str, fingerprint: str) -> tuple[events.ConfigFile, ...]:
    """Return where the files of a snapshot belong.

    Raises:
        Refused: the system names no place for one of them.
    """
    places = _places(state)
    names = [file.name for file in state.configs[fingerprint].snapshots[snapshot]]
    missing = [name for name in names if name not in places]
    if missing:
        raise Refused(
            f"{state.system} has no place for {', '.join(missing)}.",
            hint=f"rollout system add {state.system} --config-file {missing[0]}=PATH … says where it lies",
        )
    return tuple(events.ConfigFile(name=name, path=places[name]) for name in names)


def require_files(state: SystemState) -> None:
    """Raise unless the system has configuration files that can be written.

    Raises:
        Refused: it was registered without any.
    """
    if not state.actuators.config_files:
        raise Refused(
            f"{state.system} has no configuration files that could be written.",
            hint=f"rollout system add {state.system} --config-file [NAME=]PATH … registers them",
        )


@dataclass(frozen=True, slots=True)
class LeftApply:
    """What becomes of an apply that a crash left."""

    is_completed: bool
    """Whether it is; else it is given up."""
    why: str = ""


def finish_apply(
    state: SystemState,
    begun: ApplyOperation,
    in_place: Mapping[str, bool],
    *,
    still_wanted: bool,
    problem: str | None = None,
) -> LeftApply:
    """Decide on an apply that a crash left: complete what was partly done, give up what was not begun.

    ``in_place`` tells of each file whether its new bytes stand there; ``problem``, why those can't be had.
    Where somebody has decided against its phase since, it is recorded only if all of it is in place already.
    """
    if begun.overtaken:
        return LeftApply(is_completed=False, why="begun, and somebody has decided otherwise since")
    if problem is not None:
        return LeftApply(is_completed=False, why=f"begun, and can't be completed: {problem}")
    changed = changed_files(state, begun.intent)
    done = [is_new for name, is_new in in_place.items() if name in changed]
    if in_place and not still_wanted:
        why = "begun, and its phase was decided against since"
        return LeftApply(is_completed=all(done), why=why)
    return LeftApply(is_completed=any(done), why="begun, and nothing was written")


def changed_files(state: SystemState, intent: ApplyIntent) -> set[str]:
    """Return the files that an apply writes anew: one that stays as it is can't tell whether it was begun."""
    new = state.configs[intent.fingerprint].snapshots[intent.snapshot]
    before = state.configs.get(state.fingerprint or "")
    old = before.snapshots.get(state.snapshot or "", ()) if before is not None else ()
    stays = {file.name: file for file in old}
    names = {file.name for file in new}
    return {file.name for file in new if file != stays.get(file.name)} or names
