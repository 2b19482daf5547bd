"""rollout correct."""

from __future__ import annotations

import click

from cli.call import Call, decision_command
from ledger.domain.corrections import decide as corrections


@decision_command("correct")
@click.argument("position", type=click.IntRange(min=1))
@click.argument("correction", metavar="TEXT")
def correct(call: Call, position: int, correction: str) -> None:
    """Answer an event that can't be read: say what is right in its place.

    Such an event changes nothing, and is shown as it lies there (rollout show). Until a person has answered
    it, exposure is not raised: it may have said something that counts. What lowers exposure goes on.

    Example:
      rollout correct bot 412 "A stray test of the deploy script: no switch took place."
    """
    call.decide(
        lambda state: corrections.correct(state, position, correction, actor=call.actor),
        f"position {position} is answered",
    )
