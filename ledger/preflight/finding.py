"""What a check finds, and what the checks of a run have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Result(StrEnum):
    """How a check ended."""

    PASS = "PASS"  # noqa: S105 -- a result, not a password
    WARN = "WARN"
    """Within the bounds, and in the band beside them that wants a look. Never blocks."""
    FAIL = "FAIL"
    """What was asked for is not so."""
    SKIP = "SKIP"
    """A person left it out."""
    ERROR = "ERROR"
    """It could not be told: the check threw, or hung."""


_WORST_LAST = (Result.PASS, Result.SKIP, Result.WARN, Result.ERROR, Result.FAIL)


def worst(results: Iterable[Result]) -> Result:
    """Return the worst of ``results``; PASS if there is none."""
    return max(results, key=_WORST_LAST.index, default=Result.PASS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check itself has to say. Whoever makes one need not care for secrets: `runner` does."""

    result: Result
    measured: str
    threshold: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check of a run: the measured value beside the threshold. Holds no secret."""

    name: str
    kind: str
    priority: str
    category: str
    result: Result
    measured: str = ""
    threshold: str = ""
    detail: str = ""
    """Which part failed, why it was left out, the end of a program's output."""
    took_ms: int = 0


Part: TypeAlias = tuple[Result, str, str]
"""One thing that was looked at: how it came out, what was measured, what was asked for."""


def passed(is_so: bool) -> Result:
    """Return PASS where what was asked for is so."""
    return Result.PASS if is_so else Result.FAIL


def together(parts: Sequence[Part]) -> Outcome:
    """Return the outcome of several things that were measured."""
    return Outcome(
        worst(result for result, _, _ in parts),
        "; ".join(measured for _, measured, _ in parts),
        "; ".join(threshold for _, _, threshold in parts),
        "\n".join(
            f"{result}: {measured}, wanted: {threshold}"
            for result, measured, threshold in parts
            if result is not Result.PASS
        ),
    )


class CheckError(Exception):
    """A check can't tell. The sentence says why."""
