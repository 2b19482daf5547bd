"""One meaning for the last stable configuration: of the command that goes there, and of what status shows."""

from __future__ import annotations

from ledger.domain import events
from ledger.domain.log.event import Event
from ledger.domain.rollbacks.decide import LAST_STABLE, destination, request, way_back
from tests.support.stories import Story

ONE, TWO, THREE = ("sha256:" + digit * 64 for digit in "123")


def applied(fingerprint: str, cause: str = "apply") -> Event:
    return events.ConfigApplied(
        fingerprint=fingerprint,
        snapshot=fingerprint[-64:],
        cause=cause,  # type: ignore[arg-type] -- a literal
        changes=(),
    )


def stable(fingerprint: str) -> Event:
    return events.FingerprintMarkedStable(fingerprint=fingerprint)


def quarantined(fingerprint: str) -> Event:
    return events.FingerprintQuarantined(fingerprint=fingerprint)


def told(*story: Event) -> Story:
    """Ann's system: one and two are stable, three is in force; then ``story``."""
    found = Story()
    found.tell(
        events.SystemRegistered(environment="staging", description="", actuators=events.Actuators())
    )
    for event in (applied(ONE), stable(ONE), applied(TWO), stable(TWO), applied(THREE), *story):
        found.tell(event)
    return found


def shown_and_done(story: Story) -> tuple[str | None, str]:
    """What status shows, and where the command ends: both see the files in place."""
    state = story.state
    return way_back(state, state.fingerprint), destination(state, LAST_STABLE, state.fingerprint)


def test_before_a_rollback_it_is_the_newest_other_one() -> None:
    """I10: marked stable, not quarantined, not the one in force."""
    assert shown_and_done(told()) == (TWO, TWO)
    assert shown_and_done(told(quarantined(TWO))) == (ONE, ONE)


def test_after_a_rollback_it_is_where_the_system_rests() -> None:
    """I10, I16: the second press changes nothing, and status names the same one."""
    story = told(quarantined(THREE), applied(TWO, "rollback"))
    assert shown_and_done(story) == (TWO, TWO)
    again = request(story.state, LAST_STABLE, in_place=TWO)
    assert (again.skipped or "").startswith("already back on the last stable")


def test_somebody_s_word_for_another_one_ends_the_rest() -> None:
    """I10: vouched for after the rollback, it is newer, not further back."""
    story = told(quarantined(TWO), quarantined(THREE), applied(ONE, "rollback"))
    assert shown_and_done(story) == (ONE, ONE)
    story.tell(stable(TWO))
    assert shown_and_done(story) == (TWO, TWO)
    story.tell(quarantined(TWO))
    assert shown_and_done(story) == (ONE, ONE)


def test_a_word_from_before_the_rollback_does_not_end_it() -> None:
    """I10: who went back to one by name knew of two."""
    story = told(quarantined(THREE), applied(ONE, "rollback"))
    assert shown_and_done(story) == (ONE, ONE)
    story.tell(stable(ONE))
    assert shown_and_done(story) == (ONE, ONE)


def test_a_hand_made_edit_leads_back_to_what_the_ledger_has_in_force() -> None:
    """I10: what is left is what stands in place."""
    story = told(stable(THREE))
    assert way_back(story.state, None) == destination(story.state, LAST_STABLE, None) == THREE
