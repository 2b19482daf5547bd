"""rollout gate eval, show, waive, revoke."""

from __future__ import annotations

from datetime import datetime

import click

from cli.call import Call, decision_command, system_command
from cli.commands.preflight import COLOURS, EXIT_CODES
from cli.completion import complete_waivable, complete_waiver
from cli.output import say
from cli.overview import styled
from ledger.domain.decision import Decision
from ledger.domain.errors import BadInput
from ledger.domain.gates import decide as gates
from ledger.domain.gates.verdicts import standing_waivers
from ledger.domain.values.durations import parse_duration
from ledger.service.gates import evaluation, waiver
from runtime.times import parse_time

COLUMNS = ["criterion", "result", "measured", "threshold", "samples", "observed", "detail"]


@click.group()
def gate() -> None:
    """Evaluate exit gates of phases; waive, and revoke waivers."""


@decision_command("eval", gate)
def eval_(call: Call) -> None:
    """Evaluate the exit gate of the present phase on what was recorded.

    Exit code 0: GO (or WAIVED), 3: NO_GO, 4: INCONCLUSIVE: something is missing, and the table says what.
    A phase without criteria has no gate: what it may be left by is told, or, with 4, that there is nothing.

    Example:
      rollout gate eval ofi-cvd
    """
    outcome = evaluation.evaluate(call.ledger, call.system, call.origin)
    if isinstance(outcome, Decision):
        call.skip(outcome.skipped or "")
        return
    evaluated, position = outcome
    data = evaluated.payload()
    rows = [
        {"criterion": one["name"], **one, "observed": evaluation.observed_text(one)}
        for one in data["criteria"]
    ]
    if call.output.format == "table":
        call.output.rows(rows, COLUMNS)
        verdict = evaluated.verdict
        click.echo(f"{styled(verdict, COLOURS[verdict], bold=True)}  {data['phase']}  #{position}")
    else:
        call.output.record({"system": call.system, "position": position, **data})
    call.runtime.catch_up()
    call.exit(EXIT_CODES[evaluated.verdict])


@system_command("show", gate)
def show(call: Call) -> None:
    """Show the waivers, and the last verdicts of gates and preflight.

    Example:
      rollout gate show ofi-cvd
    """
    state = call.state()
    standing = standing_waivers(state, call.now())
    rows = [
        {"what": f"gate {name}", "verdict": judged.verdict, "at": judged.at, "by": judged.by}
        for name, judged in state.gates.items()
    ]
    if state.preflight is not None:
        last = state.preflight
        rows.append({"what": "preflight", "verdict": last.verdict, "at": last.at, "by": last.by})
    rows += [
        {
            "what": f"waiver {name}: {waiver.subject}",
            "verdict": "waived until" if name in standing else "expired",
            "at": waiver.until,
            "by": f"{waiver.by}: {waiver.reason}",
        }
        for name, waiver in state.waivers.items()
    ]
    call.output.rows(rows, ["what", "verdict", "at", "by"])


@decision_command("waive", gate, asks=True)
@click.argument(
    "subject",
    metavar="check:NAME|criterion:PHASE/NAME|mode:real|phase:NAME",
    shell_complete=complete_waivable,
)
@click.option(
    "--until", required=True, metavar="TIME|DURATION", help="When it ends: 2h, or a time."
)
@click.option("--break-glass", is_flag=True,
              help="For mode:… and phase:…: go ahead without their gates and approvals.")  # fmt: skip
def waive(call: Call, subject: str, until: str, break_glass: bool, yes: bool) -> None:
    """Waive SUBJECT for a while. You take it on yourself, and it is shown wherever the verdict is.

    The plan says how long that may be: 7 days, unless it says otherwise (waivers: longest).

    Example:
      rollout gate waive okx check:backtest --until 2h --reason "no run on Sundays"
      rollout gate waive okx mode:real --break-glass --until 30m --reason "exchange closes our hedge"
    """
    ledger = call.ledger
    waiver.check(ledger, call.system, subject, break_glass=break_glass)
    call.require_yes(f"{subject} of {call.system} is let pass", yes=yes)
    end = _until(until, call.now())
    decision = waiver.waive(ledger, call.system, subject, end, call.origin, break_glass=break_glass)
    made = decision.events[0].payload()["waiver"]
    call.finish(decision, f"{made}: {subject} is let pass until {end:%Y-%m-%d %H:%M:%SZ}")
    if subject.startswith("criterion:"):
        say(f"it counts from the next evaluation: rollout gate eval {call.system}")


def _until(text: str, now: datetime) -> datetime:
    try:
        return now + parse_duration(text)
    except BadInput:
        return parse_time(text, now)


@decision_command("revoke", gate)
@click.argument("name", metavar="WAIVER", shell_complete=complete_waiver)
def revoke(call: Call, name: str) -> None:
    """Revoke a waiver before its time.

    Example:
      rollout gate revoke okx W-17 --reason "the run came in"
    """
    call.decide(lambda state: gates.revoke(state, name), f"{name} is revoked")
