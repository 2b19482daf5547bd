"""What is decided about a system itself: registration, modes, configurations, rollbacks; and drift."""

from __future__ import annotations

from typing import Any, Final

from ledger.domain.folding import (
    begun,
    ended,
    mark_overtaken,
    on,
    superseded,
    who_asked,
    with_,
    with_code,
    without,
)
from ledger.domain.log.envelope import Recorded
from ledger.domain.state import Json, SystemState, iso, replace


@on("SystemRegistered", "SystemChanged")
def _registered(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, registration=data)


# --- modes ---


@on("ModeSwitchRequested")
def _mode_requested(state: SystemState, event: Recorded, data: Json) -> SystemState:
    return begun(state, event, "switch", data, overtaken=superseded(event, state.mode_since))


@on("ModeSwitched")
def _mode_switched(state: SystemState, event: Recorded, data: Json) -> SystemState:
    asked = who_asked(state, event)
    state = ended(state, event)
    if superseded(event, state.mode_since):
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
        unconfirmed=None,
        operations=mark_overtaken(state, event, asked, "switch"),
        drift=without(state.drift, "mode"),
    )


@on("ModeSwitchAbandoned")
def _mode_not_switched(state: SystemState, event: Recorded, _data: Json) -> SystemState:
    return ended(state, event)


@on("ModeSwitchUnconfirmed")
def _mode_unconfirmed(state: SystemState, event: Recorded, data: Json) -> SystemState:
    asked = who_asked(state, event)
    state = ended(state, event)
    if superseded(event, state.mode_since):
        return state
    kind = data.get("to_kind")
    unconfirmed = {
        "to": f"{data['to_mode']}/{kind}" if kind else data["to_mode"],
        "detail": data["explanation"],
        "at": iso(event.occurred_at),
        "actor": asked["actor"],
        "position": event.position,
    }
    return replace(state, unconfirmed=unconfirmed)


@on("StateRecovered")
def _recovered(state: SystemState, _event: Recorded, _data: Json) -> SystemState:
    # Whoever recovered has looked at the world: what differs there is drift from now on.
    return replace(state, unconfirmed=None)


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
    return replace(state, configs=with_(state.configs, fingerprint, {**known, **changes}))


@on("ConfigRegistered")
def _config_registered(state: SystemState, event: Recorded, data: Json) -> SystemState:
    known = state.configs.get(data["fingerprint"])
    snapshots = with_(known["snapshots"] if known else {}, data["snapshot"], data["files"])
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


@on("ConfigApplyRequested")
def _apply_requested(state: SystemState, event: Recorded, data: Json) -> SystemState:
    return begun(state, event, "apply", data)


@on("ConfigApplied")
def _config_applied(state: SystemState, event: Recorded, data: Json) -> SystemState:
    asked = who_asked(state, event)
    if data["cause"] == "apply":
        state = ended(state, event)
    state = _config(state, data["fingerprint"], last_snapshot=data["snapshot"], applied=True)
    if superseded(event, state.applied_at):
        return state
    state = with_code(state, event)
    return replace(
        state,
        fingerprint=data["fingerprint"],
        snapshot=data["snapshot"],
        left=state.fingerprint,
        applied_at=iso(event.occurred_at),
        applied_cause=data["cause"],
        operations=mark_overtaken(state, event, asked, "apply", "rollback"),
        drift=without(state.drift, "config"),
    )


@on("ConfigApplyFailed")
def _apply_failed(state: SystemState, event: Recorded, _data: Json) -> SystemState:
    return ended(state, event)


@on("FingerprintTagged")
def _tagged(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, tags=with_(state.tags, data["tag"], data["fingerprint"]))


@on("FingerprintMarkedStable")
def _stable(state: SystemState, event: Recorded, data: Json) -> SystemState:
    return _config(
        state,
        data["fingerprint"],
        stable=event.position,
        stable_at=iso(event.occurred_at),
        quarantined=None,
    )


@on("FingerprintQuarantined")
def _quarantined(state: SystemState, event: Recorded, data: Json) -> SystemState:
    known = state.configs.get(data["fingerprint"], _UNKNOWN_CONFIG)
    if superseded(event, known["stable_at"]):
        return state
    return _config(state, data["fingerprint"], quarantined=event.position)


# --- rollbacks ---


@on("RollbackRequested")
def _rollback_requested(state: SystemState, event: Recorded, data: Json) -> SystemState:
    return begun(state, event, "rollback", data, overtaken=superseded(event, state.applied_at))


@on("RollbackStepCompleted")
def _rollback_step(state: SystemState, event: Recorded, data: Json) -> SystemState:
    known = state.operations.get(str(event.operation))
    if known is None:
        return state
    steps = [*known["steps"], data["step"]]
    return replace(
        state, operations=with_(state.operations, str(event.operation), {**known, "steps": steps})
    )


@on("RollbackFailed")
def _rollback_failed(state: SystemState, event: Recorded, data: Json) -> SystemState:
    known = state.operations.get(str(event.operation))
    if known is None:
        return state
    failed = {**known, "failed": data["explanation"]}
    return replace(state, operations=with_(state.operations, str(event.operation), failed))


@on("RollbackCompleted", "RollbackAbandoned")
def _rollback_ended(state: SystemState, event: Recorded, _data: Json) -> SystemState:
    return ended(state, event)


# --- drift ---


@on("DriftDetected")
def _drift(state: SystemState, event: Recorded, data: Json) -> SystemState:
    found = {**data, "since": iso(event.occurred_at)}
    return replace(state, drift=with_(state.drift, data["subject"], found))


@on("DriftCleared")
def _drift_cleared(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, drift=without(state.drift, data["subject"]))
