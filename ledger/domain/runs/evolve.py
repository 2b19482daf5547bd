"""What runs and the watch mean for the state of a system. Pure."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from ledger.domain.folding import on, with_code
from ledger.domain.log.envelope import Recorded
from ledger.domain.runs.state import RunStatus, SupervisedRun, Watcher
from ledger.domain.state import Json, SystemState
from ledger.domain.state_part import part_of
from ledger.domain.values.moments import iso


@on("RunStarted")
def _run_started(state: SystemState, event: Recorded, data: Json) -> SystemState:
    run = part_of(
        SupervisedRun,
        data,
        since=iso(event.occurred_at),
        position=event.position,
        operation=event.operation,
        status="running",
    )
    return replace(with_code(state, event), run=run)


_RUN_STATUS: Final[dict[str, RunStatus]] = {"RunStopped": "stopped", "CrashDetected": "crashed"}


@on(*_RUN_STATUS)
def _run_ended(state: SystemState, event: Recorded, data: Json) -> SystemState:
    if event.type == "CrashDetected":
        state = replace(state, last_crash_at=iso(event.occurred_at))
    if state.run is None or state.run.run != data["run"]:
        return state
    ended = replace(
        state.run,
        status=_RUN_STATUS[event.type],
        ended=iso(event.occurred_at),
        exit_code=data.get("exit_code"),
        signal=data.get("signal"),
    )
    return replace(state, run=ended)


@on("WatchStarted")
def _watch_started(state: SystemState, event: Recorded, data: Json) -> SystemState:
    watch = part_of(Watcher, data, since=iso(event.occurred_at))
    return replace(state, watch=watch)


@on("WatchStopped")
def _watch_stopped(state: SystemState, _event: Recorded, _data: Json) -> SystemState:
    return replace(state, watch=None)
