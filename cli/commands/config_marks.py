"""rollout config tag, stable, quarantine: what people say about a configuration."""

from __future__ import annotations

from collections.abc import Callable

import click

from cli.call import Call, decision_command
from cli.completion import complete_fingerprint
from ledger.domain.configurations import decide as configurations
from ledger.domain.configurations.decide import short
from ledger.domain.decision import Decision
from ledger.domain.log.ids import check_tag_name
from ledger.domain.state import SystemState
from ledger.service.configurations import marks

name_argument = click.argument(
    "fingerprint", metavar="FINGERPRINT|TAG", shell_complete=complete_fingerprint
)


@decision_command("tag")
@name_argument
@click.argument("tag")
def tag_(call: Call, fingerprint: str, tag: str) -> None:
    """Tag a configuration with a human name. A tag never moves.

    Example:
      rollout config tag bot 3f9c1a2 v2.0-prod
    """
    call.ledger.recorder.require_plain(check_tag_name(tag), "tag")
    _mark(
        call,
        fingerprint,
        lambda state, full: configurations.tag(state, full, tag),
        f"is tagged {tag}",
    )


@decision_command("stable")
@name_argument
def stable_(call: Call, fingerprint: str) -> None:
    """Mark a configuration as stable: rollback --last-stable may go back to it.

    Example:
      rollout config stable bot v2.0-prod --reason "seven days without a critical alert"
    """
    _mark(call, fingerprint, configurations.mark_stable, "is marked stable")


@decision_command("quarantine")
@name_argument
def quarantine_(call: Call, fingerprint: str) -> None:
    """Quarantine a configuration: rollback --last-stable and apply keep away from it.

    Example:
      rollout config quarantine bot 3f9c1a2 --reason "reject rate tripled"
    """
    _mark(call, fingerprint, configurations.quarantine, "is in quarantine")


def _mark(call: Call, name: str, rule: Callable[[SystemState, str], Decision], said: str) -> None:
    fingerprint, decision = marks.mark(call.ledger, call.system, name, rule, call.origin)
    if decision.skipped is not None:
        call.skip(decision.skipped)
        return
    record = {"system": call.system, "outcome": "recorded", "fingerprint": fingerprint}
    call.output.record(record, f"{short(fingerprint)} {said}")
