"""What is recorded of mitigations once their file is written."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ledger.domain.alerts.state import Incident
from ledger.domain.mitigations.state import StandingMitigation
from ledger.domain.state import SystemState
from ledger.service.mitigations.mitigation import told_of

NOW = "2025-11-20T12:00:00.000000Z"
LATER = "2025-11-20T13:00:00.000000Z"


def mitigation(
    name: str,
    status: Literal["requested", "applied"],
    until: str = LATER,
    alert: str | None = None,
) -> StandingMitigation:
    return StandingMitigation(
        mitigation=name, kind="lock", status=status, until=until, alert=alert, at=NOW, by="ann",
        position=1,
    )  # fmt: skip


def test_only_what_stands_in_the_file_is_in_force() -> None:
    """I5: two put one in force at the same moment; what the other asked for is for the other to write."""
    state = SystemState(
        "bot",
        mitigations={
            "calm": mitigation("calm", "requested", alert="EceHigh"),
            "hold": mitigation("hold", "requested"),
            "lighter": mitigation("lighter", "applied", until=NOW),
        },
        incidents={
            "INC-1": Incident("open", "t", "critical", alert="EceHigh", opened_at=NOW),
            "INC-2": Incident("open", "t", "critical", alert=None, opened_at=NOW),
        },
    )
    told = told_of(state, {"calm"}, NOW, Path("m.json"))
    assert [(one.type, one.payload().get("mitigation", "")) for one in told] == [
        ("MitigationApplied", "calm"), ("IncidentMitigated", ""), ("MitigationLifted", "lighter"),
    ]  # fmt: skip
    assert told[1].payload()["incident"] == "INC-1"
