"""rollout alert silence, unsilence: part of the group `rollout alert`."""

from __future__ import annotations

import click

from cli import options
from cli.call import Call, decision_command
from cli.completion import complete_alert, complete_silence
from cli.output import say
from ledger.domain.alerts import decide as alerts
from ledger.domain.values.durations import parse_duration
from ledger.domain.values.spelling import did_you_mean
from ledger.profiles.rule_sets import rules_of
from ledger.service.core.plan_in_force import plan_of


@decision_command("silence")
@click.argument("name", metavar="ALERT", required=False, shell_complete=complete_alert)
@click.option("--match", "matches", multiple=True, metavar="LABEL=VALUE", help="Repeatable.")
@click.option("--for", "span", required=True, metavar="DURATION", help="How long: 2h, 30m.")
@click.option(
    "--hold-actions", is_flag=True, help="Rules don't act on them either: you have it in hand."
)
def silence(
    call: Call, name: str | None, matches: tuple[str, ...], span: str, hold_actions: bool
) -> None:
    """Silence an alert for a while: nobody is told of it. Needs a person and a reason, and ends by itself.

    Example:
      rollout alert silence bot LatencyHigh --for 2h --reason "exchange maintenance"
    """
    matchers = dict(options.pair(text, "--match", "LABEL=VALUE") for text in matches)
    if name:
        matchers["alert"] = name
    until = call.now() + parse_duration(span)
    decision = call.ledger.decide(
        call.system,
        lambda state: alerts.silence(
            state,
            matchers,
            until=until,
            holds_actions=hold_actions,
            actor=call.actor,
            reason=call.reason,
        ),
        call.origin,
    )
    made = decision.events[0].payload()
    call.finish(decision, f"{made['silence']}: silent until {made['until']}")
    if name:
        _note_if_unknown(call, name)


def _note_if_unknown(call: Call, name: str) -> None:
    """Say so where nothing is called ``name`` yet: a mistyped silence would keep nothing quiet."""
    state = call.state()
    keys = (*state.alerts, *state.pending)
    names = {*keys, *(key.partition("{")[0] for key in keys)}
    if state.profile is not None:
        names |= {rule.name for rule in rules_of(plan_of(call.ledger, state))}
    if name not in names and not name.startswith("NoData("):
        wanted = did_you_mean(name, sorted(names))
        say(
            f"note: {call.system} has no rule and no alert {name!r} now"
            + (f"; {wanted}" if wanted else "")
        )


@decision_command("unsilence")
@click.argument("name", metavar="SILENCE", shell_complete=complete_silence)
def unsilence(call: Call, name: str) -> None:
    """End a silence before its time.

    Example:
      rollout alert unsilence bot S-41
    """
    call.decide(lambda state: alerts.lift_silence(state, name), f"{name} is lifted")
