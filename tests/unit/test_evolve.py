"""What events mean that come in late, out of turn, or twice: the state never goes back in time."""

from __future__ import annotations

from typing import Any

from ledger.domain import events
from ledger.domain.log.event import Event
from ledger.domain.log.ids import uuid7
from tests.support.stories import Story

FINGERPRINT = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


def asked(mode: Any, kind: Any = None) -> Event:
    return events.ModeSwitchRequested(to_mode=mode, to_kind=kind, actuators=())


def switched(mode: Any, kind: Any = None) -> Event:
    return events.ModeSwitched(to_mode=mode, to_kind=kind, carried_by="control_file")


def test_a_late_pause_is_behind_the_switches_since() -> None:
    """I13, I9: journalled an hour ago; somebody has gone back to mock since."""
    story = Story()
    story.tell(switched("real"), ago_seconds=7200)
    story.tell(switched("mock"), who="bob")
    story.tell(asked("paused", "halt"), operation=uuid7(), ago_seconds=3600, spooled=True)
    story.tell(switched("paused", "halt"), ago_seconds=3599, spooled=True)
    assert (story.state.mode, story.state.mode_by) == ("mock", "bob")
    assert [known.overtaken for known in story.state.operations.values()] == [True]


def test_a_late_pause_that_nobody_has_answered_counts() -> None:
    """I13: the newest by its own time is the present mode, whenever it came in."""
    story = Story()
    story.tell(switched("real"), ago_seconds=7200)
    story.tell(switched("paused", "halt"), ago_seconds=3600, spooled=True)
    assert (story.state.mode, story.state.pause_kind) == ("paused", "halt")


def test_a_decision_overtakes_only_what_was_decided_before_it() -> None:
    """I9, I12: two pauses at once; the one decided later is not given up because the other ended first."""
    story = Story()
    first, second = uuid7(), uuid7()
    story.tell(asked("paused", "halt"), operation=first)
    story.tell(asked("paused", "reduce_only"), operation=second)
    story.tell(switched("paused", "halt"), operation=first)
    assert story.state.operations[str(second)].overtaken is False
    third = uuid7()
    story.tell(asked("paused", "drain"), operation=third)
    story.tell(switched("paused", "drain"), operation=third)
    assert story.state.operations[str(second)].overtaken is True


def test_an_outcome_is_put_down_to_who_decided() -> None:
    """I11: bob only finished what ann had asked for."""
    story = Story()
    operation = uuid7()
    story.tell(asked("paused", "halt"), operation=operation)
    story.tell(switched("paused", "halt"), who="bob", operation=operation)
    assert (story.state.mode_by, story.state.mode_reason) == ("ann", "ann's reason")


def test_a_late_quarantine_does_not_undo_a_later_vouching() -> None:
    """I9: a person has looked at it since, and vouched for it."""
    story = Story()
    story.tell(events.FingerprintMarkedStable(fingerprint=FINGERPRINT))
    late = events.FingerprintQuarantined(fingerprint=FINGERPRINT)
    story.tell(late, ago_seconds=3600, spooled=True)
    assert story.state.configs[FINGERPRINT].quarantined is None
    story.tell(late)
    assert story.state.configs[FINGERPRINT].quarantined == 3


def test_a_late_rollback_is_behind_what_was_applied_since() -> None:
    """I13: the configuration in force stays, and the rollback that is still open is marked."""
    story = Story()
    operation = uuid7()
    requested = events.RollbackRequested(
        to_fingerprint=FINGERPRINT, snapshot="c" * 64, selector="--last-stable", files=()
    )
    story.tell(
        events.ConfigApplied(fingerprint=OTHER, snapshot="d" * 64, cause="apply", changes=())
    )
    story.tell(requested, operation=operation, ago_seconds=3600, spooled=True)
    assert story.state.operations[str(operation)].overtaken is True
    late = events.ConfigApplied(
        fingerprint=FINGERPRINT, snapshot="c" * 64, cause="rollback", changes=()
    )
    story.tell(late, operation=operation, ago_seconds=3599, spooled=True)
    assert story.state.fingerprint == OTHER
    assert story.state.configs[FINGERPRINT].applied is True


def test_a_clock_that_jumps_back_moves_nothing_back() -> None:
    """I2, I13: what came in at its turn counts at its turn, whatever its clock says."""
    story = Story()
    story.tell(switched("real"))
    story.clock.jump(-3600)
    story.tell(switched("paused", "halt"))
    assert story.state.mode == "paused"


def test_a_resolved_incident_is_not_reopened() -> None:
    """I13: a mitigation that was journalled before comes in after."""
    story = Story()
    story.tell(events.IncidentOpened(incident="INC-1", title="t", severity="critical"))
    story.tell(events.IncidentResolved(incident="INC-1"))
    story.tell(
        events.IncidentMitigated(incident="INC-1", action="pause"), ago_seconds=60, spooled=True
    )
    assert story.state.incidents["INC-1"].status == "resolved"
