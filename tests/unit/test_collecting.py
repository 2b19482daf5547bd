"""What a process that stays leaves in cycles is given back: it does not collect as seldom as a quick one."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import collecting
from cli.main import cli

NOBODY = "host=127.0.0.1 port=1 dbname=none connect_timeout=1"


@pytest.fixture(autouse=True)
def hurried() -> Iterator[None]:
    """Begin as `rollout` does."""
    collecting.hurry()
    yield
    collecting.stay()


@pytest.mark.parametrize(
    ("words", "usual"),
    [
        (("watch", "bot"), True),
        (("run", "bot", "--", "true"), True),
        (("status", "bot", "--watch"), True),
        (("log", "bot", "--follow"), True),
        (("status", "bot"), False),
        (("watch", "bot", "--check"), False),
    ],
)
def test_who_stays_collects_as_usual(tmp_path: Path, words: tuple[str, ...], usual: bool) -> None:
    """A watch of a month must not grow by what each of its rounds leaves behind."""
    home = ("--home", str(tmp_path), "--dsn", NOBODY)
    assert CliRunner().invoke(cli, [*home, *words]).exception is not None  # nobody is there
    assert (gc.get_threshold() == collecting.USUAL) is usual
