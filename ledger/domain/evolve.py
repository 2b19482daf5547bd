"""evolve(state, event) -> state: what each event means for a system. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from ledger.domain.envelope import Recorded
from ledger.domain.state import Json, SystemState, iso, replace


def evolve(state: SystemState, event: Recorded) -> SystemState:
    """Return ``state`` after ``event``. Types that this program does not know leave it as it is."""
    apply = _APPLY.get(event.type)
    if apply is not None:
        state = apply(state, event, event.data)
    return replace(state, revision=event.revision, position=event.position)


def fold(events: Iterable[Recorded], start: SystemState) -> SystemState:
    """Return ``start`` after all of ``events``."""
    for event in events:
        start = evolve(start, event)
    return start


Apply = Callable[[SystemState, Recorded, Json], SystemState]
_APPLY: Final[dict[str, Apply]] = {}


def _on(*types: str) -> Callable[[Apply], Apply]:
    def register(function: Apply) -> Apply:
        for type_ in types:
            _APPLY[type_] = function
        return function

    return register


def _with(mapping: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    return {**mapping, key: value}


def _without(mapping: Mapping[str, Any], key: str | None) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name != key}


def _superseded(event: Recorded, since: str | None) -> bool:
    """Tell whether history that came in late is older than what the state already holds (I13)."""
    return _late(event) and since is not None and iso(event.occurred_at) < since


def _late(event: Recorded) -> bool:
    return event.backfilled or bool(event.decoded.get("spooled"))


@_on("SystemRegistered", "SystemChanged")
def _registered(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, registration=data)


# --- modes ---


@_on("ModeSwitchRequested")
def _mode_requested(state: SystemState, event: Recorded, data: Json) -> SystemState:
    return _begun(state, event, "switch", data, overtaken=_superseded(event, state.mode_since))


@_on("ModeSwitched")
def _mode_switched(state: SystemState, event: Recorded, data: Json) -> SystemState:
    asked = _asked(state, event)
    state = _ended(state, event)
    if _superseded(event, state.mode_since):
        return state
    return replace(
        state,
        mode=data["to_mode"],
        pause_kind=data.get("to_kind"),
        mode_since=iso(event.occurred_at),
        # Who decided it, not who came by later and finished it after a crash.
        mode_by=asked["actor"],
        mode_reason=asked["reason"],
        mode_position=event.position,
        operations=_overtaken(state, event, asked, "switch"),
        drift=_without(state.drift, "mode"),
    )


@_on("ModeSwitchUnconfirmed", "ModeSwitchAbandoned")
def _mode_not_switched(state: SystemState, event: Recorded, _data: Json) -> SystemState:
    return _ended(state, event)


# --- configurations ---


_UNKNOWN_CONFIG: Final[Json] = {
    "snapshots": {},
    "registered_at": None,
    "registered_position": None,
    "last_snapshot": None,
    "stable": None,
    "stable_at": None,
    "quarantined": None,
    "applied": False,
}


def _config(state: SystemState, fingerprint: str, **changes: Any) -> SystemState:
    known = state.configs.get(fingerprint, _UNKNOWN_CONFIG)
    return replace(state, configs=_with(state.configs, fingerprint, {**known, **changes}))


@_on("ConfigRegistered")
def _config_registered(state: SystemState, event: Recorded, data: Json) -> SystemState:
    known = state.configs.get(data["fingerprint"])
    snapshots = _with(known["snapshots"] if known else {}, data["snapshot"], data["files"])
    if known is not None and known["registered_at"] is not None:
        return _config(state, data["fingerprint"], snapshots=snapshots)
    return _config(
        state,
        data["fingerprint"],
        snapshots=snapshots,
        registered_at=iso(event.occurred_at),
        registered_position=event.position,
        last_snapshot=data["snapshot"],
    )


@_on("ConfigApplyRequested")
def _apply_requested(state: SystemState, event: Recorded, data: Json) -> SystemState:
    return _begun(state, event, "apply", data)


@_on("ConfigApplied")
def _config_applied(state: SystemState, event: Recorded, data: Json) -> SystemState:
    asked = _asked(state, event)
    if data["cause"] == "apply":
        state = _ended(state, event)
    state = _config(state, data["fingerprint"], last_snapshot=data["snapshot"], applied=True)
    if _superseded(event, state.applied_at):
        return state
    return replace(
        state,
        fingerprint=data["fingerprint"],
        snapshot=data["snapshot"],
        left=state.fingerprint,
        applied_at=iso(event.occurred_at),
        applied_cause=data["cause"],
        operations=_overtaken(state, event, asked, "apply", "rollback"),
        drift=_without(state.drift, "config"),
    )


@_on("ConfigApplyFailed")
def _apply_failed(state: SystemState, event: Recorded, _data: Json) -> SystemState:
    return _ended(state, event)


@_on("FingerprintTagged")
def _tagged(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, tags=_with(state.tags, data["tag"], data["fingerprint"]))


@_on("FingerprintMarkedStable")
def _stable(state: SystemState, event: Recorded, data: Json) -> SystemState:
    return _config(
        state,
        data["fingerprint"],
        stable=event.position,
        stable_at=iso(event.occurred_at),
        quarantined=None,
    )


@_on("FingerprintQuarantined")
def _quarantined(state: SystemState, event: Recorded, data: Json) -> SystemState:
    known = state.configs.get(data["fingerprint"], _UNKNOWN_CONFIG)
    if _superseded(event, known["stable_at"]):
        return state
    return _config(state, data["fingerprint"], quarantined=event.position)


# --- operations ---


def _begun(
    state: SystemState, event: Recorded, kind: str, data: Json, *, overtaken: bool = False
) -> SystemState:
    operation = {
        **_decided(event),
        "kind": kind,
        "steps": [],
        "intent": data,
        "overtaken": overtaken,
    }
    return replace(state, operations=_with(state.operations, str(event.operation), operation))


def _ended(state: SystemState, event: Recorded) -> SystemState:
    return replace(state, operations=_without(state.operations, event.operation))


def _decided(event: Recorded) -> dict[str, Any]:
    """Return who decided what ``event`` begins, when and why."""
    return {
        "position": event.position,
        "at": iso(event.occurred_at),
        "late": _late(event),
        "actor": event.actor.name,
        "reason": event.reason,
    }


def _asked(state: SystemState, event: Recorded) -> Json:
    """Return who decided what ``event`` is the outcome of; the event itself where no intent is known."""
    return state.operations.get(str(event.operation)) or _decided(event)


def _overtaken(state: SystemState, event: Recorded, asked: Json, *kinds: str) -> Mapping[str, Json]:
    """Return the operations in flight, marked if this outcome's decision came after theirs."""
    if not state.operations:
        return state.operations
    return {
        operation: {**known, "overtaken": True}
        if known["kind"] in kinds and operation != event.operation and _precedes(known, asked)
        else known
        for operation, known in state.operations.items()
    }


def _precedes(one: Json, other: Json) -> bool:
    """Order two decisions: by position, which is exact; by their own times where one came in late."""
    key = "at" if one["late"] or other["late"] else "position"
    return bool(one[key] < other[key])


@_on("RollbackRequested")
def _rollback_requested(state: SystemState, event: Recorded, data: Json) -> SystemState:
    return _begun(state, event, "rollback", data, overtaken=_superseded(event, state.applied_at))


@_on("RollbackStepCompleted")
def _rollback_step(state: SystemState, event: Recorded, data: Json) -> SystemState:
    known = state.operations.get(str(event.operation))
    if known is None:
        return state
    steps = [*known["steps"], data["step"]]
    return replace(
        state, operations=_with(state.operations, str(event.operation), {**known, "steps": steps})
    )


@_on("RollbackFailed")
def _rollback_failed(state: SystemState, event: Recorded, data: Json) -> SystemState:
    known = state.operations.get(str(event.operation))
    if known is None:
        return state
    failed = {**known, "failed": data["explanation"]}
    return replace(state, operations=_with(state.operations, str(event.operation), failed))


@_on("RollbackCompleted", "RollbackAbandoned")
def _rollback_ended(state: SystemState, event: Recorded, _data: Json) -> SystemState:
    return _ended(state, event)


# --- drift, alerts, incidents ---


@_on("DriftDetected")
def _drift(state: SystemState, event: Recorded, data: Json) -> SystemState:
    found = {**data, "since": iso(event.occurred_at)}
    return replace(state, drift=_with(state.drift, data["subject"], found))


@_on("DriftCleared")
def _drift_cleared(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, drift=_without(state.drift, data["subject"]))


@_on("AlertFired")
def _alert_fired(state: SystemState, event: Recorded, data: Json) -> SystemState:
    alert = {
        "severity": data["severity"],
        "message": data["message"],
        "since": iso(event.occurred_at),
        "acknowledged_by": None,
    }
    return replace(state, alerts=_with(state.alerts, data["alert"], alert))


@_on("AlertAcknowledged")
def _alert_acknowledged(state: SystemState, event: Recorded, data: Json) -> SystemState:
    known = state.alerts.get(data["alert"])
    if known is None:
        return state
    seen = {**known, "acknowledged_by": event.actor.name}
    return replace(state, alerts=_with(state.alerts, data["alert"], seen))


@_on("AlertResolved")
def _alert_resolved(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, alerts=_without(state.alerts, data["alert"]))


@_on("IncidentOpened")
def _incident_opened(state: SystemState, event: Recorded, data: Json) -> SystemState:
    incident = {
        "status": "open",
        "title": data["title"],
        "severity": data["severity"],
        "alert": data.get("alert"),
        "opened_at": iso(event.occurred_at),
    }
    return replace(state, incidents=_with(state.incidents, data["incident"], incident))


_INCIDENT_STATUS: Final = {
    "IncidentAcknowledged": "acknowledged",
    "IncidentMitigated": "mitigated",
    "IncidentResolved": "resolved",
}


@_on(*_INCIDENT_STATUS)
def _incident_moved(state: SystemState, event: Recorded, data: Json) -> SystemState:
    known = state.incidents.get(data["incident"])
    # What was journalled while the ledger was away may come in after somebody has resolved it.
    if known is None or known["status"] == "resolved":
        return state
    moved = {**known, "status": _INCIDENT_STATUS[event.type]}
    return replace(state, incidents=_with(state.incidents, data["incident"], moved))


@_on("IncidentClosed")
def _incident_closed(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, incidents=_without(state.incidents, data["incident"]))
