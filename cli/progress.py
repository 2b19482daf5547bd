"""How far a long piece of work is, told on stderr; nothing at all when it is quick."""

from __future__ import annotations

import sys
from typing import Final

import click

from ledger.domain.clock import Clock

QUIET_SECONDS: Final = 1.0
LINE_EVERY_SECONDS: Final = 5.0


class Progress:
    """Called with how far it is and how far it goes; a line that is written over, or one now and then."""

    def __init__(self, what: str, clock: Clock) -> None:
        self._what: Final = what
        self._clock: Final = clock
        self._started: Final = clock.monotonic()
        self._last_line: float | None = None
        self._over: Final = sys.stderr.isatty()

    def __call__(self, reached: int, end: int) -> None:
        """Tell it, if it has taken long enough for anybody to wonder."""
        now = self._clock.monotonic()
        if now - self._started < QUIET_SECONDS:
            return
        if self._over:
            click.echo(f"\r{self._what}: {reached:,} of {end:,}", err=True, nl=reached >= end)
        elif self._last_line is None or now - self._last_line >= LINE_EVERY_SECONDS:
            click.echo(f"{self._what}: {reached:,} of {end:,}", err=True)
        else:
            return
        self._last_line = now
