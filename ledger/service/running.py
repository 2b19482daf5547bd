"""Supervised runs: what start scripts do, for any program, with a record that survives a crash."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from ledger import fail_points, files
from ledger.domain import events
from ledger.domain.decisions import Decision, modes
from ledger.domain.decisions.configurations import short
from ledger.domain.errors import BadInput, LedgerError, LedgerUnreachable
from ledger.domain.ids import control_stream
from ledger.domain.modes import Mode, PauseKind, exposure
from ledger.domain.state import SystemState, iso
from ledger.service import offline
from ledger.service.context import Ledger
from ledger.service.recorder import Origin
from ledger.service.world import world_of

PASSED_ON: Final = (
    signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2,
)  # fmt: skip
ASKS_TO_STOP: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP})


@dataclass(frozen=True, slots=True)
class Ended:
    """How the program ended."""

    exit_code: int | None
    signal: str | None
    seconds: int
    asked: bool

    @property
    def crashed(self) -> bool:
        """Whether it died without being asked to."""
        return not self.asked and self.exit_code != 0

    @property
    def told(self) -> str:
        """How it ended, in words."""
        return f"killed by {self.signal}" if self.signal else f"exit code {self.exit_code}"


def crashed_before(state: SystemState) -> events.CrashDetected | None:
    """Return what to record of a run whose supervisor died on this machine without a word, if one did."""
    run = state.run
    if run is None or run["status"] != "running" or run["host"] != socket.gethostname():
        return None
    try:
        os.kill(run["pid"], 0)
    except ProcessLookupError:
        return events.CrashDetected(run=run["run"], explanation="its supervisor was found dead")
    except PermissionError:
        return None
    return None


def restore_mode(ledger: Ledger, state: SystemState, say: Callable[[str], None]) -> str:
    """Put the mode that was last recorded where the system reads it; never a more exposed one than is there.

    A system that was never switched starts in mock. Returns the mode that the system will find.
    """
    mode, kind = modes.current(state)
    mode = mode or Mode.MOCK
    world = world_of(state.registration or {}, ledger.recorder.clock)
    if world.modes is None:
        return modes.shown(mode, kind)
    found = world.modes.observe().safe
    if found is not None and found.mode is not None:
        if found.tells(mode, kind):
            return modes.shown(mode, kind)
        if exposure(found.mode, found.pause_kind) < exposure(mode, kind):
            told = modes.shown(found.mode, found.pause_kind)
            say(f"the ledger says {modes.shown(mode, kind)}, and {told} stands there: that stays")
            return told
    world.modes.switch(
        mode=mode, pause_kind=kind, message="restored at the start of a run", operation_id=""
    )
    say(f"the mode {modes.shown(mode, kind)} was restored")
    return modes.shown(mode, kind)


def halt_without_ledger(ledger: Ledger, system: str, origin: Origin, away: LedgerError) -> str:
    """Put ``system`` into paused/halt: nobody can tell which mode it may be in. Raises as `offline.pause`."""
    offline.pause(ledger, system, PauseKind.HALT, origin, away=away)
    return "paused/halt"


def record(
    ledger: Ledger,
    system: str,
    happened: Sequence[events.Event],
    origin: Origin,
    *,
    away: bool = False,
) -> SystemState | None:
    """Append, or journal while the ledger is ``away``; return the state after, if it could be told."""
    if not away:
        try:
            state, _ = ledger.recorder.decide(system, lambda _: Decision(tuple(happened)), origin)
        except LedgerUnreachable:
            pass
        else:
            ledger.memory.remember(state)
            return state
    offline.spool_events(ledger, system, happened, origin)
    return None


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    clock: Any,
    started: Callable[[], None],
) -> Ended:
    """Run ``command`` to its end, and pass signals on to it. ``started`` is called before it begins.

    Raises:
        BadInput: there is no such program.
    """
    asked = False
    process: subprocess.Popen[bytes] | None = None

    def pass_on(number: int, _frame: object) -> None:
        nonlocal asked
        asked = asked or number in ASKS_TO_STOP
        if process is not None and process.poll() is None:
            os.killpg(process.pid, number)

    before = {number: signal.signal(number, pass_on) for number in PASSED_ON}
    try:
        started()
        fail_points.reach("run.after_start_record")
        began = clock.monotonic()
        try:
            # A group of its own: a signal from the terminal must not reach it twice.
            process = subprocess.Popen(list(command), env=dict(environment), process_group=0)
        except OSError as error:
            raise BadInput(
                f"{command[0]} can't be started: {(error.strerror or 'it failed').lower()}.",
                hint="Give the program and its arguments after --",
            ) from None
        if asked:  # between the record and the start
            process.terminate()
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    seconds = int(clock.monotonic() - began)
    if code < 0:
        return Ended(None, signal.Signals(-code).name, seconds, asked)
    return Ended(code, None, seconds, asked)


def outcome(run_tag: str, ended: Ended) -> events.Event:
    """Return the event that says how a run ended."""
    if ended.crashed:
        return events.CrashDetected(
            run=run_tag,
            exit_code=ended.exit_code,
            signal=ended.signal,
            seconds=ended.seconds,
            explanation=ended.told,
        )
    return events.RunStopped(
        run=run_tag,
        exit_code=ended.exit_code,
        signal=ended.signal,
        seconds=ended.seconds,
        asked=ended.asked,
    )


def write_out(folder: Path, documents: Mapping[str, bytes]) -> None:
    """Write what a run leaves for people and scripts: each whole, or not at all."""
    for name, content in documents.items():
        files.write_atomically(folder / name, content, create_folder=True)


def facts(state: SystemState, run_tag: str, mode: str, now: Any) -> dict[str, Any]:
    """Return what the first line and run.json say."""
    return {
        "run_tag": run_tag,
        "config_fingerprint": state.fingerprint,
        "tags": [tag for tag, name in state.tags.items() if name == state.fingerprint],
        "profile": state.profile["name"] if state.profile else None,
        "profile_fingerprint": state.profile["fingerprint"] if state.profile else None,
        "phase": state.phase["name"] if state.phase else None,
        "mode": mode,
        "started_at": iso(now),
    }


def first_line(told: Mapping[str, Any]) -> str:
    """Return the line that a run begins with, so that a log says what ran."""
    named = f" ({', '.join(told['tags'])})" if told["tags"] else ""
    return (
        f"run_tag={told['run_tag']} config_fingerprint={short(told['config_fingerprint'])}{named} "
        f"mode={told['mode']} phase={told['phase'] or '-'} profile={told['profile'] or '-'}"
    )


def stop_report(
    ledger: Ledger, state: SystemState, since_revision: int, ended: Ended
) -> dict[str, Any]:
    """Return what happened in a run, as the log has it."""
    counted: dict[str, int] = {}
    alerts: list[str] = []
    for event in ledger.recorder.store.read_stream(control_stream(state.system), since_revision):
        counted[event.type] = counted.get(event.type, 0) + 1
        if event.type == "AlertFired":
            alerts.append(event.data["alert"])
    return {
        "ended": ended.told,
        "crashed": ended.crashed,
        "seconds": ended.seconds,
        "mode": modes.shown_state(state),
        "config_fingerprint": state.fingerprint,
        "alerts_fired": alerts,
        "alerts_open": sorted(state.alerts),
        "mode_switches": counted.get("ModeSwitched", 0),
        "rollbacks": counted.get("RollbackCompleted", 0),
        "events": dict(sorted(counted.items())),
        "up_to_position": state.position,
    }


def as_json(document: Mapping[str, Any]) -> bytes:
    """Return ``document`` for a file."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
