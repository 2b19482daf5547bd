"""rollout alert silence, unsilence: part of the group `rollout alert`."""

from __future__ import annotations

import click

from cli import options
from cli.call import Call, decision_command
from cli.completion import complete_alert, complete_silence
from cli.output import say
from ledger.configuration.strict import did_you_mean
from ledger.domain import events
from ledger.domain.decision import Decision, require_registered
from ledger.domain.errors import BadInput, ReasonRequired, UnknownName
from ledger.domain.log.ids import ActorKind
from ledger.domain.state import SystemState
from ledger.domain.values.durations import parse_duration
from ledger.domain.values.moments import iso
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
    """Tell nobody of an alert for a while. Needs a person and a reason, and ends by itself.

    Example:
      rollout alert silence bot LatencyHigh --for 2h --reason "exchange maintenance"
    """
    if call.actor.kind is not ActorKind.HUMAN or not call.has_reason:
        raise ReasonRequired("A silence needs a person and a reason.", hint="--reason TEXT")
    matchers = dict(options.pair(text, "--match", "LABEL=VALUE") for text in matches)
    if name:
        matchers["alert"] = name
    if not matchers:
        raise BadInput(
            "A silence of everything is none.", hint="Name an alert, or --match LABEL=VALUE"
        )
    until = iso(call.now() + parse_duration(span))

    def silenced(state: SystemState) -> Decision:
        require_registered(state)
        # Named after its place in the log, which no other has, even where two people silence at once.
        made = f"S-{state.revision + 1}"
        event = events.AlertSilenced(
            silence=made, matchers=matchers, until=until, holds_actions=hold_actions
        )
        return Decision((event,))

    decision = call.ledger.decide(call.system, silenced, call.origin)
    call.finish(decision, f"{decision.events[0].payload()['silence']}: silent until {until}")
    if name:
        _note_if_unknown(call, name)


def _note_if_unknown(call: Call, name: str) -> None:
    """Say so where nothing is called ``name`` yet: a mistyped silence would keep nothing quiet."""
    state = call.state()
    keys = (*state.alerts, *state.pending)
    known = {*keys, *(key.partition("{")[0] for key in keys)}
    if state.profile is not None:
        known |= {rule.name for rule in rules_of(plan_of(call.ledger, state))}
    if name not in known and not name.startswith("NoData("):
        wanted = did_you_mean(name, sorted(known))
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
    known = call.state().silences
    if name not in known:
        raise UnknownName(
            f"{call.system} has no silence {name!r}.",
            hint="It has: " + (", ".join(known) or "none"),
        )
    lifted = Decision((events.SilenceLifted(silence=name, how="manual"),))
    call.decide(lambda _: lifted, f"{name} is lifted")
