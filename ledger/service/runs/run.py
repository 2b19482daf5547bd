"""What a run leaves: its record in the log, files for people and scripts, the stop report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from ledger import files
from ledger.domain.configurations.decide import short
from ledger.domain.decision import Decision
from ledger.domain.errors import LedgerUnreachable
from ledger.domain.log.ids import control_stream
from ledger.domain.modes import decide as modes
from ledger.domain.runs import decide as runs
from ledger.domain.state import SystemState
from ledger.domain.values.moments import iso
from ledger.service import offline
from ledger.service.core.plan_in_force import plan_of
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger
from ledger.service.runs.supervisor import Ended


def record(
    ledger: Ledger, system: str, decision: Decision, origin: Origin, *, away: bool
) -> SystemState | None:
    """Append, or journal while the ledger is ``away``; return the state after, if it could be told."""
    if not away:
        try:
            state, _ = ledger.recorder.decide(system, lambda _: decision, origin)
        except LedgerUnreachable:
            pass
        else:
            return state
    offline.spool_events(ledger, system, decision.events, origin)
    return None


def outcome(run_tag: str, ended: Ended) -> Decision:
    """Return the record of how a run ended."""
    return runs.ended(
        run_tag,
        exit_code=ended.exit_code,
        signal=ended.signal,
        seconds=ended.seconds,
        asked=ended.asked,
        explanation=ended.told,
    )


def write_out(folder: Path, documents: Mapping[str, bytes]) -> None:
    """Write what a run leaves for people and scripts: each whole, or not at all."""
    for name, content in documents.items():
        files.write_atomically(folder / name, content, create_folder=True)


def named_keys(ledger: Ledger, state: SystemState) -> dict[str, str | None]:
    """Return the keys that the plan wants in the first line, with what they say, as JSON text."""
    if state.profile is None:
        return {}
    wanted = plan_of(ledger, state).profile.first_line
    said = ledger.configuration(state.fingerprint) if wanted and state.fingerprint else {}
    named: dict[str, str | None] = {}
    for key in wanted:
        below = [each for each in said if each == key or each.startswith((f"{key}.", f"{key}["))]
        named |= {each: said[each] for each in below} or {key: None}
    return named


def facts(
    state: SystemState, run_tag: str, mode: str, now: Any, named: Mapping[str, str | None]
) -> dict[str, Any]:
    """Return what the first line and run.json say; ``named`` are configuration keys."""
    return {
        "run_tag": run_tag,
        "config_fingerprint": state.fingerprint,
        "tags": state.tags_of(state.fingerprint),
        "profile": state.profile.name if state.profile is not None else None,
        "profile_fingerprint": state.profile_fingerprint,
        "phase": state.phase_name,
        "mode": mode,
        "started_at": iso(now),
        **({"configuration": dict(named)} if named else {}),
    }


def first_line(told: Mapping[str, Any]) -> str:
    """Return the line that a run begins with, so that a log says what ran."""
    tags = f" ({', '.join(told['tags'])})" if told["tags"] else ""
    keys = [f" {key}={_in_a_line(text)}" for key, text in told.get("configuration", {}).items()]
    return (
        f"run_tag={told['run_tag']} config_fingerprint={short(told['config_fingerprint'])}{tags} "
        f"mode={told['mode']} phase={told['phase'] or '-'} profile={told['profile'] or '-'}"
    ) + "".join(keys)


def _in_a_line(text: str | None) -> str:
    """Return a value as the first line has it: a text of one plain word without its quotes."""
    if text is None:
        return "-"
    return text[1:-1] if re.fullmatch(r'"[\w./:@%+,-]+"', text) else text


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
