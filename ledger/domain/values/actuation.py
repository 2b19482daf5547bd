"""What became of a decision in the world, as plain values that events can carry.

An `Attempt` is one actuator's answer. A `Carried` is a decision that reached the world, with every
attempt on the way. An `Observed` is what the world says of itself, one `Reading` per source.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ledger.domain.errors import Unreachable
from ledger.domain.values.modes import Mode, PauseKind, exposure, full_kind


class Outcome(StrEnum):
    """How an attempt ended."""

    TOOK_IT = "took_it"
    """The actuator said yes."""
    REFUSED = "refused"
    """It was asked, and said no."""
    FAILED = "failed"
    """It was not reached, so nothing changed."""
    UNKNOWN = "unknown"
    """It was asked and gave no answer: it may or may not have acted."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One actuator, asked once.

    ``detail`` is a sentence for people, free of secrets; ``seconds`` is how long the answer took.
    """

    actuator: str
    outcome: Outcome
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Carried:
    """A decision that an actuator took.

    ``carried_by`` names the preferred actuator that took it, and ``confirmed`` says whether that
    one was seen to hold the mode within its time (a file was read back, ``/status`` was asked).
    ``warnings`` are sentences on what else went wrong.
    """

    mode: Mode
    pause_kind: PauseKind | None
    carried_by: str
    confirmed: bool
    attempts: tuple[Attempt, ...]
    warnings: tuple[str, ...] = ()


class NotCarried(Unreachable):
    """No actuator took the decision; ``attempts`` says what each one answered."""

    code = "L704"

    def __init__(self, message: str, *, attempts: tuple[Attempt, ...], hint: str | None) -> None:
        super().__init__(message, hint=hint)
        self.attempts = attempts


@dataclass(frozen=True, slots=True)
class Reading:
    """What one source says. Where ``mode`` is ``None``, it can't tell, and ``problem`` says why."""

    actuator: str
    mode: Mode | None
    pause_kind: PauseKind | None = None
    problem: str | None = None

    def tells(self, mode: Mode, pause_kind: PauseKind | None) -> bool:
        """Whether it says so. A source that tells no kind of pause does not contradict one."""
        return (
            self.problem is None
            and self.mode is mode
            and self.pause_kind in {None, full_kind(mode, pause_kind)}
        )


@dataclass(frozen=True, slots=True)
class Observed:
    """What the world says of itself: each source's reading, the preferred source first."""

    readings: tuple[Reading, ...]

    @property
    def safe(self) -> Reading | None:
        """The least exposed reading, the one to believe; ``None`` if no source can tell."""
        answers = [reading for reading in self.readings if reading.mode is not None]
        return min(answers, key=_reading_exposure, default=None)

    def tells(self, mode: Mode, pause_kind: PauseKind | None) -> bool:
        """Whether every source says so. One that can't tell says nothing of the kind (I8)."""
        return all(reading.tells(mode, pause_kind) for reading in self.readings)

    @property
    def agrees(self) -> bool:
        """Whether all sources that can tell say the same."""
        exposures = {
            _reading_exposure(reading) for reading in self.readings if reading.mode is not None
        }
        return len(exposures) <= 1


@dataclass(frozen=True, slots=True)
class Written:
    """Configuration files, by name: those replaced, and those that held the bytes already."""

    replaced: tuple[str, ...]
    unchanged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CodeStanding:
    """Where a code checkout stands: its commit, and the files of it that were changed by hand."""

    commit: str
    edited: tuple[str, ...] = ()


def _reading_exposure(reading: Reading) -> int:
    if reading.mode is None:
        raise ValueError("a reading without a mode has no exposure")
    # Exposure tells every mode and kind apart, so equal ranks are equal settings.
    return exposure(reading.mode, reading.pause_kind)
