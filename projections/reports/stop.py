"""The stop report: what ran, for how long, how it ended, and what happened meanwhile."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta
from typing import Final

from ledger.domain.errors import UnknownName
from ledger.domain.log.envelope import Recorded
from projections.core.base import Db
from projections.core.period import Period
from projections.reports import happened, order_figures, orders, parts
from projections.reports.figures import of
from projections.reports.happened import Progress
from projections.reports.sheet import Cell, Section, Sheet, facts, table, term
from projections.reports.window import Run, named, namesakes, runs_of

REPORT: Final = "stop"
_ROLLBACKS: Final = (
    "RollbackRequested",
    "RollbackCompleted",
    "RollbackFailed",
    "RollbackAbandoned",
)
_DRIFT: Final = ("DriftDetected", "DriftCleared")
_MOMENT: Final = timedelta(microseconds=1)


def run_of(db: Db, system: str, tag: str | None) -> Run:
    """Return the run that ``tag`` names, as `window.named` finds it; without one, the last run.

    Raises:
        UnknownName: there is none.
    """
    runs = runs_of(db, system)
    if not runs:
        raise UnknownName(
            f"No run of {system} is on record.", hint=f"rollout run {system} -- COMMAND"
        )
    return named(runs, tag, system) if tag is not None else runs[-1]


def period_of(run: Run, now: datetime) -> Period:
    """Return the time from the run's first event to its last, both in it; or up to now."""
    since = run.started.occurred_at
    until = run.ended.occurred_at + _MOMENT if run.ended is not None else now
    return Period(since, max(until, since + _MOMENT))


def sheet(db: Db, system: str, run: Run, period: Period, progress: Progress) -> Sheet:
    """Return the report of ``run``, which took ``period``."""
    spent = happened.stretches(db, system, period)
    activity = orders.tally(happened.order_records(db, system, period, spent, progress))
    return Sheet(
        report=REPORT,
        named=(("run", run.tag), ("system", system)),
        sections=(
            _run(db, system, run, period),
            Section(
                "changes",
                tables=(parts.modes_table(spent), parts.changes_table(db, system, period)),
            ),
            parts.alerts_section(db, system, period),
            _told(db, system, period, "rollbacks", _ROLLBACKS),
            parts.trades_section(activity),
            parts.orders_section(activity),
            parts.latency_section(order_figures.latency(activity)),
            _told(db, system, period, "drift", _DRIFT),
        ),
        zone=UTC,
    )


def _run(db: Db, system: str, run: Run, period: Period) -> Section:
    start, end = run.started, run.ended
    state = happened.state_until(db, system, period.until)
    fingerprint = start.data.get("fingerprint")
    tags = state.tags_of(fingerprint) if state else []
    others = [other.place for other in namesakes(run, runs_of(db, system))]
    named_alike: dict[str, Cell] = {"namesakes": ", ".join(others)} if others else {}
    preflight = start.data.get("preflight_position")
    # A later process found the supervisor dead, so that nobody saw when.
    unwitnessed = end is not None and end.data.get("seconds") is None
    return Section(
        "run",
        facts(
            run_tag=run.tag,
            position=run.place,
            **named_alike,
            command=shlex.join(start.data["command"]),
            host=start.data["host"],
            pid=str(start.data["pid"]),
            fingerprint=fingerprint,
            tags=", ".join(sorted(tags)),
            profile=start.data.get("profile"),
            preflight=f"#{preflight}" if preflight is not None else None,
            started_by=start.actor.name,
            reason=start.reason,
            started_at=start.occurred_at,
            ended_at=end.occurred_at if end is not None else None,
            lasted=_lasted(run, period),
            ended=_ended(end),
            exit=_exit(end),
            mode_before=parts.mode_name(start.data.get("mode"), start.data.get("pause_kind")),
            mode_after=parts.mode_of(state) if state is not None else None,
        ),
        remarks=(term("part.run.supervisor_died"),) if unwitnessed else (),
    )


def _lasted(run: Run, period: Period) -> timedelta | None:
    """Return how long it lasted by its supervisor's watch; up to now, while it runs; None: nobody knows."""
    if run.ended is None:
        return period.until - period.since
    seconds = run.ended.data.get("seconds")
    return timedelta(seconds=seconds) if seconds is not None else None


def _ended(end: Recorded | None) -> Cell:
    if end is None:
        return term("part.run.running")
    if end.type == "CrashDetected":
        return term("part.run.crashed")
    return term("part.run.asked" if end.data.get("asked") else "part.run.by_itself")


def _exit(end: Recorded | None) -> Cell:
    if end is None:
        return None
    if end.data.get("signal"):
        return str(end.data["signal"])
    code = end.data.get("exit_code")
    return (
        term("part.run.exit_code", code=code) if code is not None else end.data.get("explanation")
    )


def _told(db: Db, system: str, period: Period, key: str, types: tuple[str, ...]) -> Section:
    """Return what happened of these types, in the words of the timeline."""
    happening = happened.told(db, system, period, *types)
    begun, done = (of(sum(row["type"] == type_ for row in happening)) for type_ in types[:2])
    rows = [
        (
            row["occurred_at"],
            term(f"event.{row['type']}"),
            row["actor"],
            row["reason"],
            row["sentence"],
        )
        for row in happening
    ]
    return Section(
        key, facts(begun=begun, done=done), (table("events", "at event who why what", rows),)
    )
