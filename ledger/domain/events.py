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

if TYPE_CHECKING:
    from ledger.domain.alerts.events import (
        AlertAcknowledged as AlertAcknowledged,
        AlertActionTaken as AlertActionTaken,
        AlertClearingBegun as AlertClearingBegun,
        AlertClearingCancelled as AlertClearingCancelled,
        AlertFired as AlertFired,
        AlertInhibited as AlertInhibited,
        AlertPending as AlertPending,
        AlertResolved as AlertResolved,
        AlertSilenced as AlertSilenced,
        DataReturned as DataReturned,
        EvaluationFailed as EvaluationFailed,
        EvaluationRecovered as EvaluationRecovered,
        IncidentAcknowledged as IncidentAcknowledged,
        IncidentClosed as IncidentClosed,
        IncidentMitigated as IncidentMitigated,
        IncidentNoted as IncidentNoted,
        IncidentOpened as IncidentOpened,
        IncidentResolved as IncidentResolved,
        InhibitionLifted as InhibitionLifted,
        NoDataDetected as NoDataDetected,
        Rule as Rule,
        SilenceLifted as SilenceLifted,
    )
    from ledger.domain.approvals.events import (
        ApprovalDenied as ApprovalDenied,
        ApprovalGranted as ApprovalGranted,
        ApprovalInvalidated as ApprovalInvalidated,
        ApprovalRequested as ApprovalRequested,
    )
    from ledger.domain.backups.events import (
        BackupCreated as BackupCreated,
        BackupVerified as BackupVerified,
    )
    from ledger.domain.configurations.events import (
        Change as Change,
        ConfigApplied as ConfigApplied,
        ConfigApplyFailed as ConfigApplyFailed,
        ConfigApplyRequested as ConfigApplyRequested,
        ConfigRegistered as ConfigRegistered,
        FingerprintMarkedStable as FingerprintMarkedStable,
        FingerprintQuarantined as FingerprintQuarantined,
        FingerprintTagged as FingerprintTagged,
        PhaseMove as PhaseMove,
        SnapshotFile as SnapshotFile,
    )
    from ledger.domain.drift.events import (
        DriftCleared as DriftCleared,
        DriftDetected as DriftDetected,
    )
    from ledger.domain.gates.events import (
        CheckResult as CheckResult,
        CriterionResult as CriterionResult,
        GateEvaluated as GateEvaluated,
        GateWaived as GateWaived,
        PreflightCompleted as PreflightCompleted,
        WaiverRevoked as WaiverRevoked,
    )
    from ledger.domain.log.events import (
        EventCorrected as EventCorrected,
        HistoryImported as HistoryImported,
        LedgerCreated as LedgerCreated,
        SecretKeyAdopted as SecretKeyAdopted,
    )
    from ledger.domain.mitigations.events import (
        MitigationApplied as MitigationApplied,
        MitigationFailed as MitigationFailed,
        MitigationLifted as MitigationLifted,
        MitigationRequested as MitigationRequested,
    )
    from ledger.domain.modes.events import (
        Attempt as Attempt,
        ModeSwitchAbandoned as ModeSwitchAbandoned,
        ModeSwitched as ModeSwitched,
        ModeSwitchRejected as ModeSwitchRejected,
        ModeSwitchRequested as ModeSwitchRequested,
        ModeSwitchUnconfirmed as ModeSwitchUnconfirmed,
    )
    from ledger.domain.notifications.events import (
        NotificationDelivered as NotificationDelivered,
        NotificationFailed as NotificationFailed,
    )
    from ledger.domain.observations.events import (
        MetricsRecorded as MetricsRecorded,
        OrderActivityRecorded as OrderActivityRecorded,
        Sample as Sample,
    )
    from ledger.domain.plans.events import (
        ModeGuard as ModeGuard,
        PhaseAborted as PhaseAborted,
        PhaseAdvanced as PhaseAdvanced,
        PhaseEntered as PhaseEntered,
        PhaseHeld as PhaseHeld,
        PhaseReleased as PhaseReleased,
        PlannedPhase as PlannedPhase,
        ProfileAdopted as ProfileAdopted,
        Quorum as Quorum,
        ScopeChanged as ScopeChanged,
    )
    from ledger.domain.reports.events import ReportGenerated as ReportGenerated
    from ledger.domain.rollbacks.events import (
        CodeMove as CodeMove,
        RollbackAbandoned as RollbackAbandoned,
        RollbackCompleted as RollbackCompleted,
        RollbackFailed as RollbackFailed,
        RollbackRequested as RollbackRequested,
        RollbackStepCompleted as RollbackStepCompleted,
    )
    from ledger.domain.runs.events import (
        CrashDetected as CrashDetected,
        RunStarted as RunStarted,
        RunStopped as RunStopped,
        WatchStarted as WatchStarted,
        WatchStopped as WatchStopped,
    )
    from ledger.domain.systems.events import (
        Actuators as Actuators,
        CodePlace as CodePlace,
        ConfigFile as ConfigFile,
        StateRecovered as StateRecovered,
        SystemChanged as SystemChanged,
        SystemRegistered as SystemRegistered,
    )

_HOME: Final = {
    "LedgerCreated": "log",
    "SecretKeyAdopted": "log",
    "EventCorrected": "log",
    "HistoryImported": "log",
    "BackupCreated": "backups",
    "BackupVerified": "backups",
    "ConfigFile": "systems",
    "CodePlace": "systems",
    "Actuators": "systems",
    "SystemRegistered": "systems",
    "SystemChanged": "systems",
    "StateRecovered": "systems",
    "Attempt": "modes",
    "ModeSwitchRequested": "modes",
    "ModeSwitched": "modes",
    "ModeSwitchRejected": "modes",
    "ModeSwitchUnconfirmed": "modes",
    "ModeSwitchAbandoned": "modes",
    "SnapshotFile": "configurations",
    "Change": "configurations",
    "PhaseMove": "configurations",
    "ConfigRegistered": "configurations",
    "ConfigApplyRequested": "configurations",
    "ConfigApplied": "configurations",
    "ConfigApplyFailed": "configurations",
    "FingerprintTagged": "configurations",
    "FingerprintMarkedStable": "configurations",
    "FingerprintQuarantined": "configurations",
    "CodeMove": "rollbacks",
    "RollbackRequested": "rollbacks",
    "RollbackStepCompleted": "rollbacks",
    "RollbackCompleted": "rollbacks",
    "RollbackFailed": "rollbacks",
    "RollbackAbandoned": "rollbacks",
    "DriftDetected": "drift",
    "DriftCleared": "drift",
    "Quorum": "plans",
    "ModeGuard": "plans",
    "PlannedPhase": "plans",
    "ProfileAdopted": "plans",
    "PhaseEntered": "plans",
    "PhaseHeld": "plans",
    "PhaseReleased": "plans",
    "PhaseAdvanced": "plans",
    "PhaseAborted": "plans",
    "ScopeChanged": "plans",
    "CheckResult": "gates",
    "PreflightCompleted": "gates",
    "CriterionResult": "gates",
    "GateEvaluated": "gates",
    "GateWaived": "gates",
    "WaiverRevoked": "gates",
    "ApprovalRequested": "approvals",
    "ApprovalGranted": "approvals",
    "ApprovalDenied": "approvals",
    "ApprovalInvalidated": "approvals",
    "Rule": "alerts",
    "AlertPending": "alerts",
    "AlertFired": "alerts",
    "AlertAcknowledged": "alerts",
    "AlertResolved": "alerts",
    "AlertClearingBegun": "alerts",
    "AlertClearingCancelled": "alerts",
    "NoDataDetected": "alerts",
    "DataReturned": "alerts",
    "EvaluationFailed": "alerts",
    "EvaluationRecovered": "alerts",
    "AlertActionTaken": "alerts",
    "AlertSilenced": "alerts",
    "SilenceLifted": "alerts",
    "AlertInhibited": "alerts",
    "InhibitionLifted": "alerts",
    "IncidentOpened": "alerts",
    "IncidentNoted": "alerts",
    "IncidentAcknowledged": "alerts",
    "IncidentMitigated": "alerts",
    "IncidentResolved": "alerts",
    "IncidentClosed": "alerts",
    "MitigationRequested": "mitigations",
    "MitigationApplied": "mitigations",
    "MitigationFailed": "mitigations",
    "MitigationLifted": "mitigations",
    "NotificationDelivered": "notifications",
    "NotificationFailed": "notifications",
    "RunStarted": "runs",
    "RunStopped": "runs",
    "CrashDetected": "runs",
    "WatchStarted": "runs",
    "WatchStopped": "runs",
    "Sample": "observations",
    "MetricsRecorded": "observations",
    "OrderActivityRecorded": "observations",
    "ReportGenerated": "reports",
}


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
