"""What a line of the overview says of an event."""

from __future__ import annotations

from datetime import UTC, datetime

from cli.overview import event_line


def test_a_sentence_and_its_reason_are_parted_once() -> None:
    """A refusal quotes a whole sentence; its full stop does not stand before the colon."""
    moment = datetime(2025, 11, 20, 3, tzinfo=UTC)
    event = {
        "position": 53, "occurred_at": moment, "recorded_at": moment, "system": "", "actor": "ann",
        "backfilled": False, "spooled": False, "reason": "go",
        "sentence": "was refused paused → real: bot is paused: it can't be switched straight to real.",
    }  # fmt: skip

    assert event_line(event) == (
        "#53 2025-11-20 03:00:00Z ann was refused paused → real: "
        "bot is paused: it can't be switched straight to real: go"
    )
