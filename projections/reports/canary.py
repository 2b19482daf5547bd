"""The canary report: the folder of files that a rollout's acceptance asks for (seed 003)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ledger.domain.events import CriterionResult
from ledger.domain.gates.verdicts import of_criteria
from ledger.domain.state import SystemState
from ledger.profiles.phases import Phase
from ledger.profiles.plan import Plan
from projections.core.base import Db
from projections.models import alerts, incidents, mode_changes
from projections.reports import canary_files, dashboard, evidence, monitoring, plots, render
from projections.reports.evidence import Doubt
from projections.reports.handled import Handled, handled
from projections.reports.limits import Limit, limits_of
from projections.reports.monitoring import Threshold, Watched
from projections.reports.provenance import Provenance, provenance
from projections.reports.recommendation import Recommendation, recommendation
from projections.reports.samples import Labels, Series, Summary, by_series, read, store_of, summary
from projections.reports.slices import Compared, compared
from projections.reports.window import Window, control_events
from projections.reports.words import Words

STEPS: Final = 4
"""How often `files` calls its ``step``."""
ROLLBACKS: Final = ("RollbackCompleted", "RollbackFailed", "RollbackAbandoned")


@dataclass(frozen=True, slots=True)
class Judged:
    """What the command found out before: the plan in force then, and what its gate says of that time."""

    window: Window
    then: SystemState
    """The system at the end of the window."""
    today: SystemState
    plan: Plan | None
    phase: Phase | None
    in_phase: bool
    """Whether the system was in that phase; otherwise it is judged by the plan's first gated one."""
    criteria: tuple[CriterionResult, ...]

    def scope(self, name: str) -> list[str]:
        """Return what the phase was open for, of ``name``: symbols, slices."""
        present = self.then.phase
        if self.in_phase and present is not None and present.scope:
            return list(present.scope.get(name, ()))
        return list(self.phase.scope.get(name, ())) if self.phase is not None else []


@dataclass(frozen=True, slots=True)
class Canary:
    """All that the report says, before it is put into words."""

    judged: Judged
    provenance: Provenance
    series: Mapping[tuple[str, Labels], Series]
    summaries: tuple[Summary, ...]
    limits: list[Limit]
    slices: Compared
    watched: list[Watched]
    thresholds: list[Threshold]
    doubts: list[Doubt]
    recommendation: Recommendation
    alerts: tuple[Mapping[str, Any], ...]
    modes: tuple[Mapping[str, Any], ...]
    rollbacks: tuple[Mapping[str, Any], ...]
    incidents_json: bytes
    handled: Handled

    @property
    def verdict(self) -> str:
        """Return GO, NO_GO, INCONCLUSIVE or WAIVED."""
        return of_criteria(self.judged.criteria).value

    @property
    def samples(self) -> int:
        """Return how many samples there are."""
        return sum(one.samples for one in self.summaries)


def collect(db: Db, judged: Judged, *, now: datetime, by: str) -> Canary:
    """Return what the log says of the time of ``judged``; the read model has caught up."""
    window, system, phase = judged.window, judged.then.system, judged.phase
    series = by_series(read(db, system, window.since, window.until))
    limits = limits_of(judged.plan, phase)
    summaries = tuple(summary(one) for one in series.values())
    slices = compared(
        series, store_of(series), judged.plan, phase, limits, judged.scope("slices"),
        window.since, window.until,
    )  # fmt: skip
    fired = _alerts(db, system, window)
    modes = _modes(db, system, window)
    doubts = evidence.doubts_of(db, system, window, series, judged.criteria)
    exported = incidents.export(db, system=system)
    done = handled(db, system, window, exported)
    if done.open_ones:
        doubts.append(evidence.doubt("incidents", serious=False, open=", ".join(done.open_ones)))
    doubts += evidence.asides_of(
        window, series, judged.criteria, limits, fired, modes, phase.mode if phase else None
    )
    standing = [one["alert"] for one in fired if one["severity"] == "critical" and one["open"]]
    return Canary(
        judged=judged,
        provenance=_provenance(db, judged, series, now, by),
        series=series,
        summaries=summaries,
        limits=limits,
        slices=slices,
        watched=monitoring.watched(judged.then, judged.plan, phase),
        thresholds=monitoring.thresholds(limits, summaries),
        doubts=doubts,
        recommendation=recommendation(
            judged.plan, phase, judged.criteria, slices, doubts, standing, judged.today, window, now
        ),
        alerts=fired,
        modes=modes,
        rollbacks=_rollbacks(db, system, window),
        incidents_json=exported,
        handled=done,
    )


def files(made: Canary, words: Words, step: Callable[[], None]) -> dict[str, bytes]:
    """Return the folder: file name -> content. ``step`` is called now and then, `STEPS` times."""
    window = made.judged.window
    source = {"provenance": made.provenance.as_json()}
    document = {**source, **canary_files.document(made, words)}
    step()
    drawn = {
        "charts": _charts(made, step),
        "colours": plots.MODE_COLOURS,
        "shown_modes": list(dict.fromkeys(one["mode"] for one in made.modes)),
        "hatches": plots.HATCHES,
        "marks": plots.MARK_COLOURS,
        "limit_colour": plots.LIMIT_COLOUR,
        "charts_max": plots.CHARTS_MAX,
    }
    values = {"report": document, "source": made.provenance}
    process = monitoring.processes(window.runs, made.judged.then)
    conditions = monitoring.as_json(
        made.judged.then, made.watched, made.thresholds, made.summaries, window.runs, words
    )
    contents = {
        "run_tag.txt": "".join(f"{run.tag}\n" for run in window.runs).encode(),
        **canary_files.tables(made),
        "incidents.json": made.incidents_json,
        "monitoring_dashboard.json": render.json_bytes(_dashboard(made, words)),
        "process_info.json": render.json_bytes({**source, **process}),
        "monitoring_report.json": render.json_bytes({**source, **conditions}),
        "T+0_final_report.json": render.json_bytes(document),
        "T+0_final_report.md": render.template_bytes("canary.md.j2", words, **values),
        "T+0_final_report.html": render.template_bytes("canary.html.j2", words, **values, **drawn),
    }
    step()
    return contents


def _dashboard(made: Canary, words: Words) -> dict[str, Any]:
    system, window = made.judged.then.system, made.judged.window
    return dashboard.dashboard(
        system,
        f"{system} · canary",
        {kind: words(f"canary.annotation.{kind}") for kind in dashboard.COLOURS},
        made.series.values(),
        made.limits,
        window.since,
        window.until,
    )


def _charts(made: Canary, step: Callable[[], None]) -> dict[str, str]:
    window = made.judged.window
    bands = [
        plots.Band(one["since"], one["until"] or window.until, one["mode"]) for one in made.modes
    ]
    marks = [plots.Mark(one["fired_at"], "alert") for one in made.alerts]
    marks += [plots.Mark(one["at"], "rollback") for one in made.rollbacks]
    time = plots.time_series(
        made.series.values(), made.limits, bands, marks, window.since, window.until
    )
    step()
    calibration = [
        one for one in made.series.values() if canary_files.CALIBRATION.search(one.metric)
    ]
    charts = {
        "time": time,
        "slices": plots.slices(made.slices, made.limits),
        "calibration": plots.time_series(
            calibration, made.limits, bands, marks, window.since, window.until
        ),
    }
    step()
    return charts


def names() -> dict[str, None]:
    """Return the names of all files that the report consists of."""
    return dict.fromkeys(canary_files.NAMES)


def _provenance(
    db: Db, judged: Judged, series: Mapping[Any, Series], now: datetime, by: str
) -> Provenance:
    window, system = judged.window, judged.then.system
    row = db.execute(
        "SELECT min(position) FROM ledger.event WHERE stream = %s AND occurred_at >= %s "
        "AND occurred_at <= %s AND type <> 'ReportGenerated'",
        (f"system:{system}", window.since, window.until),
    ).fetchone()
    first = [row[0]] if row is not None and row[0] is not None else []
    first += [sample.position for one in series.values() for sample in one.samples]
    return provenance(
        db, "canary", system, generated_at=now, generated_by=by,
        from_position=min(first, default=0), since=window.since, until=window.until,
        run_tag=window.run.tag if window.run is not None else None,
    )  # fmt: skip


def _alerts(db: Db, system: str, window: Window) -> tuple[Mapping[str, Any], ...]:
    """Return the firings that fall into the window, with ``open``: whether it was at its end."""
    return tuple(
        {**one, "open": one["resolved_at"] is None or one["resolved_at"] > window.until}
        for one in alerts.list_alerts(db, system, only_open=False)
        if one["fired_at"] <= window.until
        and (one["resolved_at"] is None or one["resolved_at"] >= window.since)
    )


def _modes(db: Db, system: str, window: Window) -> tuple[Mapping[str, Any], ...]:
    return tuple(
        one
        for one in mode_changes.intervals(db, system)
        if one["since"] <= window.until and (one["until"] is None or one["until"] > window.since)
    )


def _rollbacks(db: Db, system: str, window: Window) -> tuple[Mapping[str, Any], ...]:
    return tuple(
        {
            "at": event.occurred_at.astimezone(UTC),
            "outcome": event.type.removeprefix("Rollback").lower(),
            "by": event.actor.name,
            "reason": event.reason,
            "from": event.data.get("from_fingerprint"),
            "to": event.data.get("to_fingerprint"),
            "position": event.position,
        }
        for event in control_events(db, system, *ROLLBACKS)
        if window.since <= event.occurred_at <= window.until
    )
