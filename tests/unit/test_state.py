"""The state of a system as JSON: what a machine remembers of it, for the hour when Postgres is away."""

from __future__ import annotations

import pytest

from ledger.domain import events
from ledger.domain.alerts.events import Rule
from ledger.domain.gates.events import CheckResult, CriterionResult
from ledger.domain.log.ids import uuid7
from ledger.domain.plans.events import ModeGuard, PlannedPhase, Quorum
from ledger.domain.state import SystemState, decode, encode
from tests.support.stories import Story

PLAN = "sha256:" + "c" * 64
SOON = "2025-11-21T00:00:00.000000Z"


def rollout() -> SystemState:
    """Return a state that has something in every part of a rollout and of its alerts."""
    quorum = Quorum(roles={"ops": 1}, expires_seconds=3600)
    planned = (PlannedPhase(name="shadow"), PlannedPhase(name="small", approvals=quorum))
    criterion = CriterionResult(name="ece", result="pass")
    check = CheckResult(name="disk", kind="file", priority="P0", result="FAIL")
    story = Story()
    for event in (
        events.ProfileAdopted(
            profile="p", fingerprint=PLAN, phases=planned, guards={"real": ModeGuard()}
        ),
        events.PhaseEntered(phase="shadow"),
        events.PhaseAdvanced(from_phase="shadow", to_phase="small"),
        events.PhaseEntered(phase="small", limits={"size": "1"}, scope={"symbols": ("BTC",)}),
        events.PhaseHeld(phase="small"),
        events.PreflightCompleted(verdict="NO_GO", results=(check,)),
        events.GateEvaluated(phase="small", verdict="GO", criteria=(criterion,)),
        events.GateWaived(waiver="W", subject="check:disk", until=SOON),
        events.ApprovalRequested(
            request="A", subject="mode:real", roles={"ops": 1}, expires_at=SOON
        ),
        events.ApprovalGranted(request="A", role="ops", signed_on="2025-11-20"),
        events.AlertPending(alert="Odd", rule="Odd", severity="info", active_since=SOON),
        events.NoDataDetected(alert="Odd", since=SOON),
        events.AlertFired(
            alert="Slow",
            severity="critical",
            message="m",
            rule=Rule(name="Slow", expr="x > 1", action="pause", argument="halt"),
        ),
        events.AlertActionTaken(alert="Slow", action="pause", outcome="done"),
        events.IncidentOpened(incident="I", title="t", severity="critical", alert="Slow"),
        events.AlertSilenced(silence="S", matchers={"alert": "Slow"}, until=SOON),
        events.EvaluationFailed(rule="Bad", explanation="why"),
    ):
        story.tell(event)
    since = story.state.alerts["Slow"].since
    key = f"Slow {since} firing"
    story.tell(events.NotificationDelivered(channel="pager", subject="s", key=key, attempts=1))
    story.tell(events.AlertFired(alert="Hand", severity="warning", message=""))
    story.tell(events.AlertResolved(alert="Slow", how="manual"))
    return story.state


def test_what_was_remembered_is_what_was_folded() -> None:
    """I12, I33: a pause without the ledger starts from the same state as one with it."""
    state = rollout()
    assert decode(encode(state)) == state
    parts = (
        "profile phase phases_done preflight gates waivers approvals alerts ended incidents pending "
        "no_data silences rule_actions failing"
    )
    assert [name for name in parts.split() if not getattr(state, name)] == []


def test_what_is_not_there_is_not_printed_as_null() -> None:
    """`rollout at` prints of a plan and of a phase what the events said, in their order."""
    printed = rollout().to_json()
    first, second = printed["profile"]["phases"]
    assert list(first) == ["gated", "min_seconds", "name"]
    assert list(second) == ["approvals", "gated", "min_seconds", "name"]
    assert list(printed["phase"])[-3:] == ["scope", "held_by", "held_reason"]
    assert printed["ended"][next(iter(printed["ended"]))]["rule"] == {
        "action": "pause", "argument": "halt", "expr": "x > 1", "for_seconds": 0, "name": "Slow",
    }  # fmt: skip


def at_work() -> SystemState:
    """Return a state with an operation in flight, drift, a mitigation and a run."""
    story = Story()
    story.tell(
        events.MitigationRequested(mitigation="calm", kind="pause_calibration", until=SOON),
        operation=uuid7(),
    )
    story.tell(events.DriftDetected(subject="mode", expected="mock", found="real"))
    story.tell(events.RunStarted(run="t1", command=("bot",), pid=7, host="here"))
    return story.state


@pytest.mark.parametrize(
    "word",
    ['"kind":"mitigation"', '"kind":"pause_calibration"', '"subject":"mode"', '"status":"requested"',
     '"status":"running"'],
)  # fmt: skip
def test_a_newer_word_in_what_is_under_way_makes_nothing_unreadable(word: str) -> None:
    """I33: of operations, drift, mitigations and runs; a kind of operation that is not known is left out."""
    text = encode(at_work()).decode()
    assert word in text
    state = decode(text.replace(word, word.partition(":")[0] + ':"newer"'))
    assert (state.system, list(state.mitigations)) == ("bot", ["calm"])
    assert len(state.operations) == (0 if "mitigation" in word else 1)
    assert state.run is not None


def test_what_is_no_state_is_refused() -> None:
    """What leaves out operations that are not known does not make a state of anything."""
    for content in ("[]", "{}", '{"system": "bot", "operations": {"a": {"kind": "switch"}}}', "no"):
        with pytest.raises(ValueError, match=r"."):
            decode(content)


def test_events_with_newer_words_are_folded() -> None:
    """I33: what a newer program has recorded stands in the log of all; a wrong word stops no fold."""
    story = Story()
    newer = [
        events.DriftDetected(subject="mode", expected="mock", found="real"),
        events.MitigationRequested(mitigation="calm", kind="lock", until=SOON),
    ]
    for event, field in zip(newer, ("subject", "kind"), strict=True):
        story.tell(event.model_copy(update={field: "newer"}))
    assert [one.subject for one in story.state.drift.values()] == ["newer"]
    assert [one.kind for one in story.state.mitigations.values()] == ["newer"]


@pytest.mark.parametrize("part", ["severity", "status"])
def test_a_word_that_this_program_does_not_know_makes_nothing_unreadable(part: str) -> None:
    """I33: a newer program has been at work; a pause needs the rest of what this machine remembers."""
    known = f'"{part}":"critical"' if part == "severity" else f'"{part}":"open"'
    text = encode(rollout()).decode()
    assert known in text
    assert decode(text.replace(known, f'"{part}":"dire"')).system == "bot"
