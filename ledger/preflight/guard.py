"""What ends a check that takes too long: it gives up what it has begun, whoever waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Guard:
    """Given to a check, which leaves here how to end what it begins (a program, say)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: list[Callable[[], None]] = []
        self._over = False

    @property
    def over(self) -> bool:
        """Whether nobody waits any more: long work should look now and then."""
        return self._over

    def on_stop(self, end: Callable[[], None]) -> None:
        """Have ``end`` called when the time is up; at once if it is. It must not fail."""
        with self._lock:
            if not self._over:
                self._ends.append(end)
                return
        end()

    def stop(self) -> None:
        """End it all. Safe to repeat."""
        with self._lock:
            self._over = True
            ends, self._ends = self._ends, []
        for end in ends:
            end()
