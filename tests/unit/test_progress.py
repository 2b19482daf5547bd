"""Long work is told on stderr, quick work is not."""

from __future__ import annotations

import pytest

from cli.progress import Progress
from tests.support.fakes import FrozenClock


def test_quick_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A sync of a few events is over before anybody wonders."""
    progress = Progress("copying", FrozenClock())
    for reached in range(10):
        progress(reached, 10)
    assert capsys.readouterr() == ("", "")


def test_long_work_says_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody watches a terminal, a line every five seconds; stdout stays the data's."""
    clock = FrozenClock()
    progress = Progress("copying", clock)
    for reached in range(1000, 13_000, 1000):
        clock.advance(1)
        progress(reached, 12_000)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "copying: 1,000 of 12,000, 1,000 a second, 11 s left",
        "copying: 6,000 of 12,000, 1,000 a second, 6 s left",
        "copying: 11,000 of 12,000, 1,000 a second, 1 s left",
    ]
