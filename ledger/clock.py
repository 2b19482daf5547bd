"""The system's clock."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ledger.domain.clock import Clock

_LOOK_AGAIN_SECONDS: Final = 0.01


class SystemClock:
    """The machine's own time, as a `ledger.domain.clock.Clock`."""

    __slots__ = ()

    def now(self) -> datetime:
        """Return the moment, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since some fixed point."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait ``seconds``."""
        time.sleep(seconds)


class FileClock(SystemClock):
    """A clock that stands in a file, for rehearsals: a plan of weeks is played in minutes.

    The file holds one ISO 8601 time, and whoever rehearses moves it on. Waits of a second or more end when
    the file has moved on by as much; shorter ones are real, and so are durations.
    """

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> datetime:
        """Return the moment that the file says; one that nobody can reckon from is drawn near."""
        from ledger.domain.values.moments import within_bounds  # rehearsals alone need it

        said = datetime.fromisoformat(self._path.read_text(encoding="utf-8").strip())
        try:
            return within_bounds(said.astimezone(UTC))
        except (OverflowError, ValueError):  # year 1 or 9999, seen from another zone
            return within_bounds(said.replace(tzinfo=UTC))

    def sleep(self, seconds: float) -> None:
        """Wait until the file has moved on by ``seconds``."""
        if seconds < 1:
            time.sleep(seconds)
            return
        until = self.now() + timedelta(seconds=seconds)
        while self.now() < until:
            time.sleep(_LOOK_AGAIN_SECONDS)

    def problem(self) -> str | None:
        """Return what keeps the file from telling the time; None if it tells it."""
        try:
            if self._path.exists() and not self._path.is_file():  # a pipe would be waited for
                return f"{self._path} is no regular file"
            self.now()
        except OSError as error:
            return f"{self._path}: {(error.strerror or 'it failed').lower()}"
        except (ValueError, OverflowError):
            return f"{self._path} holds no ISO 8601 time"
        return None


def age_of_file(modified: float, clock: Clock) -> timedelta:
    """Return how old a file is, by its time of modification in seconds since 1970.

    Files bear the machine's time. In a rehearsal of what has been they are of a time to come, unless whoever
    rehearses dates them: then the machine's own clock says how old they are.
    """
    touched = datetime.fromtimestamp(modified, UTC)
    age = clock.now() - touched
    if age < timedelta() and isinstance(clock, FileClock):
        return SystemClock().now() - touched
    return age


def clock_that_tells(clock: SystemClock) -> tuple[SystemClock, str | None]:
    """Return ``clock`` if it tells the time; else the machine's own, and what is wrong with the other."""
    wrong = clock.problem() if isinstance(clock, FileClock) else None
    return (clock, None) if wrong is None else (SystemClock(), wrong)


def clock_of(environment: Mapping[str, str]) -> SystemClock:
    """Return the machine's clock, or the one in the file that ROLLOUT_CLOCK names."""
    path = environment.get("ROLLOUT_CLOCK")
    return FileClock(Path(path)) if path else SystemClock()
