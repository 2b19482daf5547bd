"""Putting configurations in force: files written one by one, read back, and recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from ledger import fail_points
from ledger.domain import events
from ledger.domain.decisions import Decision, configurations
from ledger.domain.decisions.configurations import short
from ledger.domain.errors import IntegrityFailure, LedgerError, Refused, UnknownName
from ledger.domain.ids import uuid7
from ledger.domain.state import SystemState
from ledger.service.configuring import applied, changes_between, in_place, keep, registration_of
from ledger.service.context import Ledger
from ledger.service.recorder import Origin, within
from ledger.service.world import World, world_of

if TYPE_CHECKING:
    from ledger.configuration.snapshot import Snapshot


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
            ledger, state, fingerprint, configurations.snapshot_to_write(state, fingerprint), world
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
