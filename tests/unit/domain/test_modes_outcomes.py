"""What switches come to, as tables: given what was begun, when it ends or its process is dead, then what."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import pytest

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.log.event import Event
from ledger.domain.modes import decide as modes
from ledger.domain.state import SystemState
from ledger.domain.values.actuation import Observed, Reading
from ledger.domain.values.modes import Mode, PauseKind
from tests.support.tables import (
    OPERATION,
    REGISTERED,
    Case,
    Given,
    Skips,
    Told,
    When,
    fold,
    switched,
    table,
)

SECOND = UUID(int=2)
HALT, DRAIN = PauseKind.HALT, PauseKind.DRAIN


def asked(mode: str, kind: str | None = None, operation: UUID = OPERATION) -> Told:
    event = {"to_mode": mode, "to_kind": kind, "actuators": ("control_file",)}
    return Told(events.ModeSwitchRequested.model_validate(event), operation=operation)


def unconfirmed(mode: str) -> Event:
    values = {"to_mode": mode, "attempts": (), "explanation": "no answer", "waited_ms": 5}
    return events.ModeSwitchUnconfirmed.model_validate(values)


def given_up(mode: str, kind: str | None = None) -> Event:
    why = "somebody reduced the exposure while it was carried out"
    return events.ModeSwitchAbandoned.model_validate(
        {"to_mode": mode, "to_kind": kind, "explanation": why}
    )


def ends(done: Event) -> When:
    def when(state: SystemState, _now: datetime) -> Decision:
        assert isinstance(done, events.ModeSwitched | events.ModeSwitchUnconfirmed)
        return Decision(modes.outcome(state, OPERATION, done))

    return when


INCIDENT = events.IncidentOpened(incident="INC-1", title="t", severity="critical", alert=None)
MOCK = (REGISTERED, switched("mock"))
REAL = (*MOCK, switched("real"))
TO_REAL, TO_HALT, TO_MOCK = (
    ends(switched("real")),
    ends(switched("paused", "halt")),
    ends(switched("mock")),
)

OUTCOMES = [
    Case("it is there", (*MOCK, asked("real")), TO_REAL, (switched("real"),)),
    Case("it was not seen there", (*MOCK, asked("real")), ends(unconfirmed("real")), (unconfirmed("real"),)),
    Case(
        "a pause was begun since", (*MOCK, asked("real"), asked("paused", "halt", SECOND)), TO_REAL,
        (given_up("real"),),
    ),
    Case(
        "a pause has arrived since", (*MOCK, asked("real"), switched("paused", "halt")), TO_REAL,
        (given_up("real"),),
    ),
    Case(
        "not seen there, and a pause was begun since",
        (*MOCK, asked("real"), asked("paused", "halt", SECOND)), ends(unconfirmed("real")),
        (given_up("real"),),
    ),
    Case(
        "a graver pause since", (*REAL, asked("paused", "halt"), asked("paused", "drain", SECOND)), TO_HALT,
        (given_up("paused", "halt"),),
    ),
    Case(
        "the same pause since", (*REAL, asked("paused", "halt"), asked("paused", "halt", SECOND)), TO_HALT,
        (switched("paused", "halt"),),
    ),
    Case(
        "what is more exposed since", (*REAL, asked("mock"), asked("real", operation=SECOND)), TO_MOCK,
        (switched("mock"),),
    ),
    Case(
        "a pause that was begun before", (*REAL, asked("paused", "halt", SECOND), asked("mock")), TO_MOCK,
        (switched("mock"),),
    ),
    Case(
        "a pause mitigates what stands open", (*REAL, INCIDENT, asked("paused", "halt")), TO_HALT,
        (switched("paused", "halt"), events.IncidentMitigated(incident="INC-1", action="paused/halt")),
    ),
    Case("nothing else does", (*REAL, INCIDENT, asked("mock")), TO_MOCK, (switched("mock"),)),
]  # fmt: skip


@table(OUTCOMES)
def test_what_a_switch_comes_to(case: Case) -> None:
    """I9, I12: whoever reduced the exposure while it was carried out has the last word."""
    case.holds()


def seen(mode: Mode | None, kind: PauseKind | None = None, *more: Reading) -> Observed:
    return Observed((Reading("control_file", mode, kind, None if mode else "no file"), *more))


@pytest.mark.parametrize(
    ("reading", "kind"),
    [
        (None, HALT),
        (Reading("control_file", Mode.REAL), HALT),
        (Reading("control_file", None, None, "no file"), HALT),
        (Reading("control_file", Mode.PAUSED, DRAIN), DRAIN),
        (Reading("control_file", Mode.PAUSED, PauseKind.REDUCE_ONLY), HALT),
        (Reading("control_file", Mode.PAUSED), HALT),
    ],
)
def test_a_rule_never_softens_a_pause(reading: Reading | None, kind: PauseKind) -> None:
    """I9: whoever put a graver one there by hand meant it."""
    assert modes.no_softer(HALT, reading) is kind


OTHERWISE = Reading("http_admin", Mode.MOCK)
LATER = Told(switched("mock"), operation=SECOND)
OVERTAKEN = (*REAL, asked("paused", "halt"), asked("mock", operation=SECOND), LATER)


@pytest.mark.parametrize(
    ("given", "observed", "step"),
    [
        ((*MOCK, asked("real")), seen(Mode.MOCK), "give up"),
        ((*MOCK, asked("real")), seen(Mode.REAL), "record"),
        ((*MOCK, asked("real")), seen(Mode.REAL, None, OTHERWISE), "give up"),
        ((*MOCK, asked("real")), seen(None), "give up"),
        ((*MOCK, asked("real")), None, "give up"),
        ((*REAL, asked("mock")), seen(Mode.REAL), "carry out"),
        ((*REAL, asked("paused", "halt")), seen(Mode.REAL), "carry out"),
        ((*REAL, asked("paused", "halt")), None, "carry out"),
        ((*REAL, asked("mock")), seen(Mode.PAUSED, HALT), "give up"),
        ((*REAL, switched("paused", "drain"), asked("paused", "halt")), seen(Mode.REAL), "carry out"),
        ((*REAL, switched("paused", "drain"), asked("paused", "halt")), seen(Mode.PAUSED, DRAIN), "give up"),
        (OVERTAKEN, seen(Mode.MOCK), "give up"),
    ],
)  # fmt: skip
def test_what_is_left_of_a_switch_whose_process_is_dead(
    given: Given, observed: Observed | None, step: str
) -> None:
    """I9, I12: what lowers is carried out; what raises is recorded if it was done, and else given up."""
    state, _ = fold(given)
    assert modes.remainder(state, OPERATION, observed).step == step


def why(reason: str) -> When:
    return lambda state, _now: modes.give_reason(state, reason)


REASONS = [
    Case("never switched", (REGISTERED,), why("r"), Skips("nothing to add")),
    Case("in mock", MOCK, why("r"), (events.ModeReasonGiven(mode="mock"),)),
    Case(
        "paused",
        (*MOCK, switched("paused", "drain")),
        why("r"),
        (events.ModeReasonGiven(mode="paused", kind="drain"),),
    ),
]


@table(REASONS)
def test_why_it_is_in_its_mode_is_said_later(case: Case) -> None:
    """Whoever pauses has no time to."""
    case.holds()
