"""What watches over a system, and in what state it is: processes, thresholds, rules, rollback conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from ledger.alerts.rules import AlertRule
from ledger.domain.state import SystemState
from ledger.domain.values.durations import duration_text
from ledger.domain.values.moments import iso
from ledger.profiles.phases import Phase
from ledger.profiles.plan import Plan
from ledger.profiles.rule_sets import kill_rule
from projections.reports.figures import Figure, absent
from projections.reports.limits import Limit
from projections.reports.samples import Summary
from projections.reports.window import Run
from projections.reports.words import Words


@dataclass(frozen=True, slots=True)
class Watched:
    """A condition that is watched: a rule, or a kill criterion of the phase, and how it stands."""

    name: str
    expression: str
    lasts: str
    """How long it has to hold: ``10m``."""
    severity: str
    action: str
    state: str
    """firing, pending, silent, no_data, failing, unwatched: a key of the words' table ``canary.state``."""
    firing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit of the plan beside the newest value, series by series."""

    limit: Limit
    series: str
    newest: Figure
    at: datetime | None
    holds: bool | None
    """None: there is no value."""


def watched(state: SystemState, plan: Plan | None, phase: Phase | None) -> list[Watched]:
    """Return the rules and kill criteria of ``plan``, as they stood in ``state``."""
    rules = [kill_rule(phase.name, kill) for kill in phase.kill] if phase is not None else []
    rules += [rule for file in (plan.rule_files if plan is not None else ()) for rule in file.rules]
    return [_watched(state, rule) for rule in rules]


def _watched(state: SystemState, rule: AlertRule) -> Watched:
    firing = tuple(
        key
        for key, alert in state.alerts.items()
        if rule.made(alert) or (alert.rule is None and key.partition("{")[0] == rule.name)
    )
    pending = {key for key, alert in state.pending.items() if rule.made(alert)}
    stands = (
        "firing" if firing
        else "failing" if rule.key in state.failing
        else "pending" if pending
        else "no_data" if state.no_data.keys() & {rule.key, *pending}
        else "unwatched" if state.watch is None  # silence proves nothing where nobody looks (I8)
        else "silent"
    )  # fmt: skip
    lasts = duration_text(rule.for_)
    return Watched(
        rule.key, rule.expression.text, lasts, rule.severity, rule.action.name, stands, firing
    )


def thresholds(limits: Sequence[Limit], summaries: Sequence[Summary]) -> list[Threshold]:
    """Return each limit beside the newest value of each series that it is about."""
    compared: list[Threshold] = []
    for limit in limits:
        about = [one for one in summaries if one.series.metric == limit.metric]
        for one in about:
            value = one.last.value
            holds = limit.holds(value) if value is not None else None
            compared.append(Threshold(limit, one.series.name, one.last, one.last_at, holds))
        if not about:
            nothing = absent("no_samples", metric=limit.metric)
            compared.append(Threshold(limit, limit.metric, nothing, None, None))
    return compared


def processes(runs: Sequence[Run], state: SystemState) -> dict[str, Any]:
    """Return the runs and the watch as JSON-ready data: what process_info.json holds."""
    return {
        "runs": [_process(run) for run in runs],
        "watch": state.watch.to_json() if state.watch else None,
    }


def _process(run: Run) -> dict[str, Any]:
    data, end = run.started.data, run.end
    return {
        "run_tag": run.tag,
        "pid": data["pid"],
        "host": data["host"],
        "command": data["command"],
        "mode": "/".join(part for part in (data.get("mode"), data.get("pause_kind")) if part)
        or None,
        "config_fingerprint": data.get("fingerprint"),
        "profile": data.get("profile"),
        "preflight_position": data.get("preflight_position"),
        "started_at": iso(run.started.occurred_at),
        "started_by": run.started.actor.name,
        "started_position": run.started.position,
        "status": "crashed" if run.crashed else "stopped" if run.ended else "running",
        "ended_at": iso(run.ended.occurred_at) if run.ended else None,
        "ended_position": run.ended.position if run.ended else None,
        "seconds": end.get("seconds"),
        "exit_code": end.get("exit_code"),
        "signal": end.get("signal"),
        "explanation": end.get("explanation"),
    }


def as_json(
    state: SystemState,
    conditions: Sequence[Watched],
    limits: Sequence[Threshold],
    summaries: Sequence[Summary],
    runs: Sequence[Run],
    words: Words,
) -> dict[str, Any]:
    """Return what monitoring_report.json holds, but for its provenance."""
    rules = [{**rule(one), "firing": list(one.firing)} for one in conditions]
    return {
        "configuration": configuration(state),
        "mode": {"mode": state.mode, "kind": state.pause_kind, "since": state.mode_since},
        "phase": msgspec.to_builtins(state.phase),
        "processes": processes(runs, state),
        "metrics": [
            {
                "series": one.series.name,
                "samples": one.samples,
                "last": one.last.as_json(words),
                "last_at": iso(one.last_at) if one.last_at else None,
            }
            for one in summaries
        ],
        "thresholds": [
            {
                "series": one.series,
                "target": one.limit.text,
                "source": one.limit.source,
                "last": one.newest.as_json(words),
                "holds": one.holds,
            }
            for one in limits
        ],
        "rules": rules,
        "rollback_conditions": [each for each in rules if each["action"] == "rollback"],
        "mitigations": {key: known.to_json() for key, known in state.mitigations.items()},
    }


def configuration(state: SystemState) -> dict[str, Any]:
    """Return what was in force: fingerprint, its tags, the plan."""
    return {
        "fingerprint": state.fingerprint,
        "tags": sorted(state.tags_of(state.fingerprint)),
        "profile": state.profile.name if state.profile is not None else None,
        "profile_fingerprint": state.profile_fingerprint,
    }


def rule(one: Watched) -> dict[str, Any]:
    """Return a condition and how it stands."""
    return {
        "name": one.name,
        "expr": one.expression,
        "for": one.lasts,
        "severity": one.severity,
        "action": one.action,
        "state": one.state,
    }
