"""An expression judged by all of a window, look by look: held, failed, or nobody can tell (I8). Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from ledger.alerts.promql import Expression, Moment
from ledger.alerts.series import Labels, SeriesStore
from ledger.alerts.vectors import EvaluationError, Vector, shown
from ledger.domain.log.event import decimal_text
from ledger.domain.values.durations import duration_text

LOOKS_MAX: Final = 500_000
"""Looks of one criterion: five weeks at one every six seconds. What wants more is not looked at in full."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of an expression."""

    start: float
    """Unix seconds."""
    end: float
    every: float
    max_gap: float
    """Nothing may be unknown for longer."""
    failures_allowed: int = 0
    gaps_allowed: float = 0.0
    """Of the window: so much may be unknown for longer, all together, if something was known after it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the window says."""

    result: Literal["pass", "fail", "inconclusive"]
    measured: str
    """The values at the last look that told anything."""
    detail: str


@dataclass(slots=True)
class _Seen:
    """What the looks have told so far."""

    failed: int = 0
    held: int = 0
    first_failure: float = 0.0
    measured: str = ""
    error: str = ""
    told: dict[Labels | None, float] = field(default_factory=dict)
    """When something was last known of each element; None: of any."""
    gaps: dict[Labels | None, float] = field(default_factory=dict)
    """For how long nothing was known of an element that had been there, too long at a time."""


def looks_of(asked: Asked) -> int:
    """Return how many looks the window wants."""
    return int((asked.end - asked.start) / asked.every) + 1


def judged(expression: Expression, series: SeriesStore, asked: Asked) -> Answer:
    """Return what ``series`` says of ``expression``, at every look from the start to the end."""
    wanted = looks_of(asked)
    looks = min(wanted, LOOKS_MAX)
    seen = _Seen(told={None: asked.start})
    for number in range(looks - 1, -1, -1):
        at = asked.end - number * asked.every
        try:
            elements = expression.evaluate(Moment(series, at))
        except EvaluationError as problem:
            seen.error = seen.error or f"at {_text(at)}: {problem}"
            continue
        _look(seen, asked, elements, at)
    if seen.failed > asked.failures_allowed:
        first = _text(seen.first_failure)
        detail = f"failed {seen.failed} of {looks} looks, first at {first}"
        return Answer("fail", seen.measured, detail)
    problem = _unseen(seen, asked, looks, wanted)
    if problem:
        return Answer("inconclusive", seen.measured, problem)
    return Answer("pass", seen.measured, f"held at {seen.held} of {looks} looks")


def _look(seen: _Seen, asked: Asked, elements: Vector, at: float) -> None:
    telling = {labels: e for labels, e in elements.items() if e.holds or e.known}
    if not telling:
        return
    seen.measured = ", ".join(decimal_text(round(e.value, 6)) for e in telling.values())
    for labels in (None, *telling):
        _note_gap(seen, asked, labels, at)
        seen.told[labels] = at
    if any(element.false for element in telling.values()):
        seen.first_failure = seen.first_failure if seen.failed else at
        seen.failed += 1
    elif len(telling) == len(elements):
        seen.held += 1


def _note_gap(seen: _Seen, asked: Asked, labels: Labels | None, at: float) -> None:
    gap = at - seen.told.get(labels, at)
    if gap > asked.max_gap + asked.every:
        seen.gaps[labels] = seen.gaps.get(labels, 0.0) + gap


def _unseen(seen: _Seen, asked: Asked, looks: int, wanted: int) -> str:
    """Return why the window can't be told by what was seen of it; nothing where it can."""
    if seen.error:
        return seen.error
    if len(seen.told) == 1:
        return "nothing was recorded that it could be judged by"
    if looks < wanted:
        return f"only {looks} of {wanted} looks are made at most; look less often"
    open_ = {labels: asked.end - at for labels, at in seen.told.items()}
    labels = max(open_, key=lambda each: open_[each])
    if open_[labels] > asked.max_gap + asked.every:
        return _untold(labels, open_[labels])
    labels = max(seen.gaps, key=lambda each: seen.gaps[each], default=None)
    seconds = seen.gaps.get(labels, 0.0)
    if seconds > asked.gaps_allowed * (asked.end - asked.start):
        return _untold(labels, seconds)
    return ""


def _untold(labels: Labels | None, seconds: float) -> str:
    span = duration_text(timedelta(seconds=int(seconds)), parts=2)
    return f"nothing could be told{f' of {shown(labels)}' if labels else ''} for {span}"


def _text(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
