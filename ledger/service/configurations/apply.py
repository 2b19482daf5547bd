"""Putting configurations in force: files written one by one, read back, and recorded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from ledger import fail_points
from ledger.configuration.restore import restore
from ledger.domain import events
from ledger.domain.configurations import decide as configurations
from ledger.domain.configurations.decide import short
from ledger.domain.configurations.state import ApplyIntent
from ledger.domain.decision import Decision, require_no_rule
from ledger.domain.errors import IntegrityFailure, LedgerError, LedgerUnreachable, UnknownName
from ledger.domain.log.event import Event
from ledger.domain.operations import ApplyOperation
from ledger.domain.plans import decide as phases
from ledger.domain.state import SystemState, operation_of
from ledger.service.configurations.comparison import (
    as_recorded,
    changes_between,
    in_place,
    standing_in,
)
from ledger.service.configurations.registration import applied
from ledger.service.configurations.snapshots import save_unknown
from ledger.service.core.actuators import World, world_of
from ledger.service.core.operation import Operation, carry_out, look_ahead
from ledger.service.core.recorder import Origin
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
    ledger: Ledger, system: str, name: str, origin: Origin, *, override_quarantine: bool
) -> tuple[Decision, str, tuple[events.Change, ...]]:
    """Return what applying ``name`` would do, its fingerprint, and the diff; touches nothing.

    Raises as `apply` does.
    """
    fingerprint = configurations.resolve(ledger.load(system), name)
    operation = Apply(fingerprint, override_quarantine)
    state, view, decision = look_ahead(ledger, system, operation, origin)
    if decision.skipped is None:  # refuse now what would fail
        snapshot = ApplyIntent.of(decision.events[0].payload()).snapshot
        restored(ledger, state, fingerprint, snapshot, view.world)
    return decision, fingerprint, changes_between(ledger, state, state.fingerprint, fingerprint)


@dataclass(frozen=True, slots=True)
class InPlace:
    """Where a system's files lie, and which configuration they are now, if they could be read."""

    world: World
    fingerprint: str | None


@dataclass(frozen=True, slots=True)
class Contents:
    """What is written, and where."""

    world: World
    files: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Apply(Operation[InPlace, Contents, ApplyResult]):
    """A configuration that is put in force."""

    fail_point: ClassVar[str] = "apply"
    fingerprint: str
    override_quarantine: bool = False

    @property
    def what(self) -> str:
        """The command that does it."""
        return "config apply"

    def observe(self, ledger: Ledger, state: SystemState, origin: Origin) -> InPlace:
        """Read the files that are in place."""
        world = world_with_files(ledger, state)
        return InPlace(world, in_place(ledger, state, world))

    def decide(self, ledger: Ledger, state: SystemState, view: InPlace) -> Decision:
        """Return the request to write it."""
        return configurations.request_apply(
            state,
            self.fingerprint,
            in_place=view.fingerprint,
            override_quarantine=self.override_quarantine,
        )

    def may_raise(self, state: SystemState, view: InPlace) -> bool:
        """Yes: what a configuration exposes is not known."""
        return True

    def secure(
        self, ledger: Ledger, state: SystemState, view: InPlace, intent: Decision, origin: Origin
    ) -> Contents:
        """Put the secrets back into the bytes, and keep what stands in place."""
        snapshot = ApplyIntent.of(intent.events[0].payload()).snapshot
        contents = restored(ledger, state, self.fingerprint, snapshot, view.world)
        save_unknown(ledger, state, view.world, origin)
        return Contents(view.world, contents)

    def perform(
        self, ledger: Ledger, state: SystemState, operation: UUID, work: Contents, origin: Origin
    ) -> ApplyResult:
        """Write the files."""
        return complete_apply(ledger, work.world, state, operation, work.files, origin)

    def skipped(self, state: SystemState, view: InPlace, why: str) -> ApplyResult:
        """Return why there is nothing to do."""
        return ApplyResult(state.system, self.fingerprint, "skipped", why)


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
    require_no_rule(origin.actor, f"applying a configuration to {system}")
    return carry_out(ledger, system, Apply(fingerprint, override_quarantine), origin)


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
        require_in_place(ledger, world, state, intent.fingerprint, contents)
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
    ledger.recorder.end(
        state.system,
        operation,
        lambda state: [
            applied(ledger, state, intent.fingerprint, intent.snapshot, "apply", code),
            *_phase_entered(state, operation),
        ],
        origin,
    )
    fail_points.reach("apply.after_outcome")
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


def require_in_place(
    ledger: Ledger, world: World, state: SystemState, fingerprint: str, names: Collection[str]
) -> None:
    """Raise unless the files of ``names``, read back, are the configuration of that fingerprint.

    Raises:
        IntegrityFailure: they are something else.
    """
    standing = standing_in(ledger, world, names)
    fingerprint_in_place = (
        as_recorded(ledger, state, standing, fingerprint) if standing is not None else None
    )
    if fingerprint_in_place != fingerprint:
        raise IntegrityFailure(
            f"The files in place are {short(fingerprint_in_place) if fingerprint_in_place else 'missing'}, "
            f"not {short(fingerprint)}.",
            hint="Another program wrote to them meanwhile; stop it, then run: rollout recover",
        )


def world_with_files(ledger: Ledger, state: SystemState) -> World:
    """Return the system's actuators, of which one writes its configuration files.

    Raises:
        Refused: the system was registered without any.
    """
    configurations.require_files(state)
    return world_of(state.actuators, ledger.recorder.clock)


def restored(
    ledger: Ledger, state: SystemState, fingerprint: str, snapshot: str, world: World
) -> dict[str, bytes]:
    """Return the real bytes of a snapshot's files: the kept ones, with their secrets put back.

    Raises:
        SecretMissing: a secret is neither in the file in place nor in the environment.
        UnknownName: the ledger does not have the bytes.
    """
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


def finish(
    ledger: Ledger, world: World, state: SystemState, operation: UUID, origin: Origin
) -> tuple[bool, str]:
    """Complete or give up an apply that a crash left, as `configurations.finish_apply` decides."""
    begun = operation_of(state, operation, ApplyOperation)
    fingerprint = begun.intent.fingerprint
    contents: dict[str, bytes] = {}
    unfit: str | None = None
    if not begun.overtaken:
        try:
            contents = restored(ledger, state, fingerprint, begun.intent.snapshot, world)
        except LedgerUnreachable:
            raise
        except LedgerError as problem:
            unfit = problem.message
    standing = world.configs.read() if world.configs is not None else {}
    left = configurations.finish_apply(
        state,
        begun,
        {name: standing.get(name) == content for name, content in contents.items()},
        still_wanted=still_wanted(state, operation),
        problem=unfit,
    )
    if left.is_completed:
        complete_apply(ledger, world, state, operation, contents, origin)
        return True, f"{short(fingerprint)} is in place"
    failed = events.ConfigApplyFailed(fingerprint=fingerprint, explanation=f"{left.why}; given up")
    ledger.recorder.end(state.system, operation, lambda _: [failed], origin)
    return False, f"{short(fingerprint)} was {left.why}"
