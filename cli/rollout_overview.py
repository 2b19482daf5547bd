"""A rollout as a tree: the phase and how far it is, its gate, what waits, what was let pass, who watches."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from cli.times import ago
from ledger.domain.decisions.approvals import missing, stale
from ledger.domain.durations import duration_text
from ledger.domain.gates import standing_waivers
from ledger.domain.rollout_status import rollout_status
from ledger.domain.state import SystemState, iso
from projections.sentences import short

BAR_WIDTH: Final = 12
VERDICT_MARKS: Final = {"GO": "✔", "WAIVED": "✔", "NO_GO": "✖", "INCONCLUSIVE": "?"}


def rollout_record(state: SystemState, now: datetime) -> dict[str, Any]:
    """Return the same for programs."""
    status = rollout_status(state, now)
    return {
        "status": status.value if status is not None else None,
        "profile": state.profile["name"] if state.profile else None,
        "phase": dict(state.phase) if state.phase else None,
        "preflight": dict(state.preflight) if state.preflight else None,
        "gates": dict(state.gates),
        "waivers": {name: dict(known) for name, known in standing_waivers(state, now).items()},
        "approvals": {name: dict(known) for name, known in state.approvals.items()},
        "pending_alerts": dict(state.pending),
        "no_data": dict(state.no_data),
        "mitigations": dict(state.mitigations),
        "silences": {k: s for k, s in state.silences.items() if s["until"] > iso(now)},
        "failing": dict(state.failing),
        "run": dict(state.run) if state.run else None,
        "watch": dict(state.watch) if state.watch else None,
    }


def rollout_lines(state: SystemState, now: datetime) -> list[tuple[str, str]]:
    """Return (label, text) of each line; the children of the phase hang on it."""
    if state.profile is None:
        return [*_alerts(state, now), *_others(state, now)]
    profile = state.profile
    lines = [
        (
            "plan",
            f"{profile['name']} ({short(profile['fingerprint'])}): {rollout_status(state, now)}",
        )
    ]
    children = [*_gates(state, now), *_alerts(state, now), *_others(state, now)]
    if state.phase is not None:
        lines.append(("phase", _phase(state, now)))
    hung = [
        (label, f"{'└─' if last else '├─'} {text}")
        for (label, text), last in zip(
            children, [False] * (len(children) - 1) + [True], strict=False
        )
    ]
    return lines + hung


def _phase(state: SystemState, now: datetime) -> str:
    phase = state.phase or {}
    lasted = (now - _moment(phase["since"])).total_seconds()
    plan = next((p for p in (state.profile or {})["phases"] if p["name"] == phase["name"]), {})
    needed = plan.get("min_seconds", 0)
    bar = ""
    if needed:
        done = min(BAR_WIDTH, int(BAR_WIDTH * lasted / needed))
        bar = f" / {_span(needed)} {'▓' * done}{'░' * (BAR_WIDTH - done)}"
    held = f", held by {phase['held_by']}" if phase["status"] == "held" else ""
    limits = ", ".join(f"{key} ≤ {value}" for key, value in phase["limits"].items())
    scope = "; ".join(f"{key}: {', '.join(values)}" for key, values in phase["scope"].items())
    told = "; ".join(filter(None, (limits, scope)))
    return f"{phase['name']} {_span(lasted)}{bar}{held}" + (f"  ({told})" if told else "")


def _gates(state: SystemState, now: datetime) -> Iterator[tuple[str, str]]:
    gate = state.gates.get((state.phase or {}).get("name", ""))
    if gate is not None:
        counts = gate["counts"]
        told = " ".join(
            f"{mark} {counts.get(result, 0)}"
            for result, mark in (("pass", "✔"), ("fail", "✖"), ("inconclusive", "?"))
        )
        yield (
            "gate",
            f"{VERDICT_MARKS[gate['verdict']]} {gate['verdict']} {ago(_moment(gate['at']), now)}  {told}",
        )
    if state.preflight is not None:
        last = state.preflight
        failed = f": {', '.join(last['failed'])}" if last["failed"] else ""
        mark = VERDICT_MARKS[last["verdict"]]
        yield "preflight", f"{mark} {last['verdict']} {ago(_moment(last['at']), now)}{failed}"
    for name, known in standing_waivers(state, now).items():
        yield (
            "waiver",
            f"! {name}: {known['subject']} until {known['until'][:16]} by {known['by']}: {known['reason']}",
        )
    for name, known in state.approvals.items():
        lacking = ", ".join(f"{n} × {role}" for role, n in missing(known).items())
        why = stale(state, known, now)
        told = why.replace("_", " ") if why else (f"missing {lacking}" if lacking else "approved")
        yield "approval", f"{name} {known['subject']}: {told}"


def _alerts(state: SystemState, now: datetime) -> Iterator[tuple[str, str]]:
    for key, alert in state.pending.items():
        held = (now - _moment(alert["active_since"])).total_seconds()
        frozen = ", its clock stands still: no data" if key in state.no_data else ""
        yield "pending", f"◔ {key} {alert['severity']}, for {_span(held)}{frozen}"
    for key, since in state.no_data.items():
        if key not in state.pending:
            yield "no data", f"? {key} since {ago(_moment(since), now)}"


def _others(state: SystemState, now: datetime) -> Iterator[tuple[str, str]]:
    for known in state.mitigations.values():
        target = f" of {known['target']}" if known.get("target") else ""
        yield (
            "mitigation",
            f"↓ {known['mitigation']}{target}, {known['status']}, until {known['until'][:19]}Z",
        )
    for name, known in state.silences.items():
        if known["until"] > iso(now):
            what = ", ".join(f"{key}={value}" for key, value in known["matchers"].items())
            yield "silence", f"{name}: {what} until {known['until'][:16]} by {known['by']}"
    for name, failure in state.failing.items():
        yield "failing", f"✖ {name}: {failure['explanation']}"
    if state.run is not None:
        run = state.run
        yield (
            "run",
            f"{run['run']} {run['status']}, since {ago(_moment(run['since']), now)} on {run['host']}",
        )
    if state.watch is not None:
        watch = state.watch
        yield (
            "watch",
            f"by process {watch['pid']} on {watch['host']}, since {ago(_moment(watch['since']), now)}",
        )


def _span(seconds: float) -> str:
    return duration_text(timedelta(seconds=int(seconds)), parts=2)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
