"""Supervised runs, as tables: given what was recorded, when one begins or ends, then what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.errors import Refused, UnknownSystem
from ledger.domain.log.event import Event
from ledger.domain.runs import decide as runs
from ledger.domain.state import SystemState
from ledger.domain.values.actuation import Reading
from ledger.domain.values.modes import Mode, PauseKind
from tests.support.tables import (
    ONE,
    OPERATION,
    PLAN,
    REGISTERED,
    Case,
    Refuses,
    Skips,
    Told,
    When,
    adopted,
    applied,
    fold,
    kept,
    preflight,
    switched,
    table,
)

COMMAND = ("python", "main.py")
COMMIT = "a" * 40


def seen(mode: Mode | None, kind: PauseKind | None = None) -> Reading:
    return Reading("control_file", mode, kind, None if mode else "no file")


def begin(reading: Reading | None = None, code: str | None = None) -> When:
    def when(state: SystemState, _now: datetime) -> Decision:
        at_start = runs.mode_at_start(state, reading)
        return runs.start(state, "t1", COMMAND, at_start=at_start, pid=7, host="here", code=code)

    return when


def started(mode: str | None = "mock", kind: str | None = None, **more: Any) -> Event:
    values = {"run": "t1", "command": COMMAND, "pid": 7, "host": "here"}
    return events.RunStarted.model_validate({**values, "mode": mode, "pause_kind": kind, **more})


def end(exit_code: int | None, signal: str | None = None, *, asked: bool = False) -> When:
    return lambda _state, _now: runs.ended(
        "t1", exit_code=exit_code, signal=signal, seconds=3, asked=asked, explanation="told"
    )


def stopped(exit_code: int | None, signal: str | None = None, *, asked: bool = False) -> Event:
    return events.RunStopped(run="t1", exit_code=exit_code, signal=signal, seconds=3, asked=asked)


def crash(exit_code: int | None, signal: str | None = None) -> Event:
    return events.CrashDetected(
        run="t1", exit_code=exit_code, signal=signal, seconds=3, explanation="told"
    )


def found_dead(host: str = "here") -> When:
    return lambda state, _now: runs.found_dead(state, host)


DEAD = events.CrashDetected(run="t1", explanation="its supervisor was found dead")
SYSTEM = (REGISTERED,)
REAL = (REGISTERED, switched("mock"), switched("real"))
RUNS = (REGISTERED, Told(started(), operation=OPERATION))

BEGINNING = [
    Case("an unknown system", (), begin(), Refuses(UnknownSystem, "no system 'bot'")),
    Case("never switched: in mock", SYSTEM, begin(), (started("mock"),)),
    Case("as it was last recorded", REAL, begin(), (started("real"),)),
    Case("the world can't tell", REAL, begin(seen(None)), (started("real"),)),
    Case("the world agrees", REAL, begin(seen(Mode.REAL)), (started("real"),)),
    Case(
        "a less exposed mode stays", REAL, begin(seen(Mode.PAUSED, PauseKind.DRAIN)),
        (started("paused", "drain"),),
    ),
    Case(
        "a more exposed one does not", (*SYSTEM, switched("paused", "halt")), begin(seen(Mode.REAL)),
        (started("paused", "halt"),),
    ),
    Case(
        "on what is in force",
        (REGISTERED, adopted(), kept(ONE), applied(ONE), preflight()), begin(code=COMMIT),
        (started("mock", fingerprint=ONE, profile=PLAN, preflight_position=5, code=COMMIT),),
    ),
]  # fmt: skip

ENDING = [
    Case("by itself", RUNS, end(0), (stopped(0),)),
    Case("with an error", RUNS, end(3), (crash(3),)),
    Case("by a signal that nobody sent it through us", RUNS, end(None, "SIGKILL"), (crash(None, "SIGKILL"),)),
    Case("asked to stop", RUNS, end(None, "SIGTERM", asked=True), (stopped(None, "SIGTERM", asked=True),)),
    Case("asked to stop, with an error", RUNS, end(1, asked=True), (stopped(1, asked=True),)),
    Case("never started", RUNS, lambda _state, _now: runs.never_started("t1"),
         (events.RunStopped(run="t1", exit_code=126, seconds=0),)),
]  # fmt: skip

DYING = [
    Case("found dead", RUNS, found_dead(), (DEAD,)),
    Case("on another machine: only that can tell", RUNS, found_dead("there"), Skips("t1 runs on here")),
    Case("none ever ran", SYSTEM, found_dead(), Skips("no run is under way")),
    Case("it has ended", (*RUNS, stopped(0)), found_dead(), Skips("no run is under way")),
    Case("found dead already", (*RUNS, DEAD), found_dead(), Skips("no run is under way")),
]  # fmt: skip


@table([*BEGINNING, *ENDING, *DYING])
def test_runs(case: Case) -> None:
    case.holds()


@pytest.mark.parametrize(
    ("recorded", "reading", "in_place"),
    [
        ("real", None, False),
        ("real", seen(Mode.REAL), True),
        ("real", seen(Mode.MOCK), True),
        ("real", seen(Mode.PAUSED), True),
        ("mock", seen(Mode.REAL), False),
    ],
)
def test_only_a_mode_that_is_more_exposed_than_recorded_is_replaced(
    recorded: str, reading: Reading | None, in_place: bool
) -> None:
    """I9: a start never raises what stands in the world."""
    state, _ = fold((REGISTERED, switched(recorded)))
    assert runs.mode_at_start(state, reading).in_place is in_place


def test_a_variable_that_somebody_has_set_otherwise_starts_nothing() -> None:
    """I6: which one is told, what it holds is not; one that is not set, or set the same, is none."""
    configured = {"SIZE": "5", "KEY": "hunter2"}
    runs.require_agreement(configured, {"SIZE": "5", "HOME": "/root"})
    with pytest.raises(Refused, match="something else of KEY, SIZE than") as caught:
        runs.require_agreement(configured, {"SIZE": "6", "KEY": ""})
    assert "hunter2" not in caught.value.message + str(caught.value.hint)


def test_a_run_is_no_operation_in_flight() -> None:
    """It lasts for weeks under locks of its own: nobody who works on the system finishes it for dead."""
    state, _ = fold(RUNS)
    assert state.operations == {}
    assert state.run is not None
    assert state.run.operation == str(OPERATION)
