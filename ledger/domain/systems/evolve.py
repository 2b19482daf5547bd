"""What registration means for the state of a system. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from ledger.domain.folding import on
from ledger.domain.log.envelope import Recorded
from ledger.domain.state import Json, SystemState
from ledger.domain.systems.state import Registration


@on("SystemRegistered", "SystemChanged")
def _registered(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, registration=Registration.of(data))
