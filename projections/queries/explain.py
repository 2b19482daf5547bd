"""Why a system is in the state that it is in: the events that led to it, and what would change it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from ledger.domain.approvals.decide import covers
from ledger.domain.log.envelope import Recorded
from ledger.domain.state import SystemState
from projections.core import log
from projections.core.base import Db
from projections.models import mode_changes
from projections.queries import overview
from projections.queries.open_alerts import unfired
from projections.words.sentences import mode_text, sentence, short

Json = dict[str, Any]
CAUSES_MAX: Final = 10
"""How far back a chain of causes is followed."""


def explain(db: Db, system: str, now: datetime) -> Json:
    """Return what there is to tell of ``system`` as of ``now``, the read model having caught up.

    ``state`` is a sentence; ``mode_because`` and ``config_because`` are the events that led there, the
    first one first; ``open`` are sentences on what is not settled; ``next`` the commands that lead on.

    Raises:
        UnknownName: the ledger holds no such system.
    """
    state = overview.present_state(db, system)
    seen = overview.overview(db, system, now)
    quiet = [
        f"{alert['alert']}: {'; '.join(alert['flags'])}"
        for alert in seen["alerts"]
        if alert["flags"]
    ]
    return {
        "system": system,
        "state": _state(state),
        "mode_because": _mode_because(db, state),
        "config": _config(seen),
        "config_because": _config_because(db, seen),
        "open": seen["problems"] + _lesser(seen) + _unseen(state) + quiet,
        "next": _next(state, seen),
        "position": state.position,
    }


def _state(state: SystemState) -> str:
    if state.mode is None:
        return f"{state.system} has never been switched to any mode."
    since = str(state.mode_since)[:19].replace("T", " ")
    return f"{state.system} is {mode_text(state.mode, state.pause_kind)} since {since}Z."


def _mode_because(db: Db, state: SystemState) -> list[Json]:
    switch = mode_changes.present(db, state.system)
    causes = _chain(db, switch["position"], switch["operation"]) if switch else []
    # What was tried since and did not come to anything is half of the answer to "why is it still paused?"
    since = switch["position"] if switch else 0
    query = (
        log.RECORDED + "WHERE stream = 'system:' || %s AND position > %s AND type = ANY (%s) "
        "ORDER BY position DESC LIMIT 3"
    )
    failed = ["ModeSwitchRejected", "ModeSwitchUnconfirmed", "ModeSwitchAbandoned"]
    tried = log.select(db, query, state.system, since, failed)
    return causes + [_told(event) for event in reversed(tried)]


def _config_because(db: Db, seen: Json) -> list[Json]:
    config = seen["config"]
    if config is None or config["applied_position"] is None:
        return []
    applied = log.one(db, "WHERE position = %s", config["applied_position"])
    return _chain(db, applied.position, applied.operation) if applied is not None else []


def _chain(db: Db, position: int, operation: str | None) -> list[Json]:
    """Return the event at ``position``, its operation's intent, and what led to that, the first one first."""
    event = log.one(db, "WHERE position = %s", position)
    if event is None:
        return []
    chain = [event]
    if operation is not None:
        row = db.execute(
            "SELECT position FROM readmodel.operation WHERE operation = %s", (operation,)
        ).fetchone()
        begun = log.one(db, "WHERE position = %s", row[0]) if row is not None else None
        if begun is not None and begun.position < position:
            chain.append(begun)
        chain += _mitigated(db, operation)
    while (cause := chain[-1].decoded.get("cause")) is not None and len(chain) < CAUSES_MAX:
        earlier = log.one(db, "WHERE event_id = %s::uuid", cause)
        if earlier is None:
            break
        chain.append(earlier)
    return [_told(each) for each in reversed(chain)]


def _mitigated(db: Db, operation: str) -> list[Recorded]:
    """Return what opened the incident that ``operation`` mitigated, and the alert behind it."""
    query = """
        SELECT i.position, (
                SELECT max(a.position) FROM readmodel.alert AS a
                    WHERE a.system = i.system AND a.alert = i.record::jsonb #>> '{why,alert}'
                        AND a.position <= i.position)
            FROM readmodel.incident AS i
            WHERE i.record::jsonb -> 'actions'
                @> jsonb_build_array(jsonb_build_object('operation', %s::text))
            ORDER BY i.position DESC LIMIT 1
    """
    positions = db.execute(query, (operation,)).fetchone() or ()
    events = [log.one(db, "WHERE position = %s", position) for position in positions if position]
    return [event for event in events if event is not None]


def _told(event: Recorded) -> Json:
    return {
        "position": event.position,
        "occurred_at": event.occurred_at,
        "actor": event.actor.name,
        "actor_kind": event.actor.kind.value,
        "type": event.type,
        "sentence": sentence(event.type, event.data),
        "reason": event.reason,
    }


def _config(seen: Json) -> str:
    config, stable = seen["config"], seen["last_stable"]
    if config is None:
        return "The ledger knows of no configuration in force."
    marks = [*config["tags"]] + [word for word in ("stable", "quarantined") if config[word]]
    shown = short(config["fingerprint"]) + (f" ({', '.join(marks)})" if marks else "")
    if stable and stable["fingerprint"] == config["fingerprint"]:
        return f"The configuration in force is {shown}. It is the last stable one."
    back = (
        f"The last stable one besides is {short(stable['fingerprint'])}"
        + (f" ({', '.join(stable['tags'])})." if stable["tags"] else ".")
        if stable
        else "No other one is marked stable."
    )
    return f"The configuration in force is {shown}. {back}"


def _lesser(seen: Json) -> list[str]:
    """Return what is open and does not make a system degraded."""
    alerts = [
        f"the {alert['severity']} alert {alert['alert']} is open: {alert['message']}"
        for alert in seen["alerts"]
        if alert["severity"] != "critical"
    ]
    return alerts + [
        f"the incident {incident['incident']} is {incident['status']}: {incident['title']}"
        for incident in seen["incidents"]
    ]


def _unseen(state: SystemState) -> list[str]:
    """Return what may become an alert, and what can't be told because nothing is measured."""
    sentences = {
        "pending": "the condition of {alert} holds since {at}; it has not lasted long enough to fire",
        "no_data": "there is no data on {alert} since {at}: {message}",
        "failing": "{alert} can't be evaluated since {at}: {message}",
    }
    return [
        sentences[row["status"]].format(at=f"{row['since']:%Y-%m-%d %H:%M:%S}Z", **row)
        for row in unfired(state)
    ]


def _has_a_way_back(state: SystemState) -> bool:
    """Tell whether a rollback to the last stable configuration would change anything."""
    target = overview.rollback_target(state)
    return target is not None and (target != state.fingerprint or "config" in state.drift)


def _next(state: SystemState, seen: Json) -> list[str]:
    """Return the commands that lead back to real, in the order in which they are to be given."""
    name = state.system
    steps: list[str] = []
    if state.operations or seen["unconfirmed"]:
        steps.append(f"rollout recover {name}")
    if state.drift:
        steps.append(f"rollout drift {name}")
    for alert in seen["alerts"]:
        if alert["severity"] == "critical":
            if _has_a_way_back(state):
                steps.append(f"rollout rollback {name} --last-stable --dry-run")
            steps.append(f"rollout alert resolve {name} {alert['alert']} --reason …")
            break
    if state.mode == "paused":
        steps.append(f"rollout resume {name} --reason …")
    elif state.mode is None:
        steps.append(f"rollout switch {name} --to mock --reason …")
    return [*steps, *_to_real(state)] if state.mode != "real" else steps


def _to_real(state: SystemState) -> list[str]:
    """Return the commands that lead from mock to real, with what the plan wants before it."""
    name, plan, phase = state.system, state.profile, state.phase
    steps: list[str] = []
    planned = next(
        (each for each in plan.phases if phase is not None and each.name == phase.name), None
    ) if plan is not None else None  # fmt: skip
    if planned is not None and planned.mode not in {None, "real"}:
        steps += [f"rollout gate eval {name}"] if planned.gated else []
        steps.append(f"rollout phase advance {name} --reason …")
    guard = plan.guards.get("real") if plan is not None else None
    if guard is not None and guard.preflight_seconds is not None:
        steps.append(f"rollout preflight run {name}")
    if guard is not None and guard.approvals is not None and guard.approvals.roles:
        runs_real = planned if planned is not None and planned.mode == "real" else None
        entry = runs_real.approvals if runs_real is not None else None
        if entry is None or not covers(entry.roles, guard.approvals.roles):
            steps.append(f"rollout approve request {name} mode:real")
    return [*steps, f"rollout switch {name} --to real --reason …"]
