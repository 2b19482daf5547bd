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
    account = model.explain(call.readmodel, call.system, now)
    call.output.record(account, _prose(account, now))


def _prose(account: Json, now: datetime) -> str:
    paragraphs = [[styled(account["state"], None, bold=True)]]
    if account["mode_because"]:
        paragraphs.append(["How it came to that:", *_events(account["mode_because"], now)])
    paragraphs.append([account["config"], *_events(account["config_because"], now)])
    if account["open"]:
        paragraphs.append(["Not settled:", *(f"  - {sentence}" for sentence in account["open"])])
    else:
        paragraphs.append(["Nothing is open: no alert, no incident, no drift, nothing unfinished."])
    if account["next"]:
        paragraphs.append(["What leads back to real:", *(f"  {step}" for step in account["next"])])
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
