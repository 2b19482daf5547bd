"""rollout alert silence, unsilence: part of the group `rollout alert`."""

from __future__ import annotations

from collections.abc import Callable

import click

from cli import options
from cli.completion import complete_alert, complete_silence, complete_system
from cli.output import Output, say
from cli.wiring import Runtime, pass_runtime
from ledger.domain import events
from ledger.domain.decision import Decision, insist_on_registered
from ledger.domain.errors import BadInput, ReasonRequired, UnknownName
from ledger.domain.log.ids import ActorKind
from ledger.domain.state import SystemState, iso
from ledger.domain.values.durations import parse_duration

system_argument = click.argument("system", shell_complete=complete_system)


@click.command("silence")
@system_argument
@click.argument("name", metavar="ALERT", required=False, shell_complete=complete_alert)
@click.option("--match", "matches", multiple=True, metavar="LABEL=VALUE", help="Repeatable.")
@click.option("--for", "span", required=True, metavar="DURATION", help="How long: 2h, 30m.")
@click.option(
    "--hold-actions", is_flag=True, help="Rules don't act on them either: you have it in hand."
)
@options.reason
@options.output
@pass_runtime
def silence(
    runtime: Runtime,
    system: str,
    name: str | None,
    matches: tuple[str, ...],
    span: str,
    hold_actions: bool,
    reason: str | None,
    output: Output,
) -> None:
    """Tell nobody of an alert for a while. Needs a person and a reason, and ends by itself.

    \b
    Example:
      rollout alert silence bot LatencyHigh --for 2h --reason "exchange maintenance"
    """
    if runtime.settings.actor.kind is not ActorKind.HUMAN or not (reason and reason.strip()):
        raise ReasonRequired("A silence needs a person and a reason.", hint="--reason TEXT")
    matchers = dict(options.pair(text, "--match", "LABEL=VALUE") for text in matches)
    if name:
        matchers["alert"] = name
    if not matchers:
        raise BadInput(
            "A silence of everything is none.", hint="Name an alert, or --match LABEL=VALUE"
        )
    until = iso(runtime.clock.now() + parse_duration(span))

    def silenced(state: SystemState) -> Decision:
        # Named after its place in the log, which no other has, even where two people silence at once.
        made = f"S-{state.revision + 1}"
        event = events.AlertSilenced(
            silence=made, matchers=matchers, until=until, holds_actions=hold_actions
        )
        return Decision((event,))

    from cli.commands.alert import told

    decision = _decide(runtime, system, silenced, reason)
    made = decision.events[0].payload()["silence"]
    told(decision, output, f"{made}: silent until {until}", system)
    if name:
        _note_if_unknown(runtime, system, name)


def _note_if_unknown(runtime: Runtime, system: str, name: str) -> None:
    """Say so where nothing is called ``name`` yet: a mistyped silence would keep nothing quiet."""
    from ledger.configuration.strict import did_you_mean
    from ledger.service.alerts.rule_sets import rules_of
    from ledger.service.plans.adoption import plan_of

    state = runtime.ledger.load(system)
    keys = (*state.alerts, *state.pending)
    known = {*keys, *(key.partition("{")[0] for key in keys)}
    if state.profile is not None:
        known |= {rule.name for rule in rules_of(plan_of(runtime.ledger, state))}
    if name not in known and not name.startswith("NoData("):
        wanted = did_you_mean(name, sorted(known))
        say(
            f"note: {system} has no rule and no alert {name!r} now"
            + (f"; {wanted}" if wanted else "")
        )


@click.command("unsilence")
@system_argument
@click.argument("name", metavar="SILENCE", shell_complete=complete_silence)
@options.reason
@options.output
@pass_runtime
def unsilence(runtime: Runtime, system: str, name: str, reason: str | None, output: Output) -> None:
    """End a silence before its time.

    \b
    Example:
      rollout alert unsilence bot S-41
    """
    known = runtime.ledger.load(system).silences
    if name not in known:
        raise UnknownName(
            f"{system} has no silence {name!r}.", hint="It has: " + (", ".join(known) or "none")
        )
    from cli.commands.alert import told

    lifted = Decision((events.SilenceLifted(silence=name, how="manual"),))
    told(_decide(runtime, system, lambda _: lifted, reason), output, f"{name} is lifted", system)


def _decide(
    runtime: Runtime, system: str, decide: Callable[[SystemState], Decision], reason: str | None
) -> Decision:
    def decided(state: SystemState) -> Decision:
        insist_on_registered(state)
        return decide(state)

    decision = runtime.ledger.decide(system, decided, runtime.origin(reason))
    runtime.catch_up()
    return decision
