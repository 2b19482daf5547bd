"""Reports as front ends make them: of one moment of the log, written as a folder, and recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ledger.domain.errors import RightMissing
from ledger.domain.events import ReportGenerated
from ledger.domain.log.ids import control_stream
from ledger.domain.values.modes import Mode
from ledger.folders import write_folder
from ledger.profiles.rule_sets import rules_of
from ledger.service.alerts import actions
from ledger.service.core.plan_in_force import plan_of
from projections.core.base import Db
from projections.core.period import Period
from projections.reports import daily, monitoring_sheet, stop as report
from projections.reports.diagnosis import Limits
from projections.reports.happened import Progress, first_position
from projections.reports.period import Day
from projections.reports.provenance import Provenance, provenance
from projections.reports.sheet import Sheet
from projections.reports.words import Words, words_in
from runtime.wiring import Runtime


@dataclass(frozen=True)
class Made:
    """A report that was made, and not yet written: file name -> content."""

    provenance: Provenance
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """A report that is asked for."""

    report: str
    system: str
    period: Period
    make: Callable[[Db, Progress], Sheet]
    run_tag: str | None = None


def asked_of_run(runtime: Runtime, system: str, run_tag: str | None, now: datetime) -> Asked:
    """Return the stop report of a run; without a tag, of the last one.

    Raises:
        UnknownName: there is no such system, or no such run.
    """
    runtime.ledger.load(system)
    run = report.run_of(runtime.readmodel, system, run_tag)
    period = report.period_of(run, now)

    def make(db: Db, progress: Progress) -> Sheet:
        return report.sheet(db, system, run, period, progress)

    return Asked(report.REPORT, system, period, make, run.tag)


def asked_of_day(system: str, day: Day, limits: Limits, now: datetime) -> Asked:
    """Return the daily report of a day; of one that is not over, of what has passed of it."""
    period = daily.period_of(day, now)

    def make(db: Db, progress: Progress) -> Sheet:
        return daily.sheet(db, system, day, limits, period, progress)

    return Asked(daily.REPORT, system, period, make)


def asked_of_now(runtime: Runtime, system: str, now: datetime) -> Asked:
    """Return the monitoring report: the plan's rules and conditions, and how they stand now.

    Raises:
        UnknownName: there is no such system.
    """
    state, period = runtime.ledger.load(system), monitoring_sheet.period_of(now)
    plan = plan_of(runtime.ledger, state) if state.profile is not None else None
    rules = rules_of(plan) if plan is not None else ()
    ages = actions.open_seconds(state, now)
    own = {
        actions.OPEN_SECONDS: [((("severity", name),), age) for name, age in ages.items()],
        actions.MODE: [((("mode", mode),), float(state.mode == mode)) for mode in Mode],
    }
    watched = monitoring_sheet.Watched(state, plan, rules, own, now)

    def make(db: Db, _progress: Progress) -> Sheet:
        return monitoring_sheet.sheet(db, watched, period)

    return Asked(monitoring_sheet.REPORT, system, period, make)


def write_stop_report(
    runtime: Runtime, system: str, run_tag: str, language: str, folder: Path
) -> None:
    """Write the stop report of a run that has just ended; a plan asks for it.

    Raises:
        LedgerError: it could not be written; `rollout report stop` makes it later.
    """
    words, now = words_in(language), runtime.clock.now()
    made, _ = made_of(runtime, asked_of_run(runtime, system, run_tag, now), words, now)
    write(runtime, made, words, folder, replaced=True)


@contextmanager
def one_moment(runtime: Runtime) -> Generator[Db]:
    """Yield the read models as they are now: what is appended meanwhile is in no part of a report."""
    db = runtime.readmodel
    with db.transaction():
        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield db


def made_of(runtime: Runtime, asked: Asked, words: Words, now: datetime) -> tuple[Made, Sheet]:
    """Make a report of one moment of the log."""
    runtime.ledger.load(asked.system)
    period = asked.period
    with one_moment(runtime) as db:
        sheet = asked.make(db, runtime.progress("reading order activity"))
        source = provenance(
            db, asked.report, asked.system, generated_at=now,
            generated_by=runtime.settings.actor.name,
            from_position=first_position(db, asked.system, period),
            since=period.since, until=period.until, run_tag=asked.run_tag,
        )  # fmt: skip
    return Made(source, sheet.files(source, words)), sheet


def write(
    runtime: Runtime, made: Made, words: Words, folder: Path, *, replaced: bool
) -> tuple[dict[str, str], int | None]:
    """Write the folder, and record that it was; return the files' SHA-256, and the event's position.

    Raises:
        BadInput, FileNotWritten: nothing was written, and nothing recorded.
    """
    write_folder(folder, made.files, replace=replaced)
    sums = {
        name: hashlib.sha256(content).hexdigest() for name, content in sorted(made.files.items())
    }
    return sums, _record(runtime, made.provenance, words, sums)


def _record(
    runtime: Runtime, made: Provenance, words: Words, sums: Mapping[str, str]
) -> int | None:
    """Append `ReportGenerated`; a login that may only read gets its report all the same."""
    generated = ReportGenerated(
        report=made.report,  # type: ignore[arg-type] -- one of the four
        language=words.language,
        run=made.run_tag,
        from_position=made.from_position,
        to_position=made.to_position,
        chain=made.chain,
        files=dict(sums),
    )
    recorder = runtime.ledger.recorder
    # No string of it is a person's: names of files, digests, and a run tag that was recorded before.
    event = recorder.prepare(
        generated, runtime.origin(), stream=control_stream(made.system), system=made.system,
        redacted=True,
    )  # fmt: skip
    try:
        position = recorder.append([event])[0].position
    except RightMissing as problem:
        runtime.say(f"warning: that it was made is not recorded: {problem.message}")
        return None
    runtime.catch_up()
    return position
