"""Whether evidence is what it seems: eight minutes with a day of rows, copies, values that never move."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from ledger.domain.events import CriterionResult
from ledger.domain.log.ids import metrics_stream
from ledger.domain.values.durations import seconds_text
from ledger.domain.values.moments import shifted
from projections.core.base import Db
from projections.reports import figures
from projections.reports.limits import Limit
from projections.reports.samples import Labels, Series, by_series, read, summary
from projections.reports.window import Window
from projections.reports.words import Words

BEFORE: Final = timedelta(days=1)
"""How long before the window values are compared with those in it."""
ENOUGH: Final = 10
"""So many samples without a change are worth a word; fewer may be chance."""
NAMED: Final = 4


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that a reader of the numbers should know. ``key`` is of the words' table ``doubt``."""

    key: str
    about: tuple[tuple[str, str], ...]
    serious: bool
    """Whether it alone speaks against going on."""

    def text(self, words: Words) -> str:
        """Return it as a sentence."""
        return words(f"canary.doubt.{self.key}", **dict(self.about))


def doubt(key: str, *, serious: bool = True, **about: object) -> Doubt:
    """Return a doubt about the numbers."""
    named = tuple(sorted((name, str(value)) for name, value in about.items()))
    return Doubt(key, named, serious)


def doubts_of(
    db: Db,
    system: str,
    window: Window,
    series: Mapping[tuple[str, Labels], Series],
    criteria: Iterable[CriterionResult],
) -> list[Doubt]:
    """Return what speaks against taking the numbers of ``window`` at their face value."""
    doubts: list[Doubt] = []
    total = sum(len(one.samples) for one in series.values())
    if not total:
        return [doubt("nothing")]
    short = [one for one in criteria if one.observed_seconds < one.needed_seconds]
    if short:
        longest = max(short, key=lambda one: one.needed_seconds)
        observed, needed = (
            seconds_text(longest.observed_seconds),
            seconds_text(longest.needed_seconds),
        )
        doubts.append(doubt("short", observed=observed, needed=needed))
    outside = _outside(db, system, window)
    if outside:
        doubts.append(doubt("outside", count=outside))
    late = _late(window, series)
    if late:
        doubts.append(doubt("late", serious=False, count=late))
    moving = [one for one in series.values() if not _plainly_constant(one)]
    still = [
        one.name
        for one in moving
        if len(one.samples) >= ENOUGH and len({value for _, value in one.numbers}) == 1
    ]
    if still:  # one may be as steady as that; all of them are a probe that is stuck
        whole = len(still) == len(moving)
        doubts.append(doubt("still", serious=whole, series=_listed(still)))
    copied, compared = _copied(db, system, window, series)
    if copied:
        doubts.append(doubt("copied", count=len(copied), compared=compared, series=_listed(copied)))
    return doubts


def asides_of(
    window: Window,
    series: Mapping[tuple[str, Labels], Series],
    criteria: Iterable[CriterionResult],
    limits: Sequence[Limit],
    alerts: Iterable[Mapping[str, Any]],
    modes: Iterable[Mapping[str, Any]],
    wanted_mode: str | None,
) -> list[Doubt]:
    """Return what no verdict rests on, and a reader would want to have been told."""
    asides: list[Doubt] = []
    if window.run is not None and window.namesakes:
        others = ", ".join(one.place for one in window.namesakes)
        asides.append(
            doubt("namesakes", serious=False, tag=window.run.tag, this=window.run.place,
                  others=others)
        )  # fmt: skip
    elsewhere = sum(
        (min(one["until"] or window.until, window.until) - max(one["since"], window.since)
         for one in modes if wanted_mode is not None and one["mode"] != wanted_mode),
        timedelta(0),
    )  # fmt: skip
    if elsewhere:
        asides.append(
            doubt(
                "mode",
                serious=False,
                span=seconds_text(elsewhere.total_seconds()),
                mode=wanted_mode,
            )
        )
    needed = max((one.needed_seconds for one in criteria), default=0)
    judged_from = shifted(window.until, -timedelta(seconds=needed))
    if needed and judged_from > window.since:
        beyond = [one.name for one in series.values() if _beyond(one, limits, judged_from)]
        fired = {str(one["alert"]) for one in alerts
                 if one["severity"] == "critical" and one["fired_at"] < judged_from}  # fmt: skip
        if beyond or fired:
            asides.append(
                doubt("before", serious=False, needed=seconds_text(needed), series=_listed(beyond) or "—",
                      alerts=_listed(sorted(fired)) or "—")
            )  # fmt: skip
    return asides


def _beyond(one: Series, limits: Sequence[Limit], until: datetime) -> bool:
    """Return whether a value before ``until`` was on the wrong side of a limit."""
    about = [limit for limit in limits if limit.metric == one.metric]
    return any(not limit.holds(value) for at, value in one.numbers if at < until for limit in about)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return shown + (f" (+{len(names) - NAMED})" if len(names) > NAMED else "")


def _outside(db: Db, system: str, window: Window) -> int:
    """Return how many records of metrics came in during the run and are of other times."""
    if window.run is None:
        return 0
    ended = window.run.ended
    row = db.execute(
        "SELECT count(*) FROM ledger.event WHERE stream = %s AND type = 'MetricsRecorded' "
        "AND position > %s AND position < %s AND (occurred_at < %s OR occurred_at > %s)",
        (
            metrics_stream(system),
            window.run.started.position,
            ended.position if ended is not None else 2**62,
            window.since,
            window.until,
        ),
    ).fetchone()
    return int(row[0]) if row is not None else 0


def _late(window: Window, series: Mapping[Any, Series]) -> int:
    """Return how many samples of the run were recorded only after it had ended."""
    if window.run is None or window.run.ended is None:
        return 0
    end = window.run.ended.position
    return sum(1 for one in series.values() for sample in one.samples if sample.position > end)


def _plainly_constant(one: Series) -> bool:
    """Return whether it is nought or one all the time: of which most are, and rightly."""
    values = {value for _, value in one.numbers}
    return len(values) == 1 and _counts(values.pop())


def _copied(
    db: Db, system: str, window: Window, series: Mapping[tuple[str, Labels], Series]
) -> tuple[list[str], int]:
    """Return the series whose mean is, to the digit, what it was before; and how many could be compared."""
    until = shifted(window.since, -timedelta(microseconds=1))
    before = by_series(read(db, system, shifted(window.since, -BEFORE), until))
    copied: list[str] = []
    compared = 0
    for key, one in series.items():
        if key not in before:
            continue
        now, then = summary(one).mean.value, summary(before[key]).mean.value
        if now is None or then is None:
            continue
        compared += 1
        if now == then and not _counts(now):
            copied.append(one.name)
    return copied, compared


def _counts(value: Decimal) -> bool:
    return value in {Decimal(0), Decimal(1)}


def missing(one: CriterionResult) -> tuple[str, dict[str, str]]:
    """Return what an inconclusive criterion lacks: a key of the words' table ``missing``, and its names."""
    about = {
        "name": one.name,
        "observed": seconds_text(one.observed_seconds),
        "needed": seconds_text(one.needed_seconds),
        "left": seconds_text(max(0, one.needed_seconds - one.observed_seconds)),
        "samples": str(one.samples),
        "detail": one.detail,
    }
    if not one.samples:
        return "samples", about
    if one.observed_seconds < one.needed_seconds:
        return "time", about
    return "other", about


def share(part: int, whole: int) -> figures.Figure:
    """Return how much of the needed time was observed."""
    return figures.ratio(min(part, whole), whole, "no_data")
