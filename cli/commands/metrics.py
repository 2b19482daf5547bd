"""rollout metrics put, sample, list."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import click
from pydantic import ValidationError

from cli import options
from cli.call import Call, command, system_command
from cli.output import counted, say
from ledger.domain.errors import BadInput, UnknownName
from ledger.metrics.sources import Measured, Source, measured_of
from ledger.profiles.plan import load
from ledger.service.core import plan_in_force, sampling
from ledger.service.core.sampling import checked, read_samples
from runtime.times import parse_time


@click.group()
def metrics() -> None:
    """Record measured values, try metric sources, list what was recorded."""


@system_command("put", metrics)
@click.argument("samples", nargs=-1, metavar="[NAME=VALUE…]")
@click.option(
    "--label", "labels", multiple=True, metavar="KEY=VALUE", help="For all of them. Repeatable."
)
@click.option("--file", "file", metavar="FILE|-",
              type=click.File("r", encoding="utf-8", errors="backslashreplace"),
              help="JSON lines: {metric, value, labels, at}. - is stdin.")  # fmt: skip
@click.option(
    "--skip-bad", is_flag=True, help="Leave out the lines that can't be read, and list them."
)
def put(
    call: Call,
    samples: tuple[str, ...],
    labels: tuple[str, ...],
    file: TextIO | None,
    skip_bad: bool,
) -> None:
    """Record measured values, as of now or as of the times that the lines name.

    Example:
      rollout metrics put bot reject_rate=0.12 latency_p95=480 --label slice=london
      my-exporter | rollout metrics put bot --file -
    """
    pairs = dict(options.pair(text, "--label") for text in labels)
    now = call.now()
    measured = [_sample(text, pairs, now) for text in samples]
    if file is not None:
        measured += _lines(file, pairs, now, skip_bad=skip_bad)
    if not measured:
        raise BadInput("There is nothing to record.", hint="NAME=VALUE, or --file FILE")
    ledger = call.ledger
    ledger.load(call.system)
    for name in {one.metric for one in measured}:
        ledger.recorder.require_plain(name, "metric's name")
    events = sampling.record(ledger.recorder, call.system, measured, call.origin)
    position = call.runtime.store.head().position
    call.output.record(
        {"system": call.system, "position": position, "samples": len(measured), "events": events},
        f"{counted(len(measured), 'value')} recorded at #{position}",
    )


def _sample(text: str, labels: Mapping[str, str], now: datetime) -> Measured:
    name, value = options.pair(text, "The sample", "NAME=VALUE")
    try:
        return checked(Measured(name, labels, value, now))
    except ValueError as error:
        problem = f"{value!r} is no number" if isinstance(error, ValidationError) else str(error)
        raise BadInput(f"{text!r}: {problem}.", hint="Give it as NAME=0.12") from None


def _lines(
    file: TextIO, labels: Mapping[str, str], now: datetime, *, skip_bad: bool
) -> list[Measured]:
    """Return what JSON lines say: all of them, or with a bad one none, unless ``skip_bad``."""
    samples: list[Measured] = []
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            samples.append(checked(measured_of(json.loads(line), now, labels)))
        except (ValueError, KeyError, TypeError) as error:
            problem = f"{file.name}, line {number} is no sample: {error}"
            if not skip_bad:
                raise BadInput(
                    f"{problem}. Nothing was recorded.",
                    hint='{"metric": "ece", "value": 0.08}; or --skip-bad leaves such lines out',
                ) from None
            say(f"left out: {problem}", colour="yellow")
    return samples


@command("sample", metrics)
@options.any_system
@click.option("--plan", "file", type=click.Path(path_type=Path, dir_okay=False),
              help="A profile that is not adopted yet; needs no ledger.")  # fmt: skip
@click.option("--source", "names", multiple=True, help="Only this one. Repeatable.")
@options.base
def sample(
    call: Call, system: str | None, file: Path | None, names: tuple[str, ...], base: Path
) -> None:
    """Read the plan's metric sources once, and print what they say. Records nothing.

    Of a file that grows, its end is read. Exit 1 when a source can't be read, or says nothing.

    Example:
      rollout metrics sample bot --source runtime
      rollout metrics sample --plan profiles/okx-gradual.yaml
    """
    if (system is None) == (file is None):
        raise BadInput("Name a system, or a profile with --plan.")
    plan = load(file) if file else plan_in_force.plan_of(call.ledger, call.ledger.load(str(system)))
    sources = [spec.name for spec in plan.profile.metrics]
    for name in set(names) - set(sources):
        raise UnknownName(
            f"The plan has no metric source {name!r}.",
            hint=f"It has: {', '.join(sources) or 'none'}",
        )
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    for spec in plan.profile.metrics:
        if names and spec.name not in names:
            continue
        reading = Source(spec, base.absolute(), call.runtime.clock, os.environ, trial=True).read()
        if reading.problem is not None or not reading.samples:
            problems.append(reading.problem or f"{spec.name}: it says nothing now")
        rows += [
            {"source": spec.name, "metric": one.metric, "labels": dict(one.labels),
             "value": one.value, "at": one.at}
            for one in reading.samples
        ]  # fmt: skip
    _print(call, rows, ["source", "metric", "labels", "value", "at"])
    for problem in problems:
        say(f"warning: {problem}")
    call.exit(1 if problems else 0)


def _print(call: Call, rows: list[dict[str, Any]], columns: list[str]) -> None:
    if call.output.format == "table":
        for row in rows:
            row["labels"] = ", ".join(f"{k}={v}" for k, v in sorted(row["labels"].items()))
    call.output.rows(rows, columns)


@system_command("list", metrics)
@click.option("--since", default="1 day ago", show_default=True, help="A time, or: 2 hours ago.")
def list_(call: Call, since: str) -> None:
    """List the series that were recorded: how many samples, the newest value and its time.

    Example:
      rollout metrics list bot --since "2 hours ago"
    """
    call.state()
    since_then, now = parse_time(since, call.now()), call.now()
    series: dict[tuple[str, tuple[tuple[str, str], ...]], dict[str, Any]] = {}
    for one in read_samples(call.runtime.store, call.system, since_then, now):
        key = (one.metric, tuple(sorted(one.labels.items())))
        row = series.setdefault(
            key, {"metric": one.metric, "labels": dict(one.labels), "samples": 0}
        )
        row |= {"samples": row["samples"] + 1, "newest": one.value, "at": one.at}
    rows = [series[key] for key in sorted(series)]
    _print(call, rows, ["metric", "labels", "samples", "newest", "at"])
