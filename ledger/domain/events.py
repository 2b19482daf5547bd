"""The catalogue: every kind of event, once. Past tense, schema-versioned, never a float.

A published version of a model is frozen by a golden vector (tests/vectors/events.json). To change one,
raise its ``version`` and register an upcaster in `ledger.domain.log.upcast`; what was recorded is never
rewritten. Numbers that are measured are decimal text, so that no encoder can round them; configuration
values are canonical JSON text, so that the string "0.5" and the number 0.5 stay apart.

The models live in this package's modules and are loaded when first named: building a pydantic model takes
half a millisecond, and a pause at three in the morning needs five of them, not eighty.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ledger.domain.log.event import Event as Event, Part as Part

if TYPE_CHECKING:  # every model by its name, for whoever reads the types
    from ledger.domain.alerts.events import *  # noqa: F403 -- what `_NAMES` lists
    from ledger.domain.approvals.events import *  # noqa: F403 -- what `_NAMES` lists
    from ledger.domain.backups.events import *  # noqa: F403 -- what `_NAMES` lists
    from ledger.domain.configurations.events import *  # noqa: F403 -- what `_NAMES` lists
    from ledger.domain.drift.events import *  # noqa: F403 -- what `_NAMES` lists
    from ledger.domain.gates.events import *  # noqa: F403 -- what `_NAMES` lists
    from ledger.domain.log.events import *  # noqa: F403 -- what `_NAMES` lists
    from ledger.domain.mitigations.events import *  # noqa: F403 -- what `_NAMES` lists
    from ledger.domain.modes.events import *  # noqa: F403 -- what `_NAMES` lists
    from ledger.domain.notifications.events import *  # noqa: F403 -- what `_NAMES` lists
    from ledger.domain.observations.events import *  # noqa: F403 -- what `_NAMES` lists
    from ledger.domain.plans.events import *  # noqa: F403 -- what `_NAMES` lists
    from ledger.domain.reports.events import *  # noqa: F403 -- what `_NAMES` lists
    from ledger.domain.rollbacks.events import *  # noqa: F403 -- what `_NAMES` lists
    from ledger.domain.runs.events import *  # noqa: F403 -- what `_NAMES` lists
    from ledger.domain.systems.events import *  # noqa: F403 -- what `_NAMES` lists

_NAMES: Final = {
    "log": "LedgerCreated SecretKeyAdopted EventCorrected HistoryImported",
    "backups": "BackupCreated BackupVerified",
    "systems": "ConfigFile CodePlace Actuators SystemRegistered SystemChanged StateRecovered",
    "modes": (
        "Attempt ModeSwitchRequested ModeSwitched ModeSwitchRejected ModeSwitchUnconfirmed "
        "ModeSwitchAbandoned"
    ),
    "configurations": (
        "SnapshotFile Change PhaseMove ConfigRegistered ConfigApplyRequested ConfigApplied "
        "ConfigApplyFailed FingerprintTagged FingerprintMarkedStable FingerprintQuarantined"
    ),
    "rollbacks": (
        "CodeMove RollbackRequested RollbackStepCompleted RollbackCompleted RollbackFailed "
        "RollbackAbandoned"
    ),
    "drift": "DriftDetected DriftCleared",
    "plans": (
        "Quorum ModeGuard PlannedPhase ProfileAdopted PhaseEntered PhaseHeld PhaseReleased "
        "PhaseAdvanced PhaseAborted ScopeChanged"
    ),
    "gates": "CheckResult PreflightCompleted CriterionResult GateEvaluated GateWaived WaiverRevoked",
    "approvals": "ApprovalRequested ApprovalGranted ApprovalDenied ApprovalInvalidated",
    "alerts": (
        "Rule AlertPending AlertFired AlertAcknowledged AlertResolved AlertClearingBegun "
        "AlertClearingCancelled NoDataDetected DataReturned EvaluationFailed EvaluationRecovered "
        "AlertActionTaken AlertSilenced SilenceLifted AlertInhibited InhibitionLifted "
        "IncidentOpened IncidentNoted IncidentAcknowledged IncidentMitigated IncidentResolved "
        "IncidentClosed"
    ),
    "mitigations": "MitigationRequested MitigationApplied MitigationFailed MitigationLifted",
    "notifications": "NotificationDelivered NotificationFailed",
    "runs": "RunStarted RunStopped CrashDetected WatchStarted WatchStopped",
    "observations": "Sample MetricsRecorded OrderActivityRecorded",
    "reports": "ReportGenerated",
}
"""The models of each capability: parts of events, then the events as they come about."""
_HOME: Final = {name: home for home, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(name)
    return getattr(import_module(f"ledger.domain.{_HOME[name]}.events"), name)


def catalogue() -> dict[str, type[Event]]:
    """Return every event type by its name; loads them all."""
    named = {name: __getattr__(name) for name in _HOME}
    return {name: model for name, model in named.items() if issubclass(model, Event)}


def model_of(type_: str) -> type[Event]:
    """Return the model of the event type named ``type_``.

    Raises:
        KeyError: this program knows no such type.
    """
    if type_ not in _HOME:
        raise KeyError(type_)
    model: type[Event] = __getattr__(type_)
    return model
