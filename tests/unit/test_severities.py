"""Other schemes' words for how bad an alert is, by hand and in rules."""

from __future__ import annotations

import click

from cli.commands.alert import alert
from ledger.domain.values.severities import SEVERITIES


def test_the_words_of_the_guides_are_understood_by_hand_as_in_rules() -> None:
    """Item A19 of docs/seeds.md; and `alert raise` offers what rules understand, no less."""
    assert {SEVERITIES[word] for word in ("alarm", "critical", "error", "p0", "p1")} == {"critical"}
    assert {SEVERITIES[word] for word in ("warn", "p2")} == {"warning"}
    (option,) = [one for one in alert.commands["raise"].params if one.name == "severity"]
    assert isinstance(option.type, click.Choice)
    assert list(option.type.choices) == list(SEVERITIES)
