"""rollout report daily, stop, monitoring."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from cli import reporting
from cli.call import Call, system_command
from cli.output import Output
from ledger.domain.values.modes import Mode
from ledger.folders import check_free
from ledger.profiles.rule_sets import rules_of
from ledger.service.alerts import actions
from ledger.service.core.plan_in_force import plan_of
from ledger.service.imports.times import zone_named
from projections.core.base import Db
from projections.reports.diagnosis import limits_of
from projections.reports.happened import Progress
from projections.reports.period import day_of
from projections.reports.sheet import Sheet, file_names
from projections.reports.words import Words
from runtime.reports import Asked, asked_of_run, made_of
from runtime.wiring import Runtime

F = TypeVar("F", bound=Callable[..., Any])
REPORTS: Final = Path("reports")


def _out(default: str) -> Callable[[F], F]:
    return click.option(
        "--out", type=click.Path(path_type=Path), metavar="DIR", show_default=f"{REPORTS}/{default}",
        help="The folder to write. It appears when it is whole.",
    )  # fmt: skip


@system_command("daily")
@click.option("--date", metavar="YYYYMMDD", help="Which day. Default: the last that is over.")
@click.option("--tz", "--timezone", "zone", default="UTC", show_default=True, metavar="ZONE",
              help="Whose midnight: Asia/Shanghai, +08:00.")  # fmt: skip
@click.option("--limit", "limits", multiple=True, metavar="NAME=NUMBER",
              help="From where on it is wrong: reject_rate=5 (%), fill_rate=50 (%), latency_p95=500 (ms), "
              "pnl=0. Repeatable.")  # fmt: skip
@reporting.lang
@_out("daily/SYSTEM-YYYYMMDD")
@reporting.replace
def daily(
    call: Call,
    date: str | None,
    zone: str,
    limits: tuple[str, ...],
    words: Words,
    out: Path | None,
    replace: bool,
) -> None:
    """Report what SYSTEM did in a day: mode, trades, orders, latency, alerts, and what is wrong.

    Example:
      rollout report daily polyarb-x --date 20260201 --tz Asia/Shanghai --lang zh
    """
    from projections.reports import daily as report

    now = call.now()
    where = zone_named(zone)
    day = day_of(date, where.tz, where.name, now)
    thresholds = limits_of(limits)
    period = report.period_of(day, now)

    def make(db: Db, progress: Progress) -> Sheet:
        return report.sheet(db, call.system, day, thresholds, period, progress)

    folder = out or REPORTS / "daily" / f"{_as_name(call.system)}-{day.date:%Y%m%d}"
    asked = Asked(report.REPORT, call.system, period, make)
    _hand_out(call.runtime, asked, now, words, folder, call.output, replaced=replace)


@system_command("stop")
@click.option(
    "--run-tag",
    metavar="TAG",
    help="Which run: its tag (the last run that had it), or '#POSITION' of its start. Default: the last.",
)
@reporting.lang
@_out("stop/RUN_TAG")
@reporting.replace
def stop(call: Call, run_tag: str | None, words: Words, out: Path | None, replace: bool) -> None:
    """Report a run of SYSTEM: what ran, how long, how it ended, and what happened meanwhile.

    Example:
      rollout report stop polyarb-x --run-tag 20260201_090000_polyarb-x
    """
    now = call.now()
    asked = asked_of_run(call.runtime, call.system, run_tag, now)
    folder = out or REPORTS / "stop" / _as_name(asked.run_tag or "")
    _hand_out(call.runtime, asked, now, words, folder, call.output, replaced=replace)


@system_command("monitoring")
@reporting.lang
@_out("monitoring/SYSTEM-YYYYMMDD-HHMMSS")
@reporting.replace
def monitoring(call: Call, words: Words, out: Path | None, replace: bool) -> None:
    """Report how SYSTEM is watched now: thresholds, rules, rollback conditions and their state.

    Example:
      rollout report monitoring ofi-cvd --lang zh
    """
    from projections.reports import monitoring_sheet as report

    now = call.now()
    period = report.period_of(now)
    state = call.state()
    plan = plan_of(call.ledger, state) if state.profile is not None else None
    rules = rules_of(plan) if plan is not None else ()
    ages = actions.open_seconds(state, now)
    own = {
        actions.OPEN_SECONDS: [((("severity", name),), age) for name, age in ages.items()],
        "rollout_mode": [((("mode", mode),), float(state.mode == mode)) for mode in Mode],
    }
    watched = report.Watched(state, plan, rules, own, now)

    def make(db: Db, _progress: Progress) -> Sheet:
        return report.sheet(db, watched, period)

    folder = out or REPORTS / "monitoring" / f"{_as_name(call.system)}-{now:%Y%m%d-%H%M%S}"
    asked = Asked(report.REPORT, call.system, period, make)
    _hand_out(call.runtime, asked, now, words, folder, call.output, replaced=replace)


def _as_name(text: str) -> str:
    return text.replace("/", "-").lstrip(".") or "report"


def _hand_out(
    runtime: Runtime,
    asked: Asked,
    now: datetime,
    words: Words,
    folder: Path,
    output: Output,
    *,
    replaced: bool,
) -> None:
    check_free(folder, dict.fromkeys(file_names(asked.report)), replace=replaced)
    made, sheet = made_of(runtime, asked, words, now)
    reporting.hand_out(
        runtime,
        made,
        words,
        folder,
        output,
        replaced=replaced,
        facts={"sections": sheet.document(made.provenance, words)["sections"]},
        human=sheet.title(words),
    )
