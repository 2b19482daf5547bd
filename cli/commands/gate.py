"""rollout gate eval, show, waive, revoke."""

from __future__ import annotations

from datetime import datetime

import click

from cli.call import Call, decision_command, system_command
from cli.commands.preflight import COLOURS, EXIT_CODES
from cli.completion import complete_waivable, complete_waiver
from cli.output import say
from cli.overview import styled
from ledger.configuration.strict import did_you_mean
from ledger.domain.decision import Decision
from ledger.domain.errors import BadInput, Refused, UnknownName
from ledger.domain.gates import decide as gates
from ledger.domain.gates.verdicts import standing_waivers
from ledger.domain.state import SystemState
from ledger.domain.values.durations import parse_duration
from ledger.profiles.model import Profile
from ledger.service.core.plan_in_force import plan_of
from ledger.service.gates import evaluation
from runtime.times import parse_time

COLUMNS = ["criterion", "result", "measured", "threshold", "samples", "observed", "detail"]


@click.group()
def gate() -> None:
    """Exit gates of phases, and waivers."""


@decision_command("eval", gate)
def eval_(call: Call) -> None:
    """Put the exit gate of the present phase to what was recorded.

    Exit code 0: GO (or WAIVED), 3: NO_GO, 4: INCONCLUSIVE: something is missing, and the table says what.
    A phase without criteria has no gate: what it may be left by is told, or, with 4, that there is nothing.

    Example:
      rollout gate eval ofi-cvd
    """
    found = evaluation.evaluate(call.ledger, call.system, call.origin)
    if isinstance(found, Decision):
        call.skip(found.skipped or "")
        return
    evaluated, position = found
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
    click.get_current_context().exit(EXIT_CODES[evaluated.verdict])


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
    """Let SUBJECT pass for a while. You take it on yourself, and it is shown wherever the verdict is.

    The plan says how long that may be: 7 days, unless it says otherwise (waivers: longest).

    Example:
      rollout gate waive okx check:backtest --until 2h --reason "no run on Sundays"
      rollout gate waive okx mode:real --break-glass --until 30m --reason "exchange closes our hedge"
    """
    axis, _, name = subject.partition(":")
    if not name or axis not in {"check", "criterion", "mode", "phase"}:
        raise BadInput(f"{subject!r} can't be waived.", hint="check:NAME, criterion:PHASE/NAME, …")
    if (axis in {"mode", "phase"}) != break_glass:
        raise BadInput(
            f"{subject} is passed by breaking the glass, and a check or a criterion by a waiver.",
            hint="Add --break-glass" if axis in {"mode", "phase"} else "Leave --break-glass out",
        )

    ledger = call.ledger
    profile = plan_of(ledger, ledger.load(call.system)).profile
    _require_known(profile, call.system, subject)
    _require_effect(profile, call.state(), subject, call.now())
    call.require_yes(f"{subject} of {call.system} is let pass", yes=yes)
    now = call.now()
    end = _until(until, now)
    waiver = f"W-{ledger.load(call.system).revision + 1}"
    call.decide(
        lambda state: gates.waive(
            state,
            waiver,
            subject=f"break-glass:{subject}" if break_glass else subject,
            until=end,
            longest=profile.waivers.longest,
            break_glass=break_glass,
            actor=call.actor,
            reason=call.reason,
            now=now,
        ),
        f"{waiver}: {subject} is let pass until {end:%Y-%m-%d %H:%M:%SZ}",
    )
    if axis == "criterion":
        say(f"it counts from the next evaluation: rollout gate eval {call.system}")


def _require_known(profile: Profile, system: str, subject: str) -> None:
    """Raise unless the plan has ``subject``: a waiver of a mistyped name would let nothing pass."""
    known = [
        *(f"check:{check.name}" for check in profile.checks),
        *(f"criterion:{p.name}/{one.name}" for p in profile.phases for one in p.success),
        *(f"mode:{mode}" for mode in profile.modes),
        *(f"phase:{phase.name}" for phase in profile.phases),
    ]
    if subject not in known:
        alike = [each for each in known if each.partition(":")[0] == subject.partition(":")[0]]
        raise UnknownName(
            f"The plan of {system} has nothing that {subject!r} could let pass.",
            hint=did_you_mean(subject, alike)
            or f"It has: {', '.join(alike) or 'none of that kind'}",
        )


def _require_effect(profile: Profile, state: SystemState, subject: str, now: datetime) -> None:
    """Raise where a waiver of a criterion could change no verdict: it would only look like a way on.

    Raises:
        Refused: the phase is not the present one, or no criterion would be left that shows anything.
    """
    axis, _, name = subject.partition(":")
    if axis != "criterion":
        return
    phase = name.partition("/")[0]
    if state.phase is None or state.phase.name != phase:
        present = f"in {state.phase.name}" if state.phase is not None else "in no phase"
        raise Refused(
            f"{state.system} is {present}: the gate of {phase} is not asked now, so nothing is waived.",
            hint=f"Waive it when {phase} is the present phase.",
        )
    waived = {one.subject for one in standing_waivers(state, now).values()} | {subject}
    planned = profile.phase(phase)
    if planned is not None and all(
        f"criterion:{phase}/{one.name}" in waived for one in planned.success
    ):
        raise Refused(
            f"With {name} waived no criterion of {phase} would be left, and no evidence is no pass.",
            hint=f"rollout gate waive {state.system} phase:{phase} --break-glass --until 1h --reason …",
        )


def _until(text: str, now: datetime) -> datetime:
    try:
        return now + parse_duration(text)
    except BadInput:
        return parse_time(text, now)


@decision_command("revoke", gate)
@click.argument("waiver", shell_complete=complete_waiver)
def revoke(call: Call, waiver: str) -> None:
    """End a waiver before its time.

    Example:
      rollout gate revoke okx W-17 --reason "the run came in"
    """
    call.decide(lambda state: gates.revoke(state, waiver), f"{waiver} is revoked")
