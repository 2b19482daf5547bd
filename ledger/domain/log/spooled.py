"""What a machine may journal while the ledger is away, and hand in later: what lowers, and what was seen.

Whoever owns the home can write its spool, and needs no right in the database for it. So nothing that
registers, raises, approves or judges comes into the log by this way: only what a pause, a rollback, a watch
and a supervised run leave behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ledger.domain.log.envelope import NewEvent
from ledger.domain.log.ids import control_stream, metrics_stream

_SWITCHES: Final = frozenset(
    {"ModeSwitchRequested", "ModeSwitched", "ModeSwitchUnconfirmed", "ModeSwitchAbandoned"}
)
SPOOLED: Final = _SWITCHES | frozenset(
    """
    RollbackRequested RollbackStepCompleted RollbackCompleted RollbackFailed RollbackAbandoned
    FingerprintQuarantined ConfigApplied
    RunStarted RunStopped CrashDetected StateRecovered
    WatchStarted WatchStopped DriftDetected DriftCleared
    MetricsRecorded EvaluationFailed EvaluationRecovered NoDataDetected DataReturned
    AlertPending AlertFired AlertResolved AlertInhibited InhibitionLifted AlertActionTaken
    AlertClearingBegun AlertClearingCancelled SilenceLifted
    IncidentOpened IncidentMitigated IncidentResolved IncidentNoted
    MitigationRequested MitigationApplied MitigationFailed MitigationLifted
    NotificationDelivered NotificationFailed
    """.split()
)


def require_spooled(new: NewEvent, body: Mapping[str, Any]) -> None:
    """Raise unless ``new``, whose decoded body is ``body``, is what a machine journals.

    Raises:
        ValueError: no such event is journalled: it would register, raise, approve or judge.
        KeyError, TypeError: it is no event.
    """
    system: str = body["system"]
    if new.type not in SPOOLED or body.get("spooled") is not True:
        raise ValueError(f"{new.type} is nothing that is journalled")
    if new.type in _SWITCHES and body["data"]["to_mode"] != "paused":
        raise ValueError("only a pause is journalled")
    if new.type == "ConfigApplied" and body["data"]["cause"] != "rollback":
        raise ValueError("only a rollback is journalled")
    if new.stream not in {control_stream(system), metrics_stream(system)}:
        raise ValueError(f"{new.stream} is no stream of {system}")
