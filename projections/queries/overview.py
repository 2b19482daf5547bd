"""A system at a glance: what it runs, since when, by whom, and what is wrong with that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from ledger.alerts.judge import NO_DATA_ALERT
from ledger.alerts.muting import flags
from ledger.domain.errors import UnknownSystem
from ledger.domain.rollbacks.decide import way_back
from ledger.domain.state import SystemState, decode
from projections.core.base import Db
from projections.core.rows import select
from projections.models import alerts, incidents, mode_changes, operations, timeline
from projections.words.sentences import changes_text, short

Json = dict[str, Any]


def present_state(db: Db, system: str) -> SystemState:
    """Return the present state of ``system``.

    Raises:
        UnknownSystem: the ledger holds no such system.
    """
    row = db.execute(
        "SELECT state FROM readmodel.system_state WHERE system = %s", (system,)
    ).fetchone()
    state = decode(row[0]) if row is not None else SystemState(system)
    if state.registration is None:
        raise UnknownSystem(system)
    return state


def overview(db: Db, system: str, now: datetime, beside: Sequence[str] = ()) -> Json:
    """Return everything that `rollout status SYSTEM` shows, as of ``now``.

    ``health`` is healthy or degraded, and ``problems`` says why in sentences; ``beside`` are those that the
    log does not tell.

    Raises:
        UnknownSystem: the ledger holds no such system.
    """
    state = present_state(db, system)
    problems = [*problems_of(state), *beside]
    switch = mode_changes.present(db, system)
    return {
        **summary_of(state, problems),
        "mode_position": switch["position"] if switch else None,
        "mode_by": state.mode_by,
        "mode_reason": state.mode_reason,
        "config": _config(db, state, state.fingerprint),
        "last_stable": _config(db, state, rollback_target(state)),
        "alerts": [
            {**row, "flags": flags(state, row["alert"], now)}
            for row in alerts.list_alerts(db, system)
        ],
        "incidents": incidents.list_incidents(db, system),
        "operations": operations.list_operations(db, system, in_flight=True),
        "drift": {subject: drift.to_json() for subject, drift in state.drift.items()},
        "unconfirmed": state.unconfirmed.to_json() if state.unconfirmed else None,
        "last_events": timeline.select(
            db, timeline.Filter(system=system, clock="recorded_at"), limit=3
        ),
        "revision": state.revision,
        "position": state.position,
    }


def rollback_target(state: SystemState) -> str | None:
    """Return where `rollout rollback --last-stable` would end, as far as the ledger can tell.

    After a rollback that is the configuration in force, until somebody vouches for another one.
    """
    return way_back(state, None if "config" in state.drift else state.fingerprint)


def overviews(db: Db, beside: Callable[[SystemState], Sequence[str]]) -> list[Json]:
    """Return one row for every registered system, by name; ``beside`` as in `overview`."""
    rows = db.execute('SELECT state FROM readmodel.system_state ORDER BY system COLLATE "C"')
    states = [decode(row[0]) for row in rows]
    return [
        summary_of(state, [*problems_of(state), *beside(state)])
        for state in states
        if state.registration is not None
    ]


def summary_of(state: SystemState, problems: Sequence[str]) -> Json:
    """Return the few facts of a system that fit into a row."""
    return {
        "system": state.system,
        "health": "degraded" if problems else "healthy",
        "problems": list(problems),
        "environment": state.environment,
        "mode": state.mode,
        "pause_kind": state.pause_kind,
        "mode_since": state.mode_since,
        "fingerprint": state.fingerprint,
        "tags": state.tags_of(state.fingerprint),
        "open_alerts": len(state.alerts),
        "open_incidents": len(state.incidents),
    }


def problems_of(state: SystemState) -> list[str]:
    """Return, as sentences, why a system is not healthy: nothing for one that is."""
    problems = [
        f"the critical alert {name} is open: {alert.message}"
        for name, alert in state.alerts.items()
        if alert.severity == "critical"
    ]
    problems += [
        f"position {position} ({event.type}) can't be read: {event.explanation}"
        for position, event in state.unread.items()
    ]
    for subject, drift in state.drift.items():
        difference = changes_text(drift.to_json()["changes"]) or f"{drift.expected} → {drift.found}"
        problems.append(f"the {subject} in the world is not what the ledger has: {difference}")
    for operation in state.operations.values():
        failed = f", and failed: {operation.failed}" if operation.failed else ""
        problems.append(
            f"a {operation.kind} was begun by {operation.actor} and has not ended{failed}"
        )
    if state.unconfirmed is not None:
        switch = state.unconfirmed
        problems.append(f"the switch to {switch.to} was not confirmed: {switch.detail}")
    return problems + problems_of_running(state) + _unseen(state)


def problems_of_running(state: SystemState) -> list[str]:
    """Return what is wrong with what runs, or is to run."""
    problems: list[str] = []
    run = state.run
    if run is not None and run.status == "crashed":
        problems.append(f"the run {run.run} crashed at {run.ended}, and none was started since")
    configuration = state.configs.get(state.fingerprint or "")
    if configuration is not None and configuration.quarantined:
        problems.append(f"the configuration in force, {short(state.fingerprint)}, is in quarantine")
    return problems


def _unseen(state: SystemState) -> list[str]:
    """Return what nobody sees of a system in real: no data is no sign that all is well (I8)."""
    if state.mode != "real":
        return []
    blind = [f"{name} fails: {failure.explanation}" for name, failure in state.failing.items()]
    return blind + [
        alert.message
        for name, alert in state.alerts.items()
        if name.startswith(f"{NO_DATA_ALERT}(")
    ]


def _config(db: Db, state: SystemState, fingerprint: str | None) -> Json | None:
    if fingerprint is None:
        return None
    query = """
        SELECT fingerprint, tags, stable_at IS NOT NULL AND quarantined_at IS NULL AS stable,
               quarantined_at IS NOT NULL AS quarantined, applied_at, applied_by, applied_cause,
               applied_position, stable_at, stable_by
            FROM readmodel.configuration WHERE system = %s AND fingerprint = %s
    """
    return next(iter(select(db, query, (state.system, fingerprint))), None)
