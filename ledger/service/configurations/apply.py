"""Putting configurations in force: files written one by one, read back, and recorded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from ledger import fail_points
from ledger.domain import events
from ledger.domain.configurations import decide as configurations
from ledger.domain.configurations.decide import short
from ledger.domain.configurations.state import ApplyIntent
from ledger.domain.decision import Decision, insist_on_no_rule
from ledger.domain.errors import (
    IntegrityFailure,
    LedgerError,
    LedgerUnreachable,
    Refused,
    UnknownName,
)
from ledger.domain.log.event import Event
from ledger.domain.log.ids import uuid7
from ledger.domain.operations import ApplyOperation
from ledger.domain.plans import decide as phases
from ledger.domain.state import SystemState, operation_of
from ledger.service.configurations.registration import (
    applied,
    changes_between,
    in_place,
    standing_in,
)
from ledger.service.configurations.snapshots import save_unknown
from ledger.service.core.actuators import World, world_of
from ledger.service.core.recorder import Origin, within
from ledger.service.core.session import Ledger


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
    code: str | None = None
    """The commit that the code was taken back to."""
    restarted: bool = False


def plan(
    ledger: Ledger, system: str, name: str, *, override_quarantine: bool
) -> tuple[Decision, str, tuple[events.Change, ...]]:
    """Return what applying ``name`` would do, its fingerprint, and the diff; touches nothing.

    Raises as `apply` does.
    """
    state = ledger.load(system)
    fingerprint = configurations.resolve(state, name)
    world = insist_on_files(world_of(state.actuators, ledger.recorder.clock), system)
    decision = configurations.request_apply(
        state,
        fingerprint,
        in_place=in_place(ledger, state, world),
        override_quarantine=override_quarantine,
    )
    if decision.skipped is None:  # refuse now what would fail
        snapshot = ApplyIntent.of(decision.events[0].payload()).snapshot
        restored(ledger, state, fingerprint, snapshot, world)
    return decision, fingerprint, changes_between(ledger, state.fingerprint, fingerprint)


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
        Refused: it is in quarantine, or the system names no place for its files, or a rule asks.
        SecretMissing: a secret can't be put back; nothing was touched.
    """
    insist_on_no_rule(origin.actor, f"applying a configuration to {system}")
    with ledger.operating(system, "config apply"):
        ledger.finish_dead_operations(system, origin)
        state = ledger.load(system)
        world = insist_on_files(world_of(state.actuators, ledger.recorder.clock), system)
        standing = in_place(ledger, state, world)

        def decide(state: SystemState) -> Decision:
            return configurations.request_apply(
                state, fingerprint, in_place=standing, override_quarantine=override_quarantine
            )

        previewed = decide(state)
        if previewed.skipped is not None:
            return ApplyResult(system, fingerprint, "skipped", previewed.skipped)
        operation = uuid7()
        origin = within(origin, operation)
        # Everything that can fail without harm comes before the intent: the bytes and their secrets.
        snapshot = ApplyIntent.of(previewed.events[0].payload()).snapshot
        contents = restored(ledger, state, fingerprint, snapshot, world)
        save_unknown(ledger, state, world, origin)
        state, decision = ledger.recorder.decide(system, decide, origin)
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
    intent = operation_of(state, operation, ApplyOperation).intent
    written: list[str] = []
    try:
        write_files(world, contents, written, "apply.after_file")
        insist_in_place(ledger, world, intent.fingerprint, contents)
    except LedgerError as problem:
        failed = events.ConfigApplyFailed(
            fingerprint=intent.fingerprint, written=tuple(written), explanation=problem.message
        )
        try:
            ledger.recorder.end(state.system, operation, lambda _: [failed], origin)
        except LedgerUnreachable:
            ledger.warn("and the failure could not be recorded: the ledger is away")
        raise problem from None
    fail_points.reach("apply.before_outcome")
    code = ledger.code_commit(state)
    after, _ = ledger.recorder.end(
        state.system,
        operation,
        lambda state: [
            applied(ledger, state, intent.fingerprint, intent.snapshot, "apply", code),
            *_phase_entered(state, operation),
        ],
        origin,
    )
    fail_points.reach("apply.after_outcome")
    ledger.memory.remember(after)
    return ApplyResult(
        state.system,
        intent.fingerprint,
        "applied",
        previous=state.fingerprint,
        files=tuple(str(world.config_files[name]) for name in written),
        operation=str(operation),
    )


def still_wanted(state: SystemState, operation: UUID) -> bool:
    """Tell whether what an apply is for is still to be: the phase, if it is for one."""
    intent = operation_of(state, operation, ApplyOperation).intent
    return intent.phase is None or bool(_phase_entered(state, operation))


def _phase_entered(state: SystemState, operation: UUID) -> tuple[Event, ...]:
    """Return the entry into the phase that an apply is for, if it is for one."""
    begun = operation_of(state, operation, ApplyOperation)
    if begun.intent.phase is None:
        return ()
    return phases.moved(state, begun.intent.phase, begun.position)


def write_files(
    world: World, contents: Mapping[str, bytes], written: list[str], fail_point: str
) -> None:
    """Write files one by one; add the names of those that were not right already to ``written``."""
    if world.configs is None:
        return
    for name, content in contents.items():
        if world.configs.write({name: content}).replaced:
            written.append(name)
        fail_points.reach(fail_point)


def insist_in_place(ledger: Ledger, world: World, fingerprint: str, names: Collection[str]) -> None:
    """Raise unless the files of ``names``, read back, are the configuration of that fingerprint.

    Raises:
        IntegrityFailure: they are something else.
    """
    found = standing_in(ledger, world, names)
    if found is None or found.fingerprint != fingerprint:
        raise IntegrityFailure(
            f"The files in place are {short(found.fingerprint) if found else 'missing'}, "
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

    kept = state.configs[fingerprint].snapshots.get(snapshot)
    if kept is None:
        raise UnknownName(f"{short(fingerprint)} has no snapshot {snapshot[:12]}.")
    standing = world.configs.read() if world.configs is not None else {}
    return {
        file.name: restore(
            file.name,
            ledger.blob(file.sha256),
            content_digest=file.content_digest,
            in_place=standing.items(),
            home=ledger.home,
        )
        for file in kept
    }
