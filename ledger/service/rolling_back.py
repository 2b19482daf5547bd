"""Going back to a prior fingerprint, byte for byte: intent, a step per file, outcome; crash-safe."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from ledger import fail_points
from ledger.domain import events
from ledger.domain.decisions import Decision, alerts, rollbacks
from ledger.domain.decisions.configurations import short
from ledger.domain.errors import LedgerError, LedgerUnreachable, UnknownName, UsageError
from ledger.domain.events.base import Event
from ledger.domain.ids import uuid7
from ledger.domain.state import SystemState
from ledger.service.applying import (
    ApplyResult,
    insist_in_place,
    insist_on_files,
    restored,
    save_unknown,
)
from ledger.service.configuring import applied, changes_between, in_place
from ledger.service.context import Ledger
from ledger.service.recorder import Origin, within
from ledger.service.world import World, world_of


def selector_of(ledger: Ledger, system: str, name: str) -> str:
    """Return ``name``, or for #N the fingerprint that event N names, or that was in force as of it.

    Raises:
        UnknownName: there is no event N, or it says nothing of a configuration of this system.
    """
    if not name.startswith("#"):
        return name
    if not name[1:].isdigit():
        raise UsageError(
            f"{name!r} is no position.", hint="Write #N with the number that rollout log shows."
        )
    event = ledger.recorder.store.get(int(name[1:]))
    if event is not None and event.system == system:
        named = event.data.get("fingerprint") or event.data.get("to_fingerprint")
        if isinstance(named, str):
            return named
        from ledger.domain.evolve import fold
        from ledger.domain.ids import control_stream

        stream = ledger.recorder.store.read_stream(
            control_stream(system), up_to_position=event.position
        )
        state = fold(stream, SystemState(system))
        if state.fingerprint is not None:
            return state.fingerprint
    raise UnknownName(
        f"Event {name} tells no configuration of {system}.",
        hint=f"rollout log {system} --type ConfigApplied",
    )


def plan(ledger: Ledger, system: str, selector: str) -> tuple[Decision, tuple[events.Change, ...]]:
    """Return what a rollback would do, and the diff it would make; touches nothing."""
    state = ledger.load(system)
    world = insist_on_files(world_of(state.registration or {}, ledger.recorder.clock), system)
    standing = in_place(ledger, world)
    decision = rollbacks.request(
        state,
        selector_of(ledger, system, selector),
        in_place=standing.fingerprint if standing else None,
    )
    if decision.skipped is not None:
        return decision, ()
    intent = decision.events[0].payload()
    restored(
        ledger, state, intent["to_fingerprint"], intent["snapshot"], world
    )  # refuses what would fail
    return decision, changes_between(ledger, state.fingerprint, intent["to_fingerprint"])


def rollback(ledger: Ledger, system: str, selector: str, origin: Origin) -> ApplyResult:
    """Go back to what ``selector`` names; see `rollbacks.request` for the rules.

    Raises:
        NothingStable, UnknownName, AmbiguousName: there is no target.
        SecretMissing: a secret can't be put back; nothing was touched.
        OperationInProgress: somebody else is at work on the system.
    """
    from ledger.service.recovery import finish_dead_operations

    with ledger.operating(system, "rollback"):
        finish_dead_operations(ledger, system, origin)
        state = ledger.load(system)
        world = insist_on_files(world_of(state.registration or {}, ledger.recorder.clock), system)
        selector = selector_of(ledger, system, selector)
        standing = in_place(ledger, world)
        found = standing.fingerprint if standing else None
        previewed = rollbacks.request(state, selector, in_place=found)
        if previewed.skipped is not None:
            return ApplyResult(system, state.fingerprint or "", "skipped", previewed.skipped)
        operation = uuid7()
        origin = within(origin, operation)
        target = previewed.events[0].payload()
        # Everything that can fail without harm comes before the intent: the bytes and their secrets.
        contents = restored(ledger, state, target["to_fingerprint"], target["snapshot"], world)
        save_unknown(ledger, state, standing, world, origin)
        state, _ = ledger.recorder.decide(
            system, lambda state: rollbacks.request(state, selector, in_place=found), origin
        )
        fail_points.reach("rollback.after_intent")
        return complete(ledger, world, state, operation, contents, origin)


def complete(
    ledger: Ledger,
    world: World,
    state: SystemState,
    operation: UUID,
    contents: Mapping[str, bytes],
    origin: Origin,
) -> ApplyResult:
    """Do the steps of a rollback that are not done, and append its outcome. Safe to repeat."""
    record = state.operations[str(operation)]
    intent = record["intent"]
    paths = {file["name"]: file["path"] for file in intent["files"]}
    written: list[str] = []
    for number, (name, content) in enumerate(contents.items(), start=1):
        step = write_step(ledger, world, state.system, number, name, paths[name], content, origin)
        if step.outcome == "written":
            written.append(step.path)
        if number not in record["steps"]:
            ledger.recorder.decide(state.system, lambda _, step=step: Decision((step,)), origin)
        fail_points.reach("rollback.after_step")
    insist_in_place(ledger, world, intent["to_fingerprint"])
    fail_points.reach("rollback.before_outcome")
    changes = changes_between(ledger, state.fingerprint, intent["to_fingerprint"])
    after, _ = ledger.recorder.decide(
        state.system, lambda state: Decision(outcome(ledger, state, intent, changes)), origin
    )
    fail_points.reach("rollback.after_outcome")
    ledger.memory.remember(after)
    return ApplyResult(
        state.system,
        intent["to_fingerprint"],
        "rolled_back",
        previous=intent.get("from_fingerprint"),
        files=tuple(written),
        operation=str(operation),
    )


def write_step(
    ledger: Ledger,
    world: World,
    system: str,
    number: int,
    name: str,
    path: str,
    content: bytes,
    origin: Origin,
) -> events.RollbackStepCompleted:
    """Write one file; if that fails, say so in the log and leave the rollback open.

    Raises:
        LedgerError: the file could not be written; `rollout rollback resume` goes on from here.
    """
    configs = insist_on_files(world, system).configs
    assert configs is not None  # noqa: S101 -- for the type checker; insist_on_files raised otherwise
    try:
        replaced = configs.write({name: content}).replaced
    except LedgerError as problem:
        failed = events.RollbackFailed(step=number, explanation=problem.message)
        try:
            ledger.recorder.decide(system, lambda _: Decision((failed,)), origin)
        except LedgerUnreachable:
            ledger.warn("and the failure could not be recorded: the ledger is away")
        problem.hint = f"{problem.hint or 'Mend that'}; then: rollout rollback resume {system}"
        raise
    fail_points.reach("rollback.after_file")
    return events.RollbackStepCompleted(
        step=number, name=name, path=path, outcome="written" if replaced else "already"
    )


def outcome(
    ledger: Ledger,
    state: SystemState,
    intent: Mapping[str, str],
    changes: tuple[events.Change, ...],
) -> tuple[Event, ...]:
    """Return what a finished rollback means: in force, completed, and the harm stopped."""
    done: list[Event] = [
        applied(state, intent["to_fingerprint"], intent["snapshot"], "rollback", changes),
        events.RollbackCompleted(
            from_fingerprint=intent.get("from_fingerprint"), to_fingerprint=intent["to_fingerprint"]
        ),
    ]
    action = f"rollback to {short(intent['to_fingerprint'])}"
    mitigated = alerts.mitigated_by(state, action)
    if not any(i["status"] != "resolved" for i in state.incidents.values()):
        from ledger.service.alerting import incident_name

        incident = incident_name(ledger, state)
        title = f"{action} from {short(intent.get('from_fingerprint'))}"
        mitigated = (
            events.IncidentOpened(incident=incident, title=title, severity="warning"),
            events.IncidentMitigated(incident=incident, action=action),
        )
    return (*done, *mitigated)


def abandon(ledger: Ledger, system: str, origin: Origin) -> str | None:
    """Give up a rollback that was begun. Returns its operation, or None if there is none."""
    state = ledger.load(system)
    begun = rollbacks.unfinished(state)
    if begun is None:
        return None
    given_up = events.RollbackAbandoned(explanation=origin.reason or "given up by hand")
    ledger.recorder.decide(system, lambda _: Decision((given_up,)), within(origin, UUID(begun[0])))
    return begun[0]
