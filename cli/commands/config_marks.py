"""rollout config tag, stable, quarantine: what people say about a configuration."""

from __future__ import annotations

from collections.abc import Callable

import click

from cli import options
from cli.commands.modes import skip
from cli.completion import complete_fingerprint, complete_system
from cli.output import Output
from cli.wiring import Runtime, pass_runtime
from ledger.domain.configurations import decide as configurations
from ledger.domain.configurations.decide import short
from ledger.domain.decision import Decision
from ledger.domain.log.ids import check_tag_name
from ledger.domain.state import SystemState

system_argument = click.argument("system", shell_complete=complete_system)
name_argument = click.argument(
    "fingerprint", metavar="FINGERPRINT|TAG", shell_complete=complete_fingerprint
)


@click.command("tag")
@system_argument
@name_argument
@click.argument("tag")
@options.reason
@options.output
@pass_runtime
def tag_(
    runtime: Runtime, system: str, fingerprint: str, tag: str, reason: str | None, output: Output
) -> None:
    """Give a configuration a human name. A tag never moves.

    \b
    Example:
      rollout config tag bot 3f9c1a2 v2.0-prod
    """
    runtime.ledger.recorder.insist_on_plain(check_tag_name(tag), "tag")
    _decide(
        runtime,
        system,
        fingerprint,
        reason,
        output,
        lambda state, full: configurations.tag(state, full, tag),
        f"is tagged {tag}",
    )


@click.command("stable")
@system_argument
@name_argument
@options.reason
@options.output
@pass_runtime
def stable_(
    runtime: Runtime, system: str, fingerprint: str, reason: str | None, output: Output
) -> None:
    """Vouch for a configuration: rollback --last-stable may go back to it.

    \b
    Example:
      rollout config stable bot v2.0-prod --reason "seven days without a critical alert"
    """
    _decide(
        runtime, system, fingerprint, reason, output, configurations.mark_stable, "is marked stable"
    )


@click.command("quarantine")
@system_argument
@name_argument
@options.reason
@options.output
@pass_runtime
def quarantine_(
    runtime: Runtime, system: str, fingerprint: str, reason: str | None, output: Output
) -> None:
    """Keep rollback --last-stable and config apply away from a configuration.

    \b
    Example:
      rollout config quarantine bot 3f9c1a2 --reason "reject rate tripled"
    """
    _decide(
        runtime, system, fingerprint, reason, output, configurations.quarantine, "is in quarantine"
    )


def _decide(
    runtime: Runtime,
    system: str,
    name: str,
    reason: str | None,
    output: Output,
    rule: Callable[[SystemState, str], Decision],
    said: str,
) -> None:
    found: list[str] = []

    def decide(state: SystemState) -> Decision:
        found[:] = [configurations.resolve(state, name)]
        return rule(state, found[0])

    state, decision = runtime.ledger.recorder.decide(system, decide, runtime.origin(reason))
    runtime.ledger.memory.remember(state)
    if found and decision.events:  # so that a rollback to it works while Postgres is away
        for file in state.configs[found[0]]["snapshots"][state.configs[found[0]]["last_snapshot"]]:
            runtime.ledger.blob(file["sha256"])
        runtime.ledger.blob(found[0].removeprefix("sha256:"))
    if decision.skipped is not None:
        skip(output, system, decision.skipped)
        return
    record = {"system": system, "outcome": "recorded", "fingerprint": found[0]}
    output.record(record, f"{short(found[0])} {said}")
