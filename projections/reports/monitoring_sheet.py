"""The monitoring report: thresholds, rules and rollback conditions, and how they stand now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from ledger.alerts.promql import LOOKBACK_SECONDS, Moment
from ledger.alerts.recording import record
from ledger.alerts.rules import AlertRule
from ledger.domain.state import SystemState
from ledger.domain.values.durations import duration_text
from ledger.domain.values.moments import from_iso, iso
from ledger.profiles.plan import Plan
from projections.core.base import Db
from projections.core.period import Period
from projections.reports import parts
from projections.reports.conditions import Condition, condition, facts_of
from projections.reports.figures import of
from projections.reports.monitoring_values import Found, metrics_section, thresholds_section
from projections.reports.samples import Labels, by_series, read, store_of
from projections.reports.sheet import Cell, Section, Sheet, facts, table, term

REPORT: Final = "monitoring"
LOOKED_BACK: Final = timedelta(days=1)
"""A metric's last value is looked for so far back."""
WATCH_UP: Final = "rollout_watch_up"


def period_of(now: datetime) -> Period:
    """Return the time in which values are looked for."""
    return Period(now - LOOKED_BACK, now + timedelta(microseconds=1))


@dataclass(frozen=True, slots=True)
class Watched:
    """A system and what it is watched by, as of a moment."""

    state: SystemState
    plan: Plan | None
    rules: Sequence[AlertRule]
    """Those of the plan's rule files, and its phases' kill criteria."""
    own: Mapping[str, Sequence[tuple[Labels, float]]]
    """The metrics that the watch itself provides."""
    now: datetime

    @property
    def lookback(self) -> timedelta:
        """A sample older than this is none."""
        if self.plan is None:
            return timedelta(seconds=LOOKBACK_SECONDS)
        return self.plan.profile.watch.lookback


def sheet(db: Db, watched: Watched, period: Period) -> Sheet:
    """Return the report of how a system is watched."""
    state, plan, now = watched.state, watched.plan, watched.now
    series = by_series(read(db, state.system, period.since, now))
    conditions = _conditions(watched, series)
    return Sheet(
        report=REPORT,
        named=(("at", iso(now)[:19].replace("T", " ") + "Z"), ("system", state.system)),
        sections=(
            _overview(state, plan),
            _watch(state, plan, series, now),
            metrics_section(plan, series, conditions, now, watched.lookback),
            thresholds_section(state, plan, series, now, watched.lookback),
            _rules("rules", [each for each in conditions if not each.rolls_back]),
            _rollbacks(state, [each for each in conditions if each.rolls_back]),
            _alerts(state, now),
        ),
        zone=UTC,
    )


def _conditions(watched: Watched, series: Found) -> list[Condition]:
    if watched.plan is None:
        return []
    store, at = store_of(series), watched.now.timestamp()
    for metric, samples in watched.own.items():
        store.replace(metric, samples, at)
    for file in watched.plan.rule_files:
        record(file.recordings, store, watched.now)
    moment = Moment(store, at, watched.lookback.total_seconds())
    facts_now = facts_of(watched.state, watched.plan.profile.environment)
    return [condition(rule, watched.state, moment, facts_now) for rule in watched.rules]


def _overview(state: SystemState, plan: Plan | None) -> Section:
    phase, run = state.phase, state.run
    scope: Mapping[str, tuple[str, ...]] = phase.scope if phase is not None else {}
    return Section(
        "overview",
        facts(
            environment=state.environment,
            mode=parts.mode_of(state),
            phase=state.phase_name,
            phase_since=_moment(phase.since if phase is not None else None),
            scope="; ".join(f"{key}: {', '.join(names)}" for key, names in scope.items()),
            fingerprint=state.fingerprint,
            tags=", ".join(sorted(state.tags_of(state.fingerprint))),
            profile=plan.profile.profile if plan else None,
            profile_fingerprint=plan.fingerprint if plan else None,
            run=f"{run.run} ({run.status}), {run.host} {run.pid}" if run else None,
        ),
        remarks=() if plan else (term("part.overview.no_plan"),),
    )


def _watch(state: SystemState, plan: Plan | None, series: Found, now: datetime) -> Section:
    looks = series.get((WATCH_UP, ()))
    last = looks.samples[-1].at if looks is not None else None
    dead_man = plan.profile.watch.dead_man if plan else None
    silent = last is None or (dead_man is not None and now - last > dead_man)
    by = f"{state.watch.host} {state.watch.pid}" if state.watch else None
    return Section(
        "watch",
        facts(
            watched=term("word.no" if silent else "word.yes"),
            by=by,
            last_look=last,
            silent_for=now - last if last is not None else None,
            dead_man=dead_man,
            interval=plan.profile.watch.interval if plan else None,
        ),
        remarks=(term("part.watch.nobody"),) if silent else (),
    )


def _rules(key: str, conditions: list[Condition]) -> Section:
    columns = "rule condition for severity action state since last about"
    return Section(key, tables=(table("standing", columns, map(_line, conditions)),))


def _line(each: Condition) -> tuple[Cell, ...]:
    rule = each.rule
    argument = f" {rule.action.argument}" if rule.action.argument else ""
    return (
        rule.name, rule.expression.text, duration_text(rule.for_), term(f"severity.{rule.severity}"),
        f"{rule.action.name}{argument}", term(f"standing.{each.status}"), each.since, each.value,
        each.explanation,
    )  # fmt: skip


def _rollbacks(state: SystemState, conditions: list[Condition]) -> Section:
    base = _rules("rollbacks_watched", conditions)
    acted = [
        (each.rule.name, done.action, _moment(done.at), duration_text(each.rule.cooldown))
        for each in conditions
        if (done := state.rule_actions.get(each.rule.key)) is not None
    ]
    last = table("last_actions", "rule action at cooldown", acted)
    remarks = [] if conditions else [term("part.rollbacks_watched.nothing")]
    if conditions and not any(known.stable for known in state.configs.values()):
        remarks.append(term("part.rollbacks_watched.nowhere"))
    return Section(base.key, tables=(*base.tables, last), remarks=tuple(remarks))


def _alerts(state: SystemState, now: datetime) -> Section:
    firing = [
        (key, term(f"severity.{alert.severity}"), _moment(alert.since), alert.acknowledged_by,
         alert.message)
        for key, alert in sorted(state.alerts.items())
    ]  # fmt: skip
    silences = [
        (", ".join(f"{k}={v}" for k, v in silence.matchers.items()), _moment(silence.until), silence.by,
         silence.reason, term("word.yes" if silence.holds_actions else "word.no"))
        for silence in state.silences.values()
        if silence.until > iso(now)
    ]  # fmt: skip
    return Section(
        "open",
        (("count", of(len(firing))),),
        (
            table("firing", "alert severity since acknowledged message", firing),
            table("silences", "matches until who why holds_actions", silences),
        ),
    )


def _moment(text: str | None) -> datetime | None:
    return from_iso(text) if text else None
