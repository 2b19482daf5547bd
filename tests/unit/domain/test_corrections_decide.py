"""Answers to events that can't be read, as a table: given what was recorded, who answers what, then what."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from ledger.domain import events
from ledger.domain.corrections import decide as corrections
from ledger.domain.decision import Decision
from ledger.domain.errors import Refused, UnknownName, UnreadEvents
from ledger.domain.evolve import evolve
from ledger.domain.log import canonical
from ledger.domain.log.envelope import Recorded
from ledger.domain.log.ids import Actor
from ledger.domain.state import SystemState
from tests.support.builders import NOON
from tests.support.tables import ANN, BOB, RULE, SERVICE, Case, Refuses, When, fold, table

REGISTERED = events.SystemRegistered(environment="staging", actuators=events.Actuators())
ANSWERED = events.EventCorrected(position=2, correction="a test")


def spoiled_event(state: SystemState) -> Recorded:
    """Return an event at position 2 that can't be read."""
    return Recorded(
        position=2, revision=2, schema_version=1, event_id=UUID(int=2), occurred_at=NOON, recorded_at=NOON,
        stream=f"system:{state.system}", type="ModeSwitched", body=b"oops", body_hash=b"", chain=b"",
    )  # fmt: skip


def spoiled(state: SystemState) -> SystemState:
    """Return ``state`` after it."""
    return evolve(state, spoiled_event(state))


def answers(position: int = 2, text: str = "a test", actor: Actor = ANN) -> When:
    return lambda state, _: corrections.correct(spoiled(state), position, text, actor=actor)


def raises() -> When:
    def decide(state: SystemState, _: object) -> Decision:
        corrections.require_read(spoiled(state))
        return Decision()

    return decide


@table([
    Case("a person answers", [REGISTERED], answers(), (ANSWERED,)),
    Case("another person too", [REGISTERED], answers(actor=BOB), (ANSWERED,)),
    Case("no rule", [REGISTERED], answers(actor=RULE), Refuses(Refused, "by a person")),
    Case("no service", [REGISTERED], answers(actor=SERVICE), Refuses(Refused, "by a person")),
    Case("nothing said", [REGISTERED], answers(text=" "), Refuses(Refused, "what is right")),
    Case("another position", [REGISTERED], answers(1), Refuses(UnknownName, "at position 1")),
    Case("raising", [REGISTERED], raises(), Refuses(UnreadEvents, "Position 2 of bot (ModeSwitched)")),
])  # fmt: skip
def test_answers(case: Case) -> None:
    """I33: what can't be read is set aside, blocks what raises, and is answered by a person."""
    case.holds()


def test_an_answer_lifts_the_block() -> None:
    """Of that event, and of no other."""
    state = spoiled(fold([REGISTERED])[0])
    other = replace(spoiled_event(state), type="EventCorrected", position=3, revision=3)
    for position, unread in ((1, {"2"}), (2, set[str]())):
        body = canonical.encode({"data": {"position": position, "correction": "a test"}})
        after = evolve(state, replace(other, body=body))
        assert after.unread.keys() == unread
    corrections.require_read(after)
