"""Preflight: the plan's checks, run side by side, judged, recorded with what they were made for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import orjson

from ledger.domain import events
from ledger.domain.approvals.decide import stale
from ledger.domain.decision import Decision
from ledger.domain.gates.verdicts import Verdict, of_checks, waiver_for
from ledger.domain.state import SystemState
from ledger.domain.values.moments import from_iso
from ledger.preflight.context import CheckContext, OpenAlert, SignOff
from ledger.preflight.finding import Finding
from ledger.preflight.params import effective
from ledger.preflight.runner import Report, run_checks
from ledger.service.backups import recording
from ledger.service.configurations import comparison
from ledger.service.core import sampling
from ledger.service.core.actuators import world_of
from ledger.service.core.plan_in_force import plan_of
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger

METRIC_REACH: Final = timedelta(hours=1)
"""How far back the newest value of a metric is looked for."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """What came of a run."""

    verdict: Verdict
    completed: events.PreflightCompleted
    position: int


def run(
    ledger: Ledger,
    system: str,
    origin: Origin,
    *,
    params: Mapping[str, str],
    skips: Mapping[str, str],
    base: Path,
    report: Report | None = None,
) -> Preflight:
    """Run the checks of the plan of ``system``, and append what they found.

    Raises:
        UnknownName: the system has no plan.
        BadInput: a parameter or a check to skip is not in the plan; nothing was run.
    """
    state = ledger.load(system)
    plan = plan_of(ledger, state)
    values = effective(plan.profile.params, params)
    findings = run_checks(
        plan.profile.checks,
        context_of(ledger, state, values, base),
        skips=skips,
        report=report,
    )
    now = ledger.recorder.clock.now()
    results = tuple(_result(finding, state, now) for finding in findings)
    verdict = of_checks(results, plan.profile.preflight.blocking)
    completed = events.PreflightCompleted(
        verdict=verdict.value,
        fingerprint=state.fingerprint,
        profile=plan.fingerprint,
        results=results,
        params={name: str(value) for name, value in values.items()},
        waivers=tuple(sorted({r.waived_by for r in results if r.waived_by is not None})),
    )
    # Whatever is in force by now, this was made for what was in force when it began.
    after, _ = ledger.recorder.decide(system, lambda _: Decision((completed,)), origin)
    last = after.preflight
    return Preflight(verdict, completed, last.position if last is not None else 0)


def departures(ledger: Ledger, position: int) -> dict[str, tuple[str, str | None]]:
    """Return the parameters by which the preflight at ``position`` judged otherwise than its plan says.

    Name -> what it judged with, and what the plan says (None: it leaves that open).
    """
    event = ledger.recorder.store.get(position)
    if event is None or event.data.get("profile") is None:
        return {}
    content = ledger.blob(event.data["profile"])
    # Not through the model: a plan of another version is no reason to tell nothing.
    planned: dict[str, Any] = orjson.loads(content)["profile"].get("params", {})
    said = {name: None if value is None else str(value) for name, value in planned.items()}
    return {
        name: (value, said.get(name))
        for name, value in event.data.get("params", {}).items()
        if value != said.get(name)
    }


def departures_text(departed: Mapping[str, tuple[str, str | None]]) -> str:
    """Return ``judged with min_sharpe=0.1 (plan: 0.2)``; nothing where all was as planned."""
    departures = ", ".join(
        f"{name}={value} (plan: {plan or 'none'})" for name, (value, plan) in departed.items()
    )
    return f"judged with {departures}" if departures else ""


def _result(finding: Finding, state: SystemState, now: datetime) -> events.CheckResult:
    waiver = None
    if finding.result.value in {"FAIL", "ERROR", "SKIP"}:
        waiver = waiver_for(state, f"check:{finding.name}", now)
    return events.CheckResult.model_validate(
        {
            "name": finding.name,
            "kind": finding.kind,
            "priority": finding.priority,
            "category": finding.category,
            "result": finding.result.value,
            "measured": finding.measured,
            "threshold": finding.threshold,
            "detail": finding.detail,
            "took_ms": finding.took_ms,
            "waived_by": waiver,
        }
    )


def context_of(
    ledger: Ledger, state: SystemState, params: Mapping[str, Any], base: Path
) -> CheckContext:
    """Return what checks may look at: facts of the ledger, and questions to it."""
    clock, store = ledger.recorder.clock, ledger.recorder.store
    now = clock.now()

    def newest_metric(metric: str, labels: Mapping[str, str]) -> tuple[Decimal, datetime] | None:
        sample = sampling.newest(store, state.system, metric, labels, now - METRIC_REACH)
        return (Decimal(sample.value), sample.at) if sample is not None else None

    return CheckContext(
        system=state.system,
        clock=clock,
        params=params,
        base=base,
        environment=os.environ,
        config_in_force=_in_force(ledger, state),
        config_in_place=_in_place(ledger, state),
        open_alerts=tuple(
            OpenAlert(name, alert.severity, from_iso(alert.since))
            for name, alert in state.alerts.items()
        ),
        last_critical_at=from_iso(state.last_alert_at["critical"])
        if "critical" in state.last_alert_at
        else None,
        observed_since=from_iso(state.watch.since) if state.watch else None,
        sign_offs=_sign_offs(state, now),
        verified_backup_at=recording.last_verified_at(store),
        newest_metric=newest_metric,
        ledger_head=lambda: store.head().position,
    )


def _in_force(ledger: Ledger, state: SystemState) -> Any:
    if state.fingerprint is None:
        return None
    return orjson.loads(ledger.blob(state.fingerprint))


def _in_place(ledger: Ledger, state: SystemState) -> Any:
    world = world_of(state.actuators, ledger.recorder.clock)
    standing = comparison.standing_in(ledger, world, comparison.names_in_force(state))
    return orjson.loads(standing.canonical) if standing is not None else None


def _sign_offs(state: SystemState, now: datetime) -> tuple[SignOff, ...]:
    return tuple(
        SignOff(grant.role, grant.name, from_iso(grant.at))
        for asked in state.approvals.values()
        if stale(state, asked, now) is None
        for grant in asked.granted
    )
