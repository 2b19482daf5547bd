"""rollout explain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from cli.call import Call, system_command
from cli.overview import styled
from projections.queries import explain as model
from projections.queries.explain import Json
from runtime.times import ago, shown


@system_command("explain")
def explain(call: Call) -> None:
    """Tell why a system is in the state it is in: what led to it, what is open, what leads on.

    Example:
      rollout explain bot
    """
    _ = call.ledger  # appends what this machine did without the ledger
    now = call.now()
    told = model.explain(call.readmodel, call.system, now)
    call.output.record(told, _prose(told, now))


def _prose(told: Json, now: datetime) -> str:
    paragraphs = [[styled(told["state"], None, bold=True)]]
    if told["mode_because"]:
        paragraphs.append(["How it came to that:", *_events(told["mode_because"], now)])
    paragraphs.append([told["config"], *_events(told["config_because"], now)])
    if told["open"]:
        paragraphs.append(["Not settled:", *(f"  - {sentence}" for sentence in told["open"])])
    else:
        paragraphs.append(["Nothing is open: no alert, no incident, no drift, nothing unfinished."])
    if told["next"]:
        paragraphs.append(["What leads back to real:", *(f"  {step}" for step in told["next"])])
    return "\n\n".join("\n".join(lines) for lines in paragraphs)


def _events(events: Sequence[Json], now: datetime) -> Iterator[str]:
    for event in events:
        kind = "" if event["actor_kind"] == "human" else f"{event['actor_kind']} "
        why = f', saying "{event["reason"]}"' if event["reason"] else ", giving no reason"
        moment = event["occurred_at"]
        yield (
            f"  #{event['position']} {shown(moment)} ({ago(moment, now)}): "
            f"{kind}{event['actor']} {event['sentence']}{why}."
        )
