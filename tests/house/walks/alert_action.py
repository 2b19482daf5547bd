"""Recipe 2, seen to work: a rule file names the action, and an alert is acted upon by it, once."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from ledger.alerts.rules import load_rules
from ledger.domain import events
from ledger.service import recovery
from ledger.service.alerts import actions
from ledger.service.core.local_cache import LocalMemory
from ledger.service.core.session import Ledger
from tests.support.stories import Story
from tests.support.tables import REGISTERED, adopted

RULES = b"""
groups:
  - name: slo
    rules:
      - {alert: Odd, expr: x > 1, annotations: {rollout_action: hold}}
"""


def main() -> None:
    """Have a rule hold the phase that a bot is in."""
    (rule,) = load_rules(RULES, "slo.yaml").rules
    assert rule.action.acts
    story = Story()
    shadow = events.PlannedPhase(name="shadow")
    for event in (REGISTERED, adopted(shadow), events.PhaseEntered(phase="shadow")):
        story.tell(event)
    fired = {"alert": "Odd", "severity": "warning", "message": "x is 2",
             "rule": {"name": rule.name, "expr": "x > 1", "action": rule.action.name}}  # fmt: skip
    story.tell(events.AlertFired.model_validate(fired))
    with TemporaryDirectory() as folder:
        home = Path(folder)
        ledger = Ledger(
            story.recorder,
            home,
            print,
            cast("Any", None),
            LocalMemory(home),
            recovery.finish_dead_operations,
        )
        assert actions.due(story.state, story.clock.now()) == ["Odd"]
        (taken,) = actions.act(ledger, cast("Any", None), {}, story.state, "Odd")
    assert (taken.action, taken.outcome) == ("hold", "done"), taken
    story.tell(taken)
    state = story.state
    assert state.phase is not None
    assert (state.phase.status, state.phase.held_by) == ("held", "Odd")
    assert actions.due(state, story.clock.now()) == []


if __name__ == "__main__":
    main()
