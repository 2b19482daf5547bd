"""rollout preflight run, show."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from cli import options
from cli.call import Call, decision_command, system_command
from cli.output import say
from cli.overview import styled
from ledger.domain.errors import UnknownName
from ledger.domain.gates.verdicts import Verdict
from ledger.preflight.finding import Finding
from ledger.service.gates import preflight as preflighting
from ledger.service.gates.preflight import departures, departures_text

EXIT_CODES: Final = {"GO": 0, "WAIVED": 0, "NO_GO": 3, "INCONCLUSIVE": 4}
COLOURS: Final = {
    "PASS": "green", "WARN": "yellow", "FAIL": "red", "ERROR": "red", "SKIP": "yellow",
    "GO": "green", "WAIVED": "yellow", "NO_GO": "red", "INCONCLUSIVE": "yellow",
}  # fmt: skip
COLUMNS: Final = ("check", "priority", "category", "result", "measured", "threshold", "detail")


@click.group()
def preflight() -> None:
    """Run the plan's checks before something goes live, and show what they said."""


@decision_command("run", preflight)
@click.option("--param", "params", multiple=True, metavar="KEY=VALUE",
              help="Another value for a parameter of the plan. Repeatable.")  # fmt: skip
@click.option("--skip", "skips", multiple=True, metavar="CHECK",
              help="Leave a check out; needs --reason. A skipped P0 is NO_GO. Repeatable.")  # fmt: skip
@options.base
def run(call: Call, params: tuple[str, ...], skips: tuple[str, ...], base: Path) -> None:
    """Run the checks side by side, and record the verdict for the configuration in force.

    Exit code 0: GO (or WAIVED), 3: NO_GO, 4: INCONCLUSIVE.

    Example:
      rollout preflight run okx --param min_sharpe=0.3 --skip backtest --reason "no run on Sunday"
    """
    if skips:
        call.require_reason("Leaving a check out needs a reason.")
    done = preflighting.run(
        call.ledger,
        call.system,
        call.origin,
        params=dict(options.pair(text, "--param") for text in params),
        skips=dict.fromkeys(skips, f"skipped: {call.reason}"),
        base=base.absolute(),
        report=report,
    )
    _show(call, done.completed.payload(), done.position)
    if done.verdict is Verdict.NO_GO:
        worst = min(
            (
                each
                for each in done.completed.results
                if each.result not in {"PASS", "WARN"} and not each.waived_by
            ),
            key=lambda each: each.priority,
        )
        say(
            "  next: put right what failed, and run this again; or take a check on yourself for a while: "
            f"rollout gate waive {call.system} check:{worst.name} --until 2h --reason …"
        )
    call.runtime.catch_up()
    call.exit(EXIT_CODES[done.verdict.value])


def report(name: str, finding: Finding | None) -> None:
    """Tell how the checks go."""
    if finding is not None:
        result = finding.result.value
        say(f"  {styled(f'{result:5}', COLOURS[result])} {name} ({finding.took_ms} ms)")


@system_command("show", preflight)
def show(call: Call) -> None:
    """Show the last preflight of SYSTEM.

    Example:
      rollout preflight show okx -o json
    """
    state = call.state()
    if state.preflight is None:
        raise UnknownName(
            f"No preflight of {call.system} was run.", hint=f"rollout preflight run {call.system}"
        )
    position = state.preflight.position
    event = call.runtime.store.get(position)
    if event is None:
        raise UnknownName(f"#{position} is not in the log.", hint="Run: rollout verify")
    _show(call, event.data, position)


def _show(call: Call, data: Any, position: int) -> None:
    departed = departures(call.ledger, position)
    verdict = Verdict(data["verdict"])
    rows = [{"check": result["name"], **result} for result in data["results"]]
    if call.output.format == "table":
        for row in rows:
            waived = f" (waived: {row['waived_by']})" if row.get("waived_by") else ""
            row["result"] += waived
        call.output.rows(rows, list(COLUMNS))
        click.echo(f"{styled(verdict.value, COLOURS[verdict.value], bold=True)}  {_sums(data['results'])}  "
                   f"#{position}")  # fmt: skip
        if departed:
            click.echo(styled(departures_text(departed), "yellow"))
    elif call.output.format in {"json", "jsonl"}:
        plan = {name: planned for name, (_, planned) in departed.items()}
        call.output.record(
            {"system": call.system, "position": position, **data, "params_of_plan": plan}
        )
    else:
        call.output.rows(rows, list(COLUMNS))


def _sums(results: Any) -> str:
    counts: dict[str, int] = {}
    for result in results:
        counts[result["result"]] = counts.get(result["result"], 0) + 1
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "no checks"
