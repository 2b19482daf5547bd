"""How far a long piece of work is, told on stderr; nothing at all when it is quick."""

from __future__ import annotations

import sys
from typing import Final

import click

from ledger.domain.clock import Clock

QUIET_SECONDS: Final = 1.0
TERMINAL_SECONDS: Final = 0.2
LINE_EVERY_SECONDS: Final = 5.0


class Progress:
    """Called with how far it is and how far it goes; a line that is written over, or one now and then."""

    def __init__(self, what: str, clock: Clock) -> None:
        self._what: Final = what
        self._clock: Final = clock
        self._began: Final = clock.monotonic()
        self._next = self._began + QUIET_SECONDS
        self._over: Final = sys.stderr.isatty()

    def __call__(self, reached: int, end: int) -> None:
        """Tell it, and how long it will take, if it has taken long enough for anybody to wonder."""
        now = self._clock.monotonic()
        shown = self._next > self._began + QUIET_SECONDS
        if now < self._next and not (self._over and shown and reached >= end):
            return
        self._next = now + (TERMINAL_SECONDS if self._over else LINE_EVERY_SECONDS)
        rate = reached / (now - self._began)
        left = f", {(end - reached) / rate:,.0f} s left" if rate and reached < end else ""
        text = f"{self._what}: {reached:,} of {end:,}, {rate:,.0f} a second{left}"
        # The cursor goes back to the line's begin: whatever is told next, an error too, stands over it.
        written_over = self._over and reached < end
        click.echo(f"{text}\x1b[K\r" if written_over else text, err=True, nl=not written_over)
