"""What drift means for the state of a system. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from ledger.domain.drift.state import Drift
from ledger.domain.folding import on, with_, without
from ledger.domain.log.envelope import Recorded
from ledger.domain.state import Json, SystemState
from ledger.domain.values.moments import iso


@on("DriftDetected")
def _drift(state: SystemState, event: Recorded, data: Json) -> SystemState:
    drift = Drift.of({**data, "since": iso(event.occurred_at)})
    return replace(state, drift=with_(state.drift, drift.subject, drift))


@on("DriftCleared")
def _drift_cleared(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, drift=without(state.drift, data["subject"]))
