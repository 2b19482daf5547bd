"""Drift, as tables: given what was recorded, when the world is compared, then what is new."""

from __future__ import annotations

from datetime import datetime

import pytest

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.drift import decide as drift
from ledger.domain.drift.state import DriftSubject
from ledger.domain.log.event import Event
from ledger.domain.state import SystemState
from ledger.domain.values.actuation import Observed, Reading
from ledger.domain.values.modes import Mode, PauseKind
from tests.support.tables import (
    ONE,
    REGISTERED,
    Case,
    Given,
    When,
    fold,
    snapshot_of,
    switched,
    table,
)

COMMIT, OTHER = "a" * 40, "b" * 40


def differs(subject: DriftSubject, found: str = "by hand") -> events.DriftDetected:
    return events.DriftDetected(subject=subject, expected="as recorded", found=found)


def cleared(subject: DriftSubject) -> Event:
    return events.DriftCleared(subject=subject)


def compared(*differing: events.DriftDetected, all_compared: bool = True) -> When:
    def when(state: SystemState, _now: datetime) -> Decision:
        by_subject: dict[DriftSubject, events.DriftDetected] = {
            one.subject: one for one in differing
        }
        return drift.record(state, by_subject, all_compared=all_compared)

    return when


SYSTEM = (REGISTERED,)
DRIFTED = (REGISTERED, differs("mode"), differs("config"))
NEWS = [
    Case("all agrees", SYSTEM, compared(), ()),
    Case("something differs", SYSTEM, compared(differs("code")), (differs("code"),)),
    Case("it still does", DRIFTED, compared(differs("mode"), differs("config")), ()),
    Case(
        "otherwise than before", DRIFTED, compared(differs("mode", "again"), differs("config")),
        (differs("mode", "again"),),
    ),
    Case("one agrees again", DRIFTED, compared(differs("config")), (cleared("mode"),)),
    Case("all agrees again", DRIFTED, compared(), (cleared("mode"), cleared("config"))),
    Case("not all could be compared", DRIFTED, compared(all_compared=False), ()),
    Case(
        "not all could be compared, and something differs", DRIFTED,
        compared(differs("code"), all_compared=False), (differs("code"),),
    ),
]  # fmt: skip


def test_what_a_newer_program_found_is_for_it_to_clear() -> None:
    """I33: this one does not compare that, so it can't say that it agrees."""
    newer = differs("mode").model_copy(update={"subject": "quota"})
    state, now = fold((REGISTERED, newer, differs("mode")))
    assert compared()(state, now).events == (cleared("mode"),)


@table(NEWS)
def test_what_is_new(case: Case) -> None:
    """I8, I16: each difference once; that something agrees again only where it was compared."""
    case.holds()


FILE = Reading("control_file", Mode.REAL)
ADMIN = Reading("http_admin", Mode.PAUSED, PauseKind.HALT)
SILENT = Reading("http_admin", None, problem="no answer")


@pytest.mark.parametrize(
    ("given", "readings", "found"),
    [
        ((*SYSTEM, switched("real")), (FILE,), None),
        ((*SYSTEM, switched("real")), (FILE, ADMIN), "http_admin: paused/halt"),
        ((*SYSTEM, switched("real")), (FILE, SILENT), "http_admin: unknown (no answer)"),
        (
            (*SYSTEM, switched("mock")), (FILE, ADMIN),
            "control_file: real / http_admin: paused/halt",
        ),
        (SYSTEM, (FILE,), None),
    ],
)  # fmt: skip
def test_where_the_mode_differs(
    given: Given, readings: tuple[Reading, ...], found: str | None
) -> None:
    """I8: every source has to say so; one that can't tell does not. Never switched: nothing to compare."""
    state, _ = fold(given)
    event = drift.of_mode(state, Observed(readings))
    assert (event.found if event is not None else None) == found


@pytest.mark.parametrize(
    ("commit", "edited", "found"),
    [
        (COMMIT, (), None),
        (OTHER, (), OTHER),
        (COMMIT, ("a", "b"), f"{COMMIT}, changed by hand: a, b"),
        (OTHER, tuple("abcdefg"), f"{OTHER}, changed by hand: a, b, c, d, e"),
    ],
)
def test_where_the_code_differs(commit: str, edited: tuple[str, ...], found: str | None) -> None:
    """Another commit, or files that were changed by hand."""
    at = events.ConfigApplied(
        fingerprint=ONE, snapshot=snapshot_of(ONE), cause="apply", changes=(), code=COMMIT
    )
    state, _ = fold((REGISTERED, at))
    event = drift.of_code(state, commit, edited)
    assert (event.found if event is not None else None) == found


def test_code_that_was_never_recorded_differs_from_nothing() -> None:
    """There is no checkout, or nobody has looked at it yet."""
    assert drift.of_code(fold(SYSTEM)[0], COMMIT, ("a",)) is None
