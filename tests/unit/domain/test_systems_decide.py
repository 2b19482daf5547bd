"""Registering systems, as a table."""

from __future__ import annotations

from datetime import datetime

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.state import SystemState
from ledger.domain.systems.decide import register
from tests.support.tables import REGISTERED, Case, Skips, When, table

ACTUATORS = REGISTERED.actuators
ELSEWHERE = ACTUATORS.model_copy(update={"control_file": "/srv/other/mode.json"})


def add(
    environment: str = "production",
    description: str = "",
    actuators: events.Actuators = ACTUATORS,
) -> When:
    def when(state: SystemState, _now: datetime) -> Decision:
        return register(
            state, environment=environment, description=description, actuators=actuators
        )

    return when


def changed(**fields: object) -> tuple[events.Event, ...]:
    whole = {"environment": "production", "description": "", "actuators": ACTUATORS, **fields}
    return (events.SystemChanged.model_validate(whole),)


CASES = [
    Case("new", (), add(), (REGISTERED,)),
    Case("the same", (REGISTERED,), add(), Skips("bot is registered like that already")),
    Case("another place", (REGISTERED,), add(actuators=ELSEWHERE), changed(actuators=ELSEWHERE)),
    Case("other words", (REGISTERED,), add(description="a grid"), changed(description="a grid")),
    Case("elsewhere", (REGISTERED,), add("staging"), changed(environment="staging")),
    Case(
        "nothing carries decisions to it",
        (REGISTERED,),
        add(actuators=events.Actuators()),
        changed(actuators=events.Actuators()),
    ),
    Case(
        "as it was changed",
        (REGISTERED, *changed(environment="staging")),
        add("staging"),
        Skips("already"),
    ),
]


@table(CASES)
def test_registering(case: Case) -> None:
    """I16: the same again is nothing; a change is an event that says all of it."""
    case.holds()
