"""After a crash: finish or give up what was begun, then compare the world with the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ledger.domain import events
from ledger.domain.decisions import Decision, modes
from ledger.domain.decisions.configurations import short
from ledger.domain.errors import LedgerError
from ledger.domain.events.base import Event
from ledger.domain.state import SystemState
from ledger.service import applying, configuring, rolling_back, switching
from ledger.service.context import Ledger
from ledger.service.recorder import Origin, within
from ledger.service.world import World, world_of


@dataclass(frozen=True, slots=True)
class Recovery:
    """What `recover` did, and the state to resume from."""

    system: str
    completed: tuple[str, ...]
    abandoned: tuple[str, ...]
    problems: tuple[str, ...]
    drift: Mapping[str, Mapping[str, Any]]
    mode: str | None
    pause_kind: str | None
    fingerprint: str | None
    state: SystemState


def recover(ledger: Ledger, system: str, origin: Origin, *, spooled: int = 0) -> Recovery:
    """Bring ``system`` to a state that a fresh process can go on from, and say so in the log.

    Raises:
        OperationInProgress: somebody is at work on it; nothing is dead, so nothing is recovered.
    """
    with ledger.operating(system, "recover"):
        completed, abandoned, problems = finish_dead_operations(ledger, system, origin)
        state = detect_drift(ledger, system, origin)
        if completed or abandoned or spooled:
            told = events.StateRecovered(
                completed=tuple(completed),
                abandoned=tuple(abandoned),
                spooled=spooled,
                mode=state.mode,  # type: ignore[arg-type] -- the model checks it
                pause_kind=state.pause_kind,  # type: ignore[arg-type] -- the model checks it
                fingerprint=state.fingerprint,
            )
            state, _ = ledger.recorder.decide(system, lambda _: Decision((told,)), origin)
        ledger.memory.remember(state)
        return Recovery(
            system=system,
            completed=tuple(completed),
            abandoned=tuple(abandoned),
            problems=tuple(problems),
            drift=state.drift,
            mode=state.mode,
            pause_kind=state.pause_kind,
            fingerprint=state.fingerprint,
            state=state,
        )


def finish_dead_operations(
    ledger: Ledger, system: str, origin: Origin
) -> tuple[list[str], list[str], list[str]]:
    """Complete or abandon every operation in flight; the caller's locks say that their processes are dead.

    Returns sentences on what was completed, what was abandoned, and what stays open.
    """
    completed: list[str] = []
    abandoned: list[str] = []
    problems: list[str] = []
    state = ledger.load(system)
    for operation, record in sorted(state.operations.items(), key=lambda item: item[1]["position"]):
        within_it = within(origin, UUID(operation))
        state = ledger.load(system)
        world = world_of(state.registration or {}, ledger.recorder.clock)
        finish = {"switch": _finish_switch, "apply": _finish_apply, "rollback": _finish_rollback}[
            record["kind"]
        ]
        try:
            done, sentence = finish(ledger, world, state, UUID(operation), within_it)
        except LedgerError as problem:
            problems.append(f"{record['kind']} #{record['position']} stays open: {problem.message}")
            continue
        (completed if done else abandoned).append(
            f"{record['kind']} #{record['position']}: {sentence}"
        )
        ledger.warn(
            f"{record['kind']} #{record['position']} was left in flight by a crash: {sentence}"
        )
    return completed, abandoned, problems


def _finish_switch(
    ledger: Ledger, world: World, state: SystemState, operation: UUID, origin: Origin
) -> tuple[bool, str]:
    """A switch that the world has done is recorded; one that lowers exposure is done; a raise is given up."""
    record = state.operations[str(operation)]
    target, kind = switching.asked_for(record["intent"])
    observed = world.modes.observe() if world.modes is not None else None
    reading = observed.safe if observed is not None and observed.agrees else None
    if record["overtaken"]:
        why = "begun and not done; somebody has decided otherwise since"
    elif not modes.raises(state, target, kind, observed):
        result = switching.carry_out(ledger, world, state, operation, origin)
        return result.outcome == "switched", f"{target} {result.outcome}"
    elif reading is not None and reading.tells(target, kind):
        # Only recorded: carrying it out again would raise the exposure a second time.
        outcome = switching.arrived(record["intent"], reading.actuator)
        _, given_up = switching.record(ledger, state.system, operation, outcome, origin)
        return given_up is None, f"{target} {given_up or 'had been carried out'}"
    else:
        why = "begun and not done; raising the exposure again needs a person"
    abandoned = events.ModeSwitchAbandoned(to_mode=target.value, explanation=why)
    ledger.recorder.end(state.system, operation, lambda _: [abandoned], origin)
    return False, f"{target} was {why}"


def _finish_apply(
    ledger: Ledger, world: World, state: SystemState, operation: UUID, origin: Origin
) -> tuple[bool, str]:
    """An apply of which nothing was written is given up; one that was partly done is completed."""
    intent = state.operations[str(operation)]["intent"]
    contents = applying.restored(ledger, state, intent["fingerprint"], intent["snapshot"], world)
    standing = world.configs.read() if world.configs is not None else {}
    if not any(standing.get(name) == content for name, content in contents.items()):
        failed = events.ConfigApplyFailed(
            fingerprint=intent["fingerprint"],
            explanation="begun, and nothing was written; given up",
        )
        ledger.recorder.decide(state.system, lambda _: Decision((failed,)), origin)
        return False, f"{short(intent['fingerprint'])} was begun, and nothing was written"
    applying.complete_apply(ledger, world, state, operation, contents, origin)
    return True, f"{short(intent['fingerprint'])} is in place"


def _finish_rollback(
    ledger: Ledger, world: World, state: SystemState, operation: UUID, origin: Origin
) -> tuple[bool, str]:
    """A rollback is always completed: it was asked for because something was wrong."""
    intent = state.operations[str(operation)]["intent"]
    contents = applying.restored(ledger, state, intent["to_fingerprint"], intent["snapshot"], world)
    rolling_back.complete(ledger, world, state, operation, contents, origin)
    return True, f"back on {short(intent['to_fingerprint'])}"


# --- drift --------------------------------------------------------------------------------------


def detect_drift(ledger: Ledger, system: str, origin: Origin) -> SystemState:
    """Record where the world and the ledger differ, and where they agree again. Returns the state after."""
    state = ledger.load(system)
    found = find_drift(ledger, state)

    def decide(state: SystemState) -> Decision:
        news: list[Event] = []
        for subject, event in found.items():
            known = state.drift.get(subject)
            if known is None or known["found"] != event.found:
                news.append(event)
        news += [
            events.DriftCleared(subject=subject)  # type: ignore[arg-type] -- came from the event
            for subject in state.drift
            if subject not in found
        ]
        return Decision(tuple(news))

    state, _ = ledger.recorder.decide(system, decide, origin)
    return state


def find_drift(ledger: Ledger, state: SystemState) -> dict[str, events.DriftDetected]:
    """Compare the world with ``state``; return what differs, by subject. Records nothing."""
    world = world_of(state.registration or {}, ledger.recorder.clock)
    found: dict[str, events.DriftDetected] = {}
    if world.modes is not None and state.mode is not None:
        expected = _mode_text(state.mode, state.pause_kind)
        seen = " / ".join(
            f"{reading.actuator}: "
            + (
                _mode_text(reading.mode, reading.pause_kind)
                if reading.mode
                else f"unknown ({reading.problem})"
            )
            for reading in world.modes.observe().readings
            if reading.mode is None or _mode_text(reading.mode, reading.pause_kind) != expected
        )
        if seen:
            found["mode"] = events.DriftDetected(subject="mode", expected=expected, found=seen)
    if world.configs is not None and state.fingerprint is not None:
        drifted = _config_drift(ledger, world, state)
        if drifted is not None:
            found["config"] = drifted
    return found


def _mode_text(mode: str, kind: str | None) -> str:
    return f"{mode}/{kind}" if kind else str(mode)


def _config_drift(ledger: Ledger, world: World, state: SystemState) -> events.DriftDetected | None:
    from ledger.domain.configuration import diff

    standing = configuring.in_place(ledger, world)
    expected = str(state.fingerprint)
    if standing is not None and standing.fingerprint == expected:
        return None
    if standing is None:
        return events.DriftDetected(
            subject="config", expected=expected, found="unreadable or missing"
        )
    import orjson

    now = orjson.loads(standing.canonical)
    then = orjson.loads(ledger.blob(expected.removeprefix("sha256:")))
    changes = tuple(
        events.Change(key=change.key, old=change.old, new=change.new) for change in diff(then, now)
    )
    return events.DriftDetected(
        subject="config", expected=expected, found=standing.fingerprint, changes=changes
    )
