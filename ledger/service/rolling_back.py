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
from ledger.domain.evolve import fold
from ledger.domain.ids import control_stream, uuid7
from ledger.domain.state import SystemState
from ledger.service.applying import ApplyResult, insist_in_place, insist_on_files, restored
from ledger.service.configuring import applied, changes_to_what_stands, in_place
from ledger.service.context import Ledger
from ledger.service.recorder import Origin, within
from ledger.service.saving import save_unknown
from ledger.service.world import World, world_of


def selector_of(ledger: Ledger, system: str, name: str) -> str:
    """Return ``name``, or for #N the fingerprint that event N names, or that was in force as of it.

    Raises:
        UnknownName: there is no event N, or it says nothing of a configuration of this system.
    """
    if not name.startswith("#"):
        return name
    if not (name[1:].isdecimal() and name.isascii()):
        raise UsageError(
            f"{name!r} is no position.", hint="Write #N with the number that rollout log shows."
        )
    store = ledger.recorder.store
    event = store.get(int(name[1:]))
    if event is not None and event.system == system:
        named = event.data.get("fingerprint") or event.data.get("to_fingerprint")
        if isinstance(named, str):
            return named
        stream = store.read_stream(control_stream(system), up_to_position=event.position)
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
    decision = rollbacks.request(
        state, selector_of(ledger, system, selector), in_place=in_place(ledger, state, world)
    )
    if decision.skipped is not None:
        return decision, ()
    intent = decision.events[0].payload()
    restored(
        ledger, state, intent["to_fingerprint"], intent["snapshot"], world
    )  # refuses what would fail
    return decision, changes_to_what_stands(ledger, state, world, intent["to_fingerprint"])


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
        found = in_place(ledger, state, world)
        previewed = rollbacks.request(state, selector, in_place=found)
        if previewed.skipped is not None:
            return ApplyResult(system, state.fingerprint or "", "skipped", previewed.skipped)
        operation = uuid7()
        origin = within(origin, operation)
        target = previewed.events[0].payload()
        # Everything that can fail without harm comes before the intent: the bytes and their secrets.
        contents = restored(ledger, state, target["to_fingerprint"], target["snapshot"], world)
        save_unknown(ledger, state, world, origin)
        state, decision = ledger.recorder.decide(
            system, lambda state: rollbacks.request(state, selector, in_place=found), origin
        )
        if decision.skipped is not None:
            return ApplyResult(system, state.fingerprint or "", "skipped", decision.skipped)
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
    written: list[str] = []
    for number, (name, content) in enumerate(contents.items(), start=1):
        step = write_step(ledger, world, state.system, operation, number, name, content, origin)
        if step.outcome == "written":
            written.append(step.path)
        if number not in record["steps"]:
            ledger.recorder.end(state.system, operation, lambda _, step=step: [step], origin)
        fail_points.reach("rollback.after_step")
    insist_in_place(ledger, world, intent["to_fingerprint"], contents)
    fail_points.reach("rollback.before_outcome")
    after, _ = ledger.recorder.end(
        state.system, operation, lambda state: outcome(ledger, state, intent), origin
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
    operation: UUID,
    number: int,
    name: str,
    content: bytes,
    origin: Origin,
) -> events.RollbackStepCompleted:
    """Write one file; if that fails, say so in the log and leave the rollback open.

    Raises:
        LedgerError: the file could not be written; `rollout rollback resume` goes on from here.
    """
    try:
        configs = insist_on_files(world, system).configs
        replaced = configs.write({name: content}).replaced if configs is not None else ()
    except LedgerError as problem:
        failed = events.RollbackFailed(step=number, explanation=problem.message)
        try:
            ledger.recorder.end(system, operation, lambda _: [failed], origin)
        except LedgerUnreachable:
            ledger.warn("and the failure could not be recorded: the ledger is away")
        problem.hint = f"{problem.hint or 'Mend that'}; then: rollout rollback resume {system}"
        raise problem from None
    fail_points.reach("rollback.after_file")
    # Where it was written: the system may have been registered with another path since the intent.
    return events.RollbackStepCompleted(
        step=number,
        name=name,
        path=str(world.config_files[name]),
        outcome="written" if replaced else "already",
    )


def outcome(ledger: Ledger, state: SystemState, intent: Mapping[str, str]) -> tuple[Event, ...]:
    """Return what a finished rollback means: in force, completed, and the harm stopped."""
    done: list[Event] = [
        applied(ledger, state, intent["to_fingerprint"], intent["snapshot"], "rollback"),
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
    """Give up a rollback that was begun. Returns its operation, or None if there is none.

    Raises:
        OperationInProgress: somebody is carrying it out at this moment.
    """
    with ledger.operating(system, "rollback abandon"):
        begun = rollbacks.unfinished(ledger.load(system))
        if begun is None:
            return None
        given_up = events.RollbackAbandoned(explanation=origin.reason or "given up by hand")
        ledger.recorder.end(system, UUID(begun[0]), lambda _: [given_up], origin)
        return begun[0]
