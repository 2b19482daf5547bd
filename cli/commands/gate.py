"""rollout gate eval, show, waive, revoke."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from cli import options
from cli.commands.alert import told
from cli.commands.modes import insist_on_yes, skip
from cli.commands.preflight import COLOURS, EXIT_CODES
from cli.completion import complete_system, complete_waivable, complete_waiver
from cli.output import Output
from cli.overview import styled
from cli.wiring import Runtime, pass_runtime
from ledger.domain.decision import Decision
from ledger.domain.errors import BadInput, UnknownName
from ledger.domain.gates import decide as gates
from ledger.domain.values.durations import parse_duration

if TYPE_CHECKING:
    from ledger.profiles.model import Profile

system_argument = click.argument("system", shell_complete=complete_system)
COLUMNS = ["criterion", "result", "measured", "threshold", "samples", "observed", "detail"]


@click.group()
def gate() -> None:
    """Exit gates of phases, and waivers."""


@gate.command("eval")
@system_argument
@options.reason
@options.output
@pass_runtime
def eval_(runtime: Runtime, system: str, reason: str | None, output: Output) -> None:
    """Put the exit gate of the present phase to what was recorded.

    Exit code 0: GO (or WAIVED), 3: NO_GO, 4: INCONCLUSIVE: something is missing, and the table says what.
    A phase without criteria has no gate: what it may be left by is told, or, with 4, that there is nothing.

    \b
    Example:
      rollout gate eval ofi-cvd
    """
    from ledger.service.gates import evaluation

    found = evaluation.evaluate(runtime.ledger, system, runtime.origin(reason))
    if isinstance(found, Decision):
        skip(output, system, found.skipped or "")
        return
    evaluated, position = found
    data = evaluated.payload()
    rows = [
        {
            "criterion": one["name"],
            **one,
            "observed": evaluation.observed_text(one),
        }
        for one in data["criteria"]
    ]
    if output.format == "table":
        output.rows(rows, COLUMNS)
        verdict = evaluated.verdict
        click.echo(f"{styled(verdict, COLOURS[verdict], bold=True)}  {data['phase']}  #{position}")
    else:
        output.record({"system": system, "position": position, **data})
    runtime.catch_up()
    click.get_current_context().exit(EXIT_CODES[evaluated.verdict])


@gate.command("show")
@system_argument
@options.output
@pass_runtime
def show(runtime: Runtime, system: str, output: Output) -> None:
    """Show the waivers, and the last verdicts of gates and preflight.

    \b
    Example:
      rollout gate show ofi-cvd
    """
    from ledger.domain.gates.verdicts import standing_waivers

    state = runtime.ledger.load(system)
    standing = standing_waivers(state, runtime.clock.now())
    rows = [
        {"what": f"gate {name}", "verdict": known["verdict"], "at": known["at"], "by": known["by"]}
        for name, known in state.gates.items()
    ]
    if state.preflight is not None:
        last = state.preflight
        rows.append(
            {"what": "preflight", "verdict": last["verdict"], "at": last["at"], "by": last["by"]}
        )
    rows += [
        {
            "what": f"waiver {name}: {known['subject']}",
            "verdict": "waived until" if name in standing else "expired",
            "at": known["until"],
            "by": f"{known['by']}: {known['reason']}",
        }
        for name, known in state.waivers.items()
    ]
    output.rows(rows, ["what", "verdict", "at", "by"])


@gate.command("waive")
@system_argument
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
@options.reason
@options.yes
@options.output
@pass_runtime
def waive(
    runtime: Runtime,
    system: str,
    subject: str,
    until: str,
    break_glass: bool,
    reason: str | None,
    yes: bool,
    output: Output,
) -> None:
    """Let SUBJECT pass for a while. You take it on yourself, and it is shown wherever the verdict is.

    The plan says how long that may be: 7 days, unless it says otherwise (waivers: longest).

    \b
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
    from ledger.service.plans.adoption import plan_of

    ledger = runtime.ledger
    profile = plan_of(ledger, ledger.load(system)).profile
    _insist_on_known(profile, system, subject)
    insist_on_yes(f"{subject} of {system} is let pass", reason, yes=yes)
    now = runtime.clock.now()
    end = _until(until, now)
    waiver = f"W-{ledger.load(system).revision + 1}"
    decision = ledger.decide(
        system,
        lambda state: gates.waive(
            state,
            waiver,
            subject=f"break-glass:{subject}" if break_glass else subject,
            until=end,
            longest=profile.waivers.longest,
            break_glass=break_glass,
            actor=runtime.settings.actor,
            reason=reason,
            now=now,
        ),
        runtime.origin(reason),
    )
    told(
        decision, output, f"{waiver}: {subject} is let pass until {end:%Y-%m-%d %H:%M:%SZ}", system
    )
    runtime.catch_up()


def _insist_on_known(profile: Profile, system: str, subject: str) -> None:
    """Raise unless the plan has ``subject``: a waiver of a mistyped name would let nothing pass."""
    from ledger.configuration.strict import did_you_mean

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


def _until(text: str, now: datetime) -> datetime:
    try:
        return now + parse_duration(text)
    except BadInput:
        from cli.times import parse_time

        return parse_time(text, now)


@gate.command("revoke")
@system_argument
@click.argument("waiver", shell_complete=complete_waiver)
@options.reason
@options.output
@pass_runtime
def revoke(runtime: Runtime, system: str, waiver: str, reason: str | None, output: Output) -> None:
    """End a waiver before its time.

    \b
    Example:
      rollout gate revoke okx W-17 --reason "the run came in"
    """
    decision = runtime.ledger.decide(
        system, lambda state: gates.revoke(state, waiver), runtime.origin(reason)
    )
    told(decision, output, f"{waiver} is revoked", system)
    runtime.catch_up()
