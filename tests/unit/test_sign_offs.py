"""When a yes was given: on a day that has been, and not before it was asked for."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from ledger.domain import events
from ledger.domain.approvals import decide as approvals
from ledger.domain.errors import BadInput
from ledger.domain.log.ids import Actor, ActorKind
from ledger.domain.values.moments import iso
from tests.support.stories import Story

BOB = Actor("bob", "bob", ActorKind.HUMAN)


def asked() -> Story:
    """Ann asks for the yes of one of ops."""
    story = Story()
    story.tell(
        events.SystemRegistered(environment="staging", description="", actuators=events.Actuators())
    )
    story.tell(
        events.ApprovalRequested(
            request="A-7",
            subject="mode:real",
            roles={"ops": 1},
            expires_at=iso(story.clock.now() + timedelta(days=30)),
        )
    )
    return story


def granted(story: Story, days: int, *, set_back: int = 0) -> list[str]:
    now = story.clock.now() - timedelta(days=set_back)
    day: date = now.date() + timedelta(days=days)
    decided = approvals.grant(story.state, "A-7", "ops", BOB, day, now)
    return [event.model_dump()["signed_on"] for event in decided.events]


@pytest.mark.parametrize("days", [-2000, -2, 1])
def test_no_yes_is_older_than_what_it_says_yes_to(days: int) -> None:
    """I11: a paper from before the request was signed for something else; one of tomorrow by nobody."""
    with pytest.raises(BadInput):
        granted(asked(), days)


def test_a_yes_of_today_counts_also_after_the_clock_was_set_back() -> None:
    """I13: the day is the clock's, and the request may be ahead of it."""
    story = asked()
    assert granted(story, 0) == [str(story.clock.now().date())]
    before = str(story.clock.now().date() - timedelta(days=5))
    assert granted(story, 0, set_back=5) == [before]
