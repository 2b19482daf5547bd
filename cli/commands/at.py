"""rollout at."""

from __future__ import annotations

import click

from cli.call import Call, system_command
from cli.overview import state_text
from projections.queries.as_of import Moment, state_at
from runtime.times import parse_time, shown
from runtime.wiring import Runtime


@system_command("at")
@click.argument("when", metavar="TIME|#N")
@click.option(
    "--by", "clock", type=click.Choice(["occurred", "recorded"]), default="occurred", show_default=True,
    help="occurred: what had happened by then, as far as is known now; recorded: what the ledger knew then.",
)  # fmt: skip
def at(call: Call, when: str, clock: str) -> None:
    """Show a system's state as of a moment: a time, or a position of the log as #N.

    Example:
      rollout at bot 2025-11-20T03:00:00Z
      rollout at bot 2h
      rollout at bot '#120' -o json
    """
    moment = _moment(when, clock, call.runtime)
    _ = call.ledger  # appends what this machine did without the ledger
    state = state_at(call.readmodel, call.system, moment)
    as_of = f"{shown(moment.time)} ({clock})" if moment.time else f"#{moment.position}"
    record = {
        "system": call.system,
        "as_of": {
            "position": moment.position,
            "time": moment.time,
            "clock": None if moment.time is None else clock,
        },
        "state": state.to_json(),
    }
    call.output.record(record, state_text(state, as_of=as_of))


def _moment(when: str, clock: str, runtime: Runtime) -> Moment:
    digits = when.removeprefix("#")
    if digits != when and digits.isdecimal() and len(digits) < 19:
        return Moment(position=int(digits))
    time = parse_time(when, runtime.clock.now())
    return Moment(time=time, clock="recorded" if clock == "recorded" else "occurred")
