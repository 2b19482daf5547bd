"""Verdicts, and waivers, as tables."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.errors import (
    BadInput,
    GateClosed,
    Inconclusive,
    Refused,
    UnknownName,
    UnknownSystem,
)
from ledger.domain.gates.decide import failed_in_words, require_go, revoke, waive
from ledger.domain.gates.verdicts import Verdict, of_checks, of_criteria, waiver_for
from ledger.domain.log.ids import Actor
from ledger.domain.state import SystemState
from ledger.domain.values.moments import iso
from tests.support.tables import (
    ANN,
    REGISTERED,
    RULE,
    SERVICE,
    Case,
    Given,
    Refuses,
    Skips,
    When,
    fold,
    preflight,
    table,
    waived,
)

WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)


def check(result: str, priority: str = "P0", waived_by: str | None = None) -> events.CheckResult:
    return events.CheckResult.model_validate(
        {
            "name": "x",
            "kind": "metric",
            "priority": priority,
            "result": result,
            "waived_by": waived_by,
        }
    )


def criterion(result: str, waived_by: str | None = None) -> events.CriterionResult:
    return events.CriterionResult.model_validate(
        {"name": "x", "result": result, "waived_by": waived_by}
    )


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        ([], "INCONCLUSIVE"),
        ([check("PASS")], "GO"),
        ([check("WARN")], "GO"),
        ([check("PASS"), check("FAIL")], "NO_GO"),
        ([check("PASS"), check("ERROR")], "NO_GO"),
        ([check("PASS"), check("SKIP")], "NO_GO"),
        ([check("PASS"), check("FAIL", "P1")], "GO"),
        ([check("PASS"), check("SKIP", "P3")], "GO"),
        ([check("FAIL", "P1")], "INCONCLUSIVE"),
        ([check("SKIP", "P1"), check("ERROR", "P2")], "INCONCLUSIVE"),
        ([check("PASS"), check("FAIL", waived_by="W-1")], "WAIVED"),
        ([check("PASS"), check("SKIP", waived_by="W-1")], "WAIVED"),
        ([check("PASS"), check("FAIL", waived_by="W-1"), check("FAIL")], "NO_GO"),
        ([check("FAIL", waived_by="W-1")], "INCONCLUSIVE"),
        ([check("PASS", waived_by="W-1")], "GO"),
    ],
)
def test_the_verdict_of_checks(results: list[Any], verdict: str) -> None:
    """I8: nothing measured is no GO, whoever waives it; a blocking one that was not measured is NO_GO."""
    assert of_checks(results) is Verdict(verdict)


def test_a_plan_names_what_blocks() -> None:
    """I8: the priorities that the plan names, and no others."""
    assert of_checks([check("PASS"), check("FAIL", "P1")], {"P0", "P1"}) is Verdict.NO_GO
    assert of_checks([check("PASS"), check("FAIL", "P0")], {"P1"}) is Verdict.GO


@pytest.mark.parametrize(
    ("criteria", "verdict"),
    [
        ([], "INCONCLUSIVE"),
        ([criterion("pass")], "GO"),
        ([criterion("warn")], "GO"),
        ([criterion("pass"), criterion("fail")], "NO_GO"),
        ([criterion("pass"), criterion("inconclusive")], "INCONCLUSIVE"),
        ([criterion("fail"), criterion("inconclusive")], "NO_GO"),
        ([criterion("pass"), criterion("fail", "W-1")], "WAIVED"),
        ([criterion("pass"), criterion("inconclusive", "W-1")], "WAIVED"),
        ([criterion("pass"), criterion("pass", "W-1")], "GO"),
        ([criterion("fail", "W-1")], "INCONCLUSIVE"),
        ([criterion("fail", "W-1"), criterion("inconclusive")], "INCONCLUSIVE"),
    ],
)
def test_the_verdict_of_criteria(criteria: list[Any], verdict: str) -> None:
    """I8: one that can't tell blocks; all of them waived is no evidence."""
    assert of_criteria(criteria) is Verdict(verdict)


def test_who_opens() -> None:
    """I8: GO and WAIVED, and nothing else."""
    assert [verdict for verdict in Verdict if verdict.opens] == [Verdict.GO, Verdict.WAIVED]


SUBJECTS = (
    "check:disk", "criterion:micro/ece", "criterion:micro/fills", "criterion:scaled/ece", "mode:real",
    "phase:micro",
)  # fmt: skip


def waive_for(
    span: timedelta, *, subject: str = "check:disk", by: Actor = ANN, reason: str | None = "agreed",
    glass: bool = False,
) -> When:  # fmt: skip
    def when(state: SystemState, now: datetime) -> Decision:
        return waive(
            state, subject, break_glass=glass, subjects=SUBJECTS, until=now + span, longest=WEEK,
            actor=by, reason=reason, now=now,
        )  # fmt: skip

    return when


def until(
    span: timedelta, subject: str = "check:disk", waiver: str = "W-2", *, glass: bool = False,
    given: Given = (REGISTERED,),
) -> tuple[events.Event, ...]:  # fmt: skip
    _, now = fold(given)
    return (waived(subject, iso(now + span), waiver, break_glass=glass),)


def went(verdict: Verdict) -> When:
    def when(state: SystemState, _now: datetime) -> Decision:
        require_go(state, verdict)
        return Decision(skipped="may start")

    return when


SYSTEM = (REGISTERED,)
KNOWN = (REGISTERED, waived("check:disk", "2099-01-01T00:00:00.000000Z"))
IN_MICRO = (REGISTERED, events.PhaseEntered(phase="micro"))
HALF_WAIVED = (*IN_MICRO, waived("criterion:micro/ece", "2099-01-01T00:00:00.000000Z"))
ONCE_WAIVED = (*IN_MICRO, waived("criterion:micro/ece", "2000-01-01T00:00:00.000000Z"))
ECE, FILLS = "criterion:micro/ece", "criterion:micro/fills"
SUBJECT = [
    Case("a criterion of the present phase", IN_MICRO, waive_for(HOUR, subject=ECE),
         until(HOUR, ECE, "W-3", given=IN_MICRO)),
    Case("the last criterion that shows anything", HALF_WAIVED, waive_for(HOUR, subject=FILLS),
         Refuses(Refused, "no criterion of micro would be left")),
    Case("the other one's waiver is over", ONCE_WAIVED, waive_for(HOUR, subject=FILLS),
         until(HOUR, FILLS, "W-4", given=ONCE_WAIVED)),
    Case("a criterion of another phase", IN_MICRO, waive_for(HOUR, subject="criterion:scaled/ece"),
         Refuses(Refused, "is in micro: the gate of scaled is not asked")),
    Case("a criterion, and no phase was entered", SYSTEM, waive_for(HOUR, subject=ECE),
         Refuses(Refused, "is in no phase")),
    Case("what the plan has not", SYSTEM, waive_for(HOUR, subject="check:disc"),
         Refuses(UnknownName, "has nothing that 'check:disc' could let pass")),
    Case("no kind of subject", SYSTEM, waive_for(HOUR, subject="alert:Slow"),
         Refuses(BadInput, "'alert:Slow' can't be waived")),
    Case("no name", SYSTEM, waive_for(HOUR, subject="check:"), Refuses(BadInput, "can't be waived")),
    Case("the glass", SYSTEM, waive_for(HOUR, subject="mode:real", glass=True),
         until(HOUR, "break-glass:mode:real", glass=True)),
    Case("a mode without breaking the glass", SYSTEM, waive_for(HOUR, subject="mode:real"),
         Refuses(BadInput, "is passed by breaking the glass")),
    Case("a check by breaking the glass", SYSTEM, waive_for(HOUR, glass=True),
         Refuses(BadInput, "is passed by breaking the glass")),
]  # fmt: skip
STARTING = [
    Case("a GO", SYSTEM, went(Verdict.GO), Skips("may start")),
    Case("a GO by waivers", SYSTEM, went(Verdict.WAIVED), Skips("may start")),
    Case("a NO_GO", SYSTEM, went(Verdict.NO_GO), Refuses(GateClosed, "nothing was started")),
    Case("can't tell", SYSTEM, went(Verdict.INCONCLUSIVE), Refuses(Inconclusive, "nothing was started")),
]  # fmt: skip
WAIVING = [
    Case("an unknown system", (), waive_for(HOUR), Refuses(UnknownSystem, "no system 'bot'")),
    Case("a person", SYSTEM, waive_for(HOUR), until(HOUR)),
    Case("a rule", SYSTEM, waive_for(HOUR, by=RULE), Refuses(Refused, "is no person")),
    Case("a service", SYSTEM, waive_for(HOUR, by=SERVICE), Refuses(Refused, "is no person")),
    Case("no reason", SYSTEM, waive_for(HOUR, reason=None), Refuses(Refused, "needs a reason")),
    Case("an empty one", SYSTEM, waive_for(HOUR, reason=""), Refuses(Refused, "needs a reason")),
    Case("over already", SYSTEM, waive_for(-HOUR), Refuses(BadInput, "would be over already")),
    Case("this moment", SYSTEM, waive_for(HOUR * 0), Refuses(BadInput, "would be over already")),
    Case("as long as may be", SYSTEM, waive_for(WEEK), until(WEEK)),
    Case(
        "longer",
        SYSTEM,
        waive_for(WEEK + timedelta(seconds=1)),
        Refuses(Refused, "By the plan a waiver lasts 7d at most"),
    ),
    Case("revoked", KNOWN, lambda s, _: revoke(s, "W-1"), (events.WaiverRevoked(waiver="W-1"),)),
    Case(
        "revoked, and not there",
        KNOWN,
        lambda s, _: revoke(s, "W-3"),
        Refuses(UnknownName, "has no waiver 'W-3'"),
    ),
    Case(
        "revoked twice",
        (*KNOWN, events.WaiverRevoked(waiver="W-1")),
        lambda s, _: revoke(s, "W-1"),
        Refuses(UnknownName, "has no waiver 'W-1'"),
    ),
]


@table([*WAIVING, *SUBJECT, *STARTING])
def test_waiving(case: Case) -> None:
    """I8, I11: a person takes it on themselves, for a reason, for no longer than the plan allows."""
    case.holds()


def test_a_waiver_counts_until_its_time_and_for_its_subject() -> None:
    """I8: not a moment longer, and for nothing else."""
    _, start = fold(SYSTEM)
    state, _ = fold((*SYSTEM, waived("check:disk", iso(start + HOUR))))
    assert waiver_for(state, "check:disk", start + HOUR - timedelta(seconds=1)) == "W-1"
    assert waiver_for(state, "check:disk", start + HOUR) is None
    assert waiver_for(state, "check:other", start) is None


@pytest.mark.parametrize(
    ("failed", "told"),
    [
        ([], ""),
        (["a"], ": a"),
        (["a", "b", "c", "d"], ": a, b, c, d"),
        (["a", "b", "c", "d", "e", "f"], ": a, b, c, d and 2 more"),
    ],
)
def test_the_gravest_checks_are_named(failed: list[str], told: str) -> None:
    """I31: and how many there are besides."""
    state, _ = fold((REGISTERED, preflight("NO_GO", None, None, *failed)))
    assert state.preflight is not None
    assert failed_in_words(state.preflight) == told
