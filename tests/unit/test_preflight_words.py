"""What a refusal says of a preflight that said no."""

from __future__ import annotations

import pytest

from ledger.domain import events
from ledger.domain.errors import GateClosed
from ledger.domain.gates.decide import require_preflight
from ledger.domain.gates.events import CheckResult
from tests.support.stories import Story


def test_the_gravest_checks_are_named_first_and_the_rest_are_counted() -> None:
    """I8: what shuts the gate is not lost among what is only worth a look."""
    found = [
        CheckResult(name=f"{priority}-{number}", kind="command", priority=priority, result="FAIL")
        for priority in ("P3", "P1", "P0")
        for number in (1, 2)
    ]
    story = Story()
    story.tell(events.PreflightCompleted(verdict="NO_GO", results=tuple(found)))
    with pytest.raises(GateClosed) as refused:
        require_preflight(story.state, "real", 600, story.clock.now())
    said = "real needs a GO, and the last preflight is NO_GO: P0-1, P0-2, P1-1, P1-2 and 2 more."
    assert refused.value.message == said
    assert "rollout preflight show bot" in (refused.value.hint or "")
