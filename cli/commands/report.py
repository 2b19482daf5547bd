"""rollout report canary, daily, stop, monitoring."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from cli import options
from cli.call import Call, system_command
from cli.output import counted
from ledger.folders import check_free
from ledger.service.imports.times import zone_named
from projections.reports import canary as model
from projections.reports.diagnosis import limits_of
from projections.reports.period import day_of
from projections.reports.sheet import file_names
from projections.reports.words import Words, words_in
from runtime import reports
from runtime.canary import judged_canary
from runtime.reports import Asked, Made, asked_of_run, made_of, one_moment

F = TypeVar("F", bound=Callable[..., Any])
REPORTS: Final = Path("reports")


def _language(_context: click.Context, _parameter: click.Parameter, value: str) -> Words:
    return words_in(value)


def _written(default: str | None = None) -> Callable[[F], F]:
    """Return the options of a report: its language, its folder, whether it takes another's place."""
    return options.stack(
        click.option(
            "--out", required=default is None, type=click.Path(path_type=Path), metavar="DIR",
            show_default=f"{REPORTS}/{default}" if default else None,
            help="The folder to write. It appears when it is whole.",
        ),
        click.option(
            "--lang", "words", default="en", show_default=True, metavar="en|zh",
            envvar="ROLLOUT_LANG", show_envvar=True, callback=_language, help="The report's language.",
        ),
        click.option(
            "--replace", is_flag=True, help="Exchange a report that is in that folder already."
        ),
    )  # fmt: skip


@click.group()
def report() -> None:
    """Write reports, derived from the ledger, each with its provenance."""


@system_command("canary", report)
@click.option("--run-tag", metavar="TAG", help="The run that it is about: its tag (the last run that "
              "had it), or '#POSITION' of its start. Default: the present phase, from when it was entered; "
              "without one, the last run.")  # fmt: skip
@_written()
def canary(call: Call, run_tag: str | None, out: Path, words: Words, replace: bool) -> None:
    """Write the acceptance report of a canary: service levels, slices, calibration, a recommendation.

    It says INCONCLUSIVE where too little was observed, and what is missing. The exit code is 0 whatever
    the verdict: `rollout gate eval` is what opens a gate.

    Example:
      rollout report canary ofi-cvd --run-tag 20251022_T+0_canary_v1 --out reports/T+0 --lang zh
    """
    check_free(out, model.names(), replace=replace)
    now, state = call.now(), call.state()
    progress, done = call.runtime.progress("parts of the report"), 0

    def step() -> None:
        nonlocal done
        done += 1
        progress(done, model.STEPS + 1)

    with one_moment(call.runtime) as db:
        judged = judged_canary(call.runtime, db, state, run_tag, now)
        made = model.collect(db, judged, now=now, by=call.actor.name)
    step()
    files = model.files(made, words, step)
    advice = made.recommendation
    facts = {
        "verdict": made.verdict, "recommendation": advice.action, "approval": advice.approval,
        "samples": made.samples,
    }  # fmt: skip
    human = f"{made.verdict}: {words(f'canary.verdict.{made.verdict}')}"
    report = Made(made.provenance, files)
    _write(call, report, words, out, replaced=replace, facts=facts, human=human)


@system_command("daily", report)
@click.option("--date", metavar="YYYYMMDD", help="Which day. Default: the last that is over.")
@click.option("--tz", "--timezone", "zone", default="UTC", show_default=True, metavar="ZONE",
              help="Whose midnight: Asia/Shanghai, +08:00.")  # fmt: skip
@click.option("--limit", "limits", multiple=True, metavar="NAME=NUMBER",
              help="From where on it is wrong: reject_rate=5 (%), fill_rate=50 (%), latency_p95=500 (ms), "
              "pnl=0. Repeatable.")  # fmt: skip
@_written("daily/SYSTEM-YYYYMMDD")
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
    now, where = call.now(), zone_named(zone)
    day = day_of(date, where.tz, where.name, now)
    asked = reports.asked_of_day(call.system, day, limits_of(limits), now)
    folder = out or REPORTS / "daily" / f"{_as_name(call.system)}-{day.date:%Y%m%d}"
    _hand_out(call, asked, now, words, folder, replaced=replace)


@system_command("stop", report)
@click.option(
    "--run-tag",
    metavar="TAG",
    help="Which run: its tag (the last run that had it), or '#POSITION' of its start. Default: the last.",
)
@_written("stop/RUN_TAG")
def stop(call: Call, run_tag: str | None, words: Words, out: Path | None, replace: bool) -> None:
    """Report a run of SYSTEM: what ran, how long, how it ended, and what happened meanwhile.

    Example:
      rollout report stop polyarb-x --run-tag 20260201_090000_polyarb-x
    """
    now = call.now()
    asked = asked_of_run(call.runtime, call.system, run_tag, now)
    folder = out or REPORTS / "stop" / _as_name(asked.run_tag or "")
    _hand_out(call, asked, now, words, folder, replaced=replace)


@system_command("monitoring", report)
@_written("monitoring/SYSTEM-YYYYMMDD-HHMMSS")
def monitoring(call: Call, words: Words, out: Path | None, replace: bool) -> None:
    """Report how SYSTEM is watched now: thresholds, rules, rollback conditions and their state.

    Example:
      rollout report monitoring ofi-cvd --lang zh
    """
    now = call.now()
    asked = reports.asked_of_now(call.runtime, call.system, now)
    folder = out or REPORTS / "monitoring" / f"{_as_name(call.system)}-{now:%Y%m%d-%H%M%S}"
    _hand_out(call, asked, now, words, folder, replaced=replace)


def _as_name(text: str) -> str:
    return text.replace("/", "-").lstrip(".") or "report"


def _hand_out(
    call: Call, asked: Asked, now: datetime, words: Words, folder: Path, *, replaced: bool
) -> None:
    check_free(folder, dict.fromkeys(file_names(asked.report)), replace=replaced)
    made, sheet = made_of(call.runtime, asked, words, now)
    facts = {"sections": sheet.document(made.provenance, words)["sections"]}
    human = sheet.title(words)
    _write(call, made, words, folder, replaced=replaced, facts=facts, human=human)


def _write(
    call: Call, made: Made, words: Words, folder: Path, *,
    replaced: bool, facts: Mapping[str, Any], human: str,
) -> None:  # fmt: skip
    """Write the folder, record that it was, and tell: ``human`` to people, ``facts`` to programs.

    Raises:
        BadInput, FileNotWritten: nothing was written, and nothing recorded.
    """
    sums, position = reports.write(call.runtime, made, words, folder, replaced=replaced)
    source = made.provenance
    call.output.record(
        {
            "report": source.report, "system": source.system, **facts, "folder": str(folder),
            "files": sums, "position": position,
        },
        f"{human}\n{folder}: {counted(len(sums), 'file')}",
    )  # fmt: skip
