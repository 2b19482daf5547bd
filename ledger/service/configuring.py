"""Keeping configurations, and putting them in force."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from ledger import fail_points
from ledger.domain import events
from ledger.domain.configuration import diff
from ledger.domain.decisions import Decision, configurations
from ledger.domain.decisions.configurations import short
from ledger.domain.errors import IntegrityFailure, LedgerError, Refused, UnknownName, UsageError
from ledger.domain.events.base import Event
from ledger.domain.ids import LEDGER_STREAM, uuid7
from ledger.domain.state import SystemState
from ledger.service.context import Ledger
from ledger.service.recorder import Origin, within
from ledger.service.world import World, world_of

if TYPE_CHECKING:
    from ledger.configuration.snapshot import Snapshot

Cause = Literal["apply", "rollback", "import", "found", "declared"]


@dataclass(frozen=True, slots=True)
class PutResult:
    """What came of putting a configuration."""

    system: str
    fingerprint: str
    outcome: str
    """registered | skipped"""
    explanation: str
    changes: tuple[events.Change, ...]
    """Against the configuration in force."""
    secrets: tuple[str, ...]
    """Key paths whose values were replaced by digests."""


# --- reading ------------------------------------------------------------------------------------


def named_paths(
    state: SystemState, paths: Sequence[Path], names: Sequence[str] = ()
) -> list[tuple[str, Path]]:
    """Return the name under which each file is kept: as given, as registered for its path, or its own.

    Raises:
        UsageError: not as many names as files.
    """
    if names:
        if len(names) != len(paths):
            raise UsageError(
                f"{len(names)} names for {len(paths)} files.", hint="Give --as once for each file."
            )
        return list(zip(names, paths, strict=True))
    registered = {file["path"]: file["name"] for file in _config_files(state)}
    return [(registered.get(str(path.absolute()), path.name), path) for path in paths]


def _config_files(state: SystemState) -> Sequence[Mapping[str, str]]:
    registration = state.registration or {}
    files: Sequence[Mapping[str, str]] = registration.get("actuators", {}).get("config_files", ())
    return files


def in_place(ledger: Ledger, world: World) -> Snapshot | None:
    """Return the configuration as its files lie there now; None when they can't be read as one."""
    if world.configs is None:
        return None
    from ledger.configuration.snapshot import snapshot_under

    try:
        files = world.configs.read()
        return snapshot_under(files.items(), ledger.keys) if files else None
    except LedgerError as problem:
        ledger.warn(f"the configuration in place can't be read: {problem.message}")
        return None


def changes_between(ledger: Ledger, old: str | None, new: str | None) -> tuple[events.Change, ...]:
    """Return the key-level diff between two fingerprints' canonical forms."""
    return tuple(
        events.Change(key=change.key, old=change.old, new=change.new)
        for change in diff(_value(ledger, old), _value(ledger, new))
    )


def _value(ledger: Ledger, fingerprint: str | None) -> Any:
    import orjson

    if fingerprint is None:
        return {}
    return orjson.loads(ledger.blob(fingerprint.removeprefix("sha256:")))


# --- putting ------------------------------------------------------------------------------------


def put(
    ledger: Ledger,
    system: str,
    paths: Sequence[Path],
    origin: Origin,
    *,
    names: Sequence[str] = (),
    tag: str | None = None,
    stable: bool = False,
    declare: bool = False,
) -> PutResult:
    """Keep the configuration that ``paths`` make, and name, vouch for or declare it, as asked.

    ``declare`` says that it is in force already, put there by other means.

    Raises:
        BadInput: a file can't be read, or is not what a configuration may be.
        NameTaken: the tag names another fingerprint; nothing was recorded.
    """
    from ledger.configuration.snapshot import snapshot_under
    from ledger.configuration.source import read_bytes

    state = ledger.load(system)
    contents = [(name, read_bytes(path)) for name, path in named_paths(state, paths, names)]
    snapshot = snapshot_under(contents, ledger.keys)
    keep(ledger, snapshot, origin)
    registered = registration_of(snapshot, source=", ".join(str(path) for path in paths))
    changes = changes_between(ledger, state.fingerprint, snapshot.fingerprint)

    def decide(state: SystemState) -> Decision:
        first = configurations.register(state, registered)
        decided: list[Event] = list(first.events)
        known = state.configs.get(snapshot.fingerprint)
        if tag is not None:
            decided += configurations.tag(state, snapshot.fingerprint, tag).events
        if stable and not (known and known["stable"]):
            decided.append(events.FingerprintMarkedStable(fingerprint=snapshot.fingerprint))
        if declare and state.fingerprint != snapshot.fingerprint:
            decided.append(
                applied(state, snapshot.fingerprint, snapshot.snapshot_id, "declared", changes)
            )
        return Decision(tuple(decided), skipped=None if decided else first.skipped)

    after, decision = ledger.recorder.decide(system, decide, origin)
    ledger.memory.remember(after)
    return PutResult(
        system=system,
        fingerprint=snapshot.fingerprint,
        outcome="skipped" if decision.skipped else "registered",
        explanation=decision.skipped or "",
        changes=changes,
        secrets=tuple(path for file in snapshot.files for path in file.secrets),
    )


def keep(ledger: Ledger, snapshot: Snapshot, origin: Origin) -> None:
    """Keep a snapshot's bytes, before any event names them; and agree on the key of its secrets."""
    for file in snapshot.files:
        ledger.keep_blob(file.redacted)
    ledger.keep_blob(snapshot.canonical)
    if any(file.secrets for file in snapshot.files):
        adopt_key(ledger, origin)


def adopt_key(ledger: Ledger, origin: Origin) -> None:
    """Record under which key this ledger digests secrets, or insist that this machine has that one.

    Raises:
        Refused: this machine has another key, so the same secret would look like another.
    """
    from ledger.configuration.keys import load_key

    mine = load_key(ledger.home).key_id
    adopted = [
        event.data["key_id"]
        for event in ledger.recorder.store.read_stream(LEDGER_STREAM)
        if event.type == "SecretKeyAdopted"
    ]
    if not adopted:
        event = events.SecretKeyAdopted(key_id=mine)
        ledger.recorder.append(
            [ledger.recorder.prepare(event, origin, stream=LEDGER_STREAM, system=None)]
        )
    elif adopted[-1] != mine:
        raise Refused(
            f"This ledger digests secrets under the key {adopted[-1]}, and this machine has {mine}.",
            hint=f"Copy secret.key from the machine that has it into {ledger.home}, "
            "or set ROLLOUT_SECRET_KEY.",
        )


def registration_of(snapshot: Snapshot, *, source: str) -> events.ConfigRegistered:
    """Return the event that registers ``snapshot``."""
    return events.ConfigRegistered(
        fingerprint=snapshot.fingerprint,
        snapshot=snapshot.snapshot_id,
        files=tuple(
            events.SnapshotFile(
                name=file.name,
                sha256=file.sha256,
                size=file.size,
                content_digest=file.content_digest,
                secrets=tuple(file.secrets),
            )
            for file in snapshot.files
        ),
        source=source,
    )


def applied(
    state: SystemState,
    fingerprint: str,
    snapshot: str,
    cause: Cause,
    changes: Sequence[events.Change],
) -> events.ConfigApplied:
    """Return the event that puts a configuration in force."""
    return events.ConfigApplied(
        fingerprint=fingerprint,
        snapshot=snapshot,
        previous=state.fingerprint,
        cause=cause,
        changes=tuple(changes),
    )


# --- applying -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """What came of applying a configuration, or of rolling one back."""

    system: str
    fingerprint: str
    outcome: str
    """applied | rolled_back | skipped"""
    explanation: str = ""
    previous: str | None = None
    files: tuple[str, ...] = ()
    """Paths that were written; a file that was right already is left alone."""
    operation: str | None = None
    spooled: bool = False


def apply(
    ledger: Ledger,
    system: str,
    fingerprint: str,
    origin: Origin,
    *,
    override_quarantine: bool = False,
) -> ApplyResult:
    """Write a configuration in place, verify it, and record that it is in force.

    Raises:
        Refused: it is in quarantine, or the system names no place for its files.
        SecretMissing: a secret can't be put back; nothing was touched.
    """
    from ledger.service.recovery import finish_dead_operations

    with ledger.operating(system, "config apply"):
        finish_dead_operations(ledger, system, origin)
        state = ledger.load(system)
        world = insist_on_files(world_of(state.registration or {}, ledger.recorder.clock), system)
        standing = in_place(ledger, world)
        operation = uuid7()
        origin = within(origin, operation)
        contents = restored(
            ledger, state, fingerprint, state.configs[fingerprint]["last_snapshot"], world
        )
        save_unknown(ledger, state, standing, world, origin)
        state, decision = ledger.recorder.decide(
            system,
            lambda state: configurations.request_apply(
                state,
                fingerprint,
                in_place=standing.fingerprint if standing else None,
                override_quarantine=override_quarantine,
            ),
            origin,
        )
        if decision.skipped is not None:
            return ApplyResult(system, fingerprint, "skipped", decision.skipped)
        fail_points.reach("apply.after_intent")
        return complete_apply(ledger, world, state, operation, contents, origin)


def complete_apply(
    ledger: Ledger,
    world: World,
    state: SystemState,
    operation: UUID,
    contents: Mapping[str, bytes],
    origin: Origin,
) -> ApplyResult:
    """Write the files of an apply that was begun, and append its outcome. Safe to repeat."""
    intent = state.operations[str(operation)]["intent"]
    written: list[str] = []
    try:
        written = write_files(world, contents, "apply.after_file")
        insist_in_place(ledger, world, intent["fingerprint"])
    except LedgerError as problem:
        failed = events.ConfigApplyFailed(
            fingerprint=intent["fingerprint"], written=tuple(written), explanation=problem.message
        )
        ledger.recorder.decide(state.system, lambda _: Decision((failed,)), origin)
        raise
    fail_points.reach("apply.before_outcome")
    changes = changes_between(ledger, state.fingerprint, intent["fingerprint"])
    after, _ = ledger.recorder.decide(
        state.system,
        lambda state: Decision(
            (applied(state, intent["fingerprint"], intent["snapshot"], "apply", changes),)
        ),
        origin,
    )
    fail_points.reach("apply.after_outcome")
    ledger.memory.remember(after)
    paths = {file["name"]: file["path"] for file in intent["files"]}
    return ApplyResult(
        state.system,
        intent["fingerprint"],
        "applied",
        previous=state.fingerprint,
        files=tuple(paths[name] for name in written),
        operation=str(operation),
    )


def write_files(world: World, contents: Mapping[str, bytes], fail_point: str) -> list[str]:
    """Write files one by one; return the names of those that were not right already."""
    if world.configs is None:
        return []
    written: list[str] = []
    for name, content in contents.items():
        if world.configs.write({name: content}).replaced:
            written.append(name)
        fail_points.reach(fail_point)
    return written


def insist_in_place(ledger: Ledger, world: World, fingerprint: str) -> None:
    """Raise unless the files in place, read back, are the configuration of that fingerprint.

    Raises:
        IntegrityFailure: they are something else.
    """
    found = in_place(ledger, world)
    if found is None or found.fingerprint != fingerprint:
        raise IntegrityFailure(
            f"The files in place are {short(found.fingerprint) if found else 'unreadable'}, "
            f"not {short(fingerprint)}.",
            hint="Another program wrote to them meanwhile; stop it, then run: rollout recover",
        )


def insist_on_files(world: World, system: str) -> World:
    """Return ``world`` if it has configuration files.

    Raises:
        Refused: the system was registered without any.
    """
    if world.configs is None:
        raise Refused(
            f"{system} has no configuration files that could be written.",
            hint=f"rollout system add {system} --config-file [NAME=]PATH … registers them",
        )
    return world


def restored(
    ledger: Ledger, state: SystemState, fingerprint: str, snapshot: str, world: World
) -> dict[str, bytes]:
    """Return the real bytes of a snapshot's files: the kept ones, with their secrets put back.

    Raises:
        SecretMissing: a secret is neither in the file in place nor in the environment.
        UnknownName: the ledger does not have the bytes.
    """
    from ledger.configuration.restore import restore

    records = state.configs[fingerprint]["snapshots"].get(snapshot)
    if records is None:
        raise UnknownName(f"{short(fingerprint)} has no snapshot {snapshot[:12]}.")
    standing = world.configs.read() if world.configs is not None else {}
    return {
        record["name"]: restore(
            record["name"],
            ledger.blob(record["sha256"]),
            content_digest=record.get("content_digest"),
            in_place=standing.items(),
            home=ledger.home,
        )
        for record in records
    }


def save_unknown(
    ledger: Ledger, state: SystemState, standing: Snapshot | None, world: World, origin: Origin
) -> None:
    """Keep what is about to be overwritten, if the ledger has never seen it: nothing is lost."""
    if standing is None:
        if world.configs is not None and world.configs.read():
            ledger.warn(
                "what stands there now is no configuration that can be kept; it is overwritten"
            )
        return
    known = state.configs.get(standing.fingerprint)
    if known is not None and standing.snapshot_id in known["snapshots"]:
        return
    keep(ledger, standing, origin)
    found = registration_of(standing, source="found in place")
    ledger.recorder.decide(
        state.system, lambda state: configurations.register(state, found), origin
    )


def verify_kept(ledger: Ledger, state: SystemState, fingerprint: str) -> str | None:
    """Tell what is wrong with a configuration's kept bytes, or None. Asks the ledger, not this machine."""
    from ledger.configuration.snapshot import fingerprint_of_redacted

    store = ledger.recorder.store
    snapshots = state.configs[fingerprint]["snapshots"].values()
    wanted = [
        fingerprint.removeprefix("sha256:"),
        *(f["sha256"] for files in snapshots for f in files),
    ]
    for sha256 in wanted:
        content = store.get_blob(sha256)
        if content is None:
            return f"the bytes {sha256[:12]} are missing"
        if hashlib.sha256(content).hexdigest() != sha256:
            return f"the bytes {sha256[:12]} are not what was recorded"
    for files in snapshots:
        contents = [(file["name"], ledger.blob(file["sha256"])) for file in files]
        if fingerprint_of_redacted(contents) != fingerprint:
            return "the files no longer resolve to this fingerprint"
    return None
