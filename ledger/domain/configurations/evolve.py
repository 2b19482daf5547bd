"""What configurations mean for the state of a system. Pure."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from ledger.domain.configurations.state import ApplyIntent, Configuration, SnapshotFile
from ledger.domain.folding import (
    begun,
    decided,
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
from ledger.domain.operations import ApplyOperation
from ledger.domain.state import Json, SystemState
from ledger.domain.values.moments import iso

_UNKNOWN: Final = Configuration()


def _config(state: SystemState, fingerprint: str, **changes: Any) -> SystemState:
    configuration = replace(state.configs.get(fingerprint, _UNKNOWN), **changes)
    return replace(state, configs=with_(state.configs, fingerprint, configuration))


@on("ConfigRegistered")
def _config_registered(state: SystemState, event: Recorded, data: Json) -> SystemState:
    configuration = state.configs.get(data["fingerprint"], _UNKNOWN)
    files = tuple(map(SnapshotFile.of, data["files"]))
    snapshots = with_(configuration.snapshots, data["snapshot"], files)
    form: int = data["canonical_form"]
    if configuration.registered_at is not None:
        return _config(state, data["fingerprint"], snapshots=snapshots, canonical_form=form)
    return _config(
        state,
        data["fingerprint"],
        snapshots=snapshots,
        registered_at=iso(event.occurred_at),
        registered_position=event.position,
        last_snapshot=data["snapshot"],
        canonical_form=form,
    )


@on("ConfigApplyRequested")
def _apply_requested(state: SystemState, event: Recorded, data: Json) -> SystemState:
    return begun(state, event, ApplyOperation(**decided(event), intent=ApplyIntent.of(data)))


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
    configuration = state.configs.get(data["fingerprint"], _UNKNOWN)
    if superseded(event, configuration.stable_at):
        return state
    return _config(state, data["fingerprint"], quarantined=event.position)
