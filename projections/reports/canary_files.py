"""The canary report's tables as CSV, and the document that its JSON, Markdown and HTML all show."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from ledger.domain.events import CriterionResult
from ledger.domain.values.durations import seconds_text
from ledger.domain.values.moments import iso
from projections.reports import evidence, figures, monitoring
from projections.reports.details import said
from projections.reports.limits import limit_for
from projections.reports.recommendation import Recommendation
from projections.reports.render import csv_bytes
from projections.reports.samples import Summary
from projections.reports.slices import Slice, target_text
from projections.reports.words import Words
from projections.words.sentences import mode_text, short

if TYPE_CHECKING:
    from projections.reports.canary import Canary

NAMES: Final = (
    "run_tag.txt", "metrics_timeseries.csv", "slices_overview.csv", "calibration_summary.csv",
    "merge_time_diff_ms.csv", "incidents.json", "monitoring_dashboard.json", "process_info.json",
    "monitoring_report.json", "T+0_final_report.json", "T+0_final_report.md",
    "T+0_final_report.html",
)  # fmt: skip
CALIBRATION: Final = re.compile(r"(?:^|_)(?:ece|brier|platt)(?:_|$)")
ALIGNMENT: Final = re.compile(r"merge_time_diff(?:_ms)?_(?P<percentile>p\d+)")
PERCENTILES: Final = ("p50", "p90", "p99")


def tables(made: Canary) -> dict[str, bytes]:
    """Return the four CSV files; what was not recorded is an empty cell, or no row at all."""
    return {
        "metrics_timeseries.csv": csv_bytes(
            ["at", "metric", "labels", "value", "position"], _samples(made)
        ),
        "slices_overview.csv": csv_bytes(
            ["slice", "metric", "mean", "min", "max", "last", "delta_to_best", "samples",
             "observed_s", "target", "result", "failed", "judged_by"],
            [_slice_row(made, row) for row in made.slices.rows],
        ),
        "calibration_summary.csv": csv_bytes(
            ["metric", "labels", "target", "mean", "min", "max", "last", "last_at", "samples"],
            [_calibration_row(made, one) for one in calibration(made)],
        ),
        "merge_time_diff_ms.csv": csv_bytes(["at", "labels", *PERCENTILES], _alignment(made)),
    }  # fmt: skip


def _samples(made: Canary) -> Iterator[tuple[Any, ...]]:
    rows = [
        (sample.at, sample.metric, one.labels_text, sample.value, sample.position)
        for one in made.series.values()
        for sample in one.samples
    ]
    for at, *rest in sorted(rows):
        yield (iso(at), *rest)


def _slice_row(made: Canary, row: Slice) -> tuple[Any, ...]:
    delta = made.slices.delta(row)
    numbers: tuple[Any, ...] = ("", "", "", "", "", 0)
    if row.summary is not None:
        one = row.summary
        numbers = (
            one.mean.cell(), one.low.cell(), one.high.cell(), one.last.cell(),
            figures.number_text(delta) if delta is not None else "", one.samples,
        )  # fmt: skip
    return (
        row.name, row.metric, *numbers, row.observed, target_text(row, made.limits), row.result,
        " ".join(row.failed), " ".join(row.judges),
    )  # fmt: skip


def calibration(made: Canary) -> list[Summary]:
    """Return what was recorded of calibration: ECE, Brier score, sample counts."""
    return [one for one in made.summaries if CALIBRATION.search(one.series.metric)]


def _calibration_row(made: Canary, one: Summary) -> tuple[Any, ...]:
    limit = limit_for(made.limits, one.series.metric)
    return (
        one.series.metric, one.series.labels_text, limit.text if limit is not None else "",
        one.mean.cell(), one.low.cell(), one.high.cell(), one.last.cell(), _iso(one.last_at),
        one.samples,
    )  # fmt: skip


def _alignment(made: Canary) -> Iterator[tuple[Any, ...]]:
    percentiles: dict[tuple[datetime, str], dict[str, str]] = {}
    for one in made.series.values():
        named = ALIGNMENT.fullmatch(one.metric)
        for sample in one.samples if named is not None else ():
            row = percentiles.setdefault((sample.at, one.labels_text), {})
            row[named["percentile"] if named is not None else ""] = sample.value
    for (at, labels), row in sorted(percentiles.items()):
        yield (iso(at), labels, *(row.get(name, "") for name in PERCENTILES))


def document(made: Canary, words: Words) -> dict[str, Any]:
    """Return what the report says, as JSON-ready data in ``words``, but for its provenance."""
    judged = made.judged
    phase = judged.phase
    return {
        "verdict": made.verdict,
        "headline": words(f"canary.verdict.{made.verdict}"),
        "run_tags": [run.tag for run in judged.window.runs],
        "window": _window(made, words),
        "configuration": monitoring.configuration(judged.then),
        "mode": mode_text(judged.then.mode, judged.then.pause_kind),
        "phase": {
            "name": phase.name if phase is not None else None,
            "title": phase.title if phase is not None else "",
            "entered": judged.in_phase,
            "symbols": judged.scope("symbols"),
        },
        "slo": [_slo(made, one, words) for one in judged.criteria],
        "slices": _slices(made, words),
        "calibration": [_metric(made, one, words) for one in calibration(made)],
        "alignment": [
            _metric(made, one, words)
            for one in made.summaries
            if ALIGNMENT.fullmatch(one.series.metric)
        ],
        "metrics": [_metric(made, one, words) for one in made.summaries],
        "rules": [
            {**monitoring.rule(one), "state_text": words(f"canary.state.{one.state}")}
            for one in made.watched
        ],
        "alerts": [_alert(one, words) for one in made.alerts],
        **made.handled.as_json(words),
        "modes": [_mode(one) for one in made.modes],
        "rollbacks": [{**one, "at": iso(one["at"])} for one in made.rollbacks],
        "runs": monitoring.processes(judged.window.runs, judged.then)["runs"],
        "evidence": {
            "samples": made.samples,
            "series": len(made.series),
            "doubts": [
                {"key": one.key, "serious": one.serious, "text": one.text(words)}
                for one in made.doubts
            ],
        },
        "recommendation": _recommendation(made.recommendation, made.judged.then.system, words),
        "files": list(NAMES),
    }


def _window(made: Canary, words: Words) -> dict[str, Any]:
    window = made.judged.window
    return {
        "since": iso(window.since),
        "until": iso(window.until),
        "seconds": window.seconds,
        "lasted": seconds_text(window.seconds),
        "ended": window.ended,
        "text": words(
            f"canary.window.{window.why}",
            run=window.run.tag if window.run is not None else "",
            phase=made.judged.phase.name if made.judged.phase is not None else "",
        ),
    }


def _slo(made: Canary, one: CriterionResult, words: Words) -> dict[str, Any]:
    phase = made.judged.phase
    written = next((c for c in phase.success if c.name == one.name), None) if phase else None
    lacks = None
    if one.result == "inconclusive":
        key, about = evidence.missing(one)
        lacks = words(f"canary.missing.{key}", **about | {"detail": said(one.detail, words)})
    # A look reaches back a little: what it finds before the report's time is not of this time.
    before = one.samples == 0 and written is not None and written.expr is not None
    actual = "" if before else one.measured
    return {
        "name": one.name,
        "title": written.title if written is not None else "",
        "target": one.threshold,
        "target_text": said(one.threshold, words),
        "actual": actual or None,
        "actual_text": said(actual, words) or words("canary.word.nothing_measured"),
        "samples": one.samples,
        "samples_needed": written.min_samples if written is not None else 1,
        "observed_s": one.observed_seconds,
        "needed_s": one.needed_seconds,
        "window": words(
            "canary.word.window",
            observed=seconds_text(min(one.observed_seconds, one.needed_seconds)),
            needed=seconds_text(one.needed_seconds),
        ),
        "observed": evidence.share(one.observed_seconds, one.needed_seconds).as_json(words),
        "verdict": one.result,
        "verdict_text": words(f"canary.result.{one.result}"),
        "waived_by": one.waived_by,
        "missing": lacks,
        "detail": one.detail,
        "remark": lacks or said(one.detail, words),
    }


def _slices(made: Canary, words: Words) -> dict[str, Any]:
    slices = made.slices
    results = slices.results
    total = len(results)
    return {
        "total": total,
        "passed": slices.passed,
        "text": words("canary.word.slices_passed", passed=slices.passed, total=total)
        if total
        else None,
        "asked": words("canary.word.slices_asked", asked=_asked(made)) if total else None,
        "metric": slices.metric,
        "best": _extreme(slices.best, words),
        "worst": _extreme(slices.worst, words),
        "results": dict(sorted(results.items())),
        "rows": [_slice(made, row, words) for row in slices.rows],
    }


def _asked(made: Canary) -> str:
    """Return what is asked of the slices: that 5 of 5 passed says nothing without it."""
    asked = {
        f"{row.metric} " + (target_text(row, made.limits) or f"({', '.join(row.judges)})")
        for row in made.slices.rows
        if row.judges
    }
    return "; ".join(sorted(asked)) or "—"


def _extreme(row: Slice | None, words: Words) -> dict[str, Any]:
    if row is None or row.summary is None:
        nothing = figures.absent("no_direction")
        return {"slice": None, "mean": nothing.as_json(words), "text": nothing.text(words)}
    mean = row.summary.mean
    return {
        "slice": row.name,
        "mean": mean.as_json(words),
        "text": f"{row.name} ({row.metric} {mean.text(words)})",
    }


def _slice(made: Canary, row: Slice, words: Words) -> dict[str, Any]:
    delta = made.slices.delta(row)
    nothing = figures.absent("no_data")
    mean = row.summary.mean if row.summary is not None else nothing
    return {
        "slice": row.name,
        "metric": row.metric or None,
        "mean": mean.as_json(words),
        "mean_text": mean.text(words),
        "range_text": _range(row.summary),
        "delta_to_best": figures.number_text(delta) if delta is not None else None,
        "delta_text": figures.Figure(delta).text(words) if delta is not None else "—",
        "samples": row.summary.samples if row.summary is not None else 0,
        "observed_s": row.observed,
        "observed_text": seconds_text(row.observed),
        "target": target_text(row, made.limits) or None,
        "result": row.result,
        "result_text": words(f"canary.result.{row.result}"),
        "failed": list(row.failed),
        "judged_by": list(row.judges),
    }


def _metric(made: Canary, one: Summary, words: Words) -> dict[str, Any]:
    limit = limit_for(made.limits, one.series.metric)
    return {
        "series": one.series.name,
        "samples": one.samples,
        "mean": one.mean.as_json(words),
        "mean_text": one.mean.text(words),
        "range_text": _range(one),
        "last": one.last.as_json(words),
        "last_text": one.last.text(words),
        "first_at": _iso(one.first_at) or None,
        "last_at": _iso(one.last_at) or None,
        "target": limit.text if limit is not None else None,
        "source": limit.source if limit is not None else None,
    }


def _range(one: Summary | None) -> str:
    if one is None or one.low.value is None or one.high.value is None:
        return "—"
    return f"{one.low.cell()} … {one.high.cell()}"


def _alert(one: Mapping[str, Any], words: Words) -> dict[str, Any]:
    return {
        "alert": one["alert"],
        "severity": one["severity"],
        "message": one["message"],
        "fired_at": _iso(one["fired_at"]),
        "acknowledged_by": one["acknowledged_by"],
        "resolved_at": _iso(one["resolved_at"]) or None,
        "how": one["how"],
        "open_at_the_end": one["open"],
        "end_text": words("canary.word.open") if one["open"] else _iso(one["resolved_at"]),
        "position": one["position"],
    }


def _mode(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "mode": mode_text(one["mode"], one["kind"]),
        "since": _iso(one["since"]),
        "until": _iso(one["until"]) or None,
        "by": one["actor"],
        "reason": one["reason"],
        "fingerprint": short(one["fingerprint"]) if one["fingerprint"] else None,
        "position": one["position"],
    }


def _recommendation(one: Recommendation, system: str, words: Words) -> dict[str, Any]:
    scope = "; ".join(f"{name}: {', '.join(values)}" for name, values in one.next_scope.items())
    following = one.next_phase or words("canary.word.nothing_more")
    approval = words(
        f"canary.asked.{one.approval}",
        wanted=", ".join(f"{count} × {role}" for role, count in one.wanted.items())
        or words("canary.word.somebody"),
        by=", ".join(f"{a['name']} ({a['role']}, {a['signed_on']})" for a in one.approvals) or "—",
        denied_by=one.denied_by or "—",
    )
    command = f"rollout approve request {system} phase:{one.next_phase}" if one.next_phase else ""
    return {
        "action": one.action,
        "text": words(f"canary.action.{one.action}", phase=following),
        "reasons": [reason.text(words) for reason in one.reasons],
        "next_phase": one.next_phase,
        "next_scope": {name: list(values) for name, values in one.next_scope.items()},
        "next_scope_text": scope,
        "approval": one.approval,
        "approval_text": words("canary.word.approval", text=approval),
        "approvals": [dict(each) for each in one.approvals],
        "denied_by": one.denied_by or None,
        "ask": command if one.approval in {"open", "lapsed"} and command else None,
    }


def _iso(moment: datetime | None) -> str:
    return iso(moment.astimezone(UTC)) if moment is not None else ""
