"""How a system's rollout went, in numbers: docs/statistics.md defines each, with its source.

A number that can't be derived is absent, and says why (I8). Everything comes from the audit replica.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from projections.audit.ask import Questioner
from projections.core.period import Period

CHANGES: Final = ("apply", "import", "declared")
"""What counts as a change that somebody made. A rollback mends one; ``found`` is nobody's."""

_SYSTEMS: Final = """
    SELECT system, min(occurred_at) FROM events
        WHERE system IS NOT NULL AND ($system IS NULL OR system = $system) GROUP BY system ORDER BY system
"""
_MODES: Final = """
    SELECT system, mode, kind, since, until, since > occurred_at FROM mode_intervals
        WHERE $system IS NULL OR system = $system ORDER BY since, position
"""
_FIRED: Final = """
    SELECT system, data ->> 'alert', position, data ->> 'active_since' FROM events
        WHERE type = 'AlertFired' AND ($system IS NULL OR system = $system) ORDER BY position
"""
_INCIDENTS: Final = """
    SELECT system, opened_at, least(mitigated_at, resolved_at), alert, position,
           operation IS NOT NULL AND EXISTS (
               FROM rollbacks WHERE rollbacks.operation = opened.operation
                   AND rollbacks.system = opened.system AND rollbacks.position < opened.position)
        FROM incidents JOIN events AS opened USING (system, position)
        WHERE opened_at IS NOT NULL AND ($system IS NULL OR system = $system) ORDER BY position
"""
_CONFIGS: Final = """
    SELECT system, type, data ->> 'fingerprint', data ->> 'previous', data ->> 'cause', occurred_at
        FROM events
        WHERE type IN ('ConfigApplied', 'FingerprintQuarantined') AND ($system IS NULL OR system = $system)
        ORDER BY occurred_at, position
"""
_ROLLBACKS: Final = """
    SELECT system, actor, actor_kind, status, requested_at, ended_at FROM rollbacks
        WHERE $system IS NULL OR system = $system ORDER BY requested_at, position
"""

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Number:
    """A number with what it stands on; or why there is none."""

    value: float | None
    samples: int
    """How many cases it was computed from."""
    note: str | None = None
    """Why there is no value, or what was left out of it."""


@dataclass(frozen=True, slots=True)
class TimeInMode:
    """How long a system was in a mode."""

    mode: str
    kind: str | None
    seconds: float
    share: float
    """Of the time for which a mode is known."""
    times: int


@dataclass(frozen=True, slots=True)
class Rollbacks:
    """How many rollbacks had one cause."""

    cause: str
    """``rule NAME``, or the kind of who asked for it: ``human``."""
    count: int
    completed: int
    abandoned: int
    open: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """A system's numbers for one window."""

    system: str
    window: Period
    time_in_mode: tuple[TimeInMode, ...]
    mode_note: str | None
    detect: Number
    """Mean seconds from the beginning of what was wrong to the incident."""
    restore: Number
    """Mean seconds from the incident until it was mitigated or resolved."""
    change_failure: Number
    """Share of the changes that were rolled back or quarantined."""
    changes: int
    failed_changes: int
    rollbacks: tuple[Rollbacks, ...] = field(default=())


def statistics(
    asked: Questioner,
    *,
    system: str | None,
    since: datetime | None,
    until: datetime | None,
    now: datetime,
) -> list[Statistics]:
    """Return the numbers of a system, or of all; by default from its first event until ``now``."""

    def rows(text: str) -> list[Row]:
        (statement,) = asked.statements(text)
        return [tuple(map(_aware, row)) for row in asked.ask(statement, {"system": system}).rows]

    systems = dict(rows(_SYSTEMS))
    modes, fired, incidents, configs, rollbacks = (
        _by_system(rows(text)) for text in (_MODES, _FIRED, _INCIDENTS, _CONFIGS, _ROLLBACKS)
    )
    by_system: list[Statistics] = []
    for name, first in systems.items():
        end = min(until or now, now)
        window = Period(min(since or first, end), end)
        times, mode_note = _time_in_mode(modes.get(name, []), window)
        opened = [row for row in incidents.get(name, []) if window.holds(row[0])]
        failure, changes, failed = _change_failure(configs.get(name, []), window)
        by_system.append(
            Statistics(
                system=name,
                window=window,
                time_in_mode=times,
                mode_note=mode_note,
                detect=_detect(opened, fired.get(name, [])),
                restore=_restore(opened, window),
                change_failure=failure,
                changes=changes,
                failed_changes=failed,
                rollbacks=_rollbacks(rollbacks.get(name, []), window),
            )
        )
    return by_system


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _by_system(rows: Iterable[Row]) -> Mapping[str, list[Row]]:
    grouped: dict[str, list[Row]] = {}
    for name, *rest in rows:
        grouped.setdefault(name, []).append(tuple(rest))
    return grouped


def _time_in_mode(
    stays: Sequence[Row], window: Period
) -> tuple[tuple[TimeInMode, ...], str | None]:
    seconds: dict[tuple[str, str | None], list[float]] = {}
    set_back = 0
    for mode, kind, since, until, was_set_back in stays:
        begin, end = max(since, window.since), min(until or window.until, window.until)
        set_back += was_set_back and window.holds(since)
        if begin < end:
            seconds.setdefault((mode, kind), []).append((end - begin).total_seconds())
    whole = sum(map(sum, seconds.values()))
    if not whole:
        return (), "no mode was recorded for any of this time"
    times = [
        TimeInMode(mode, kind, sum(spans), sum(spans) / whole, len(spans))
        for (mode, kind), spans in seconds.items()
    ]
    unknown = (window.until - window.since).total_seconds() - whole
    notes = [f"no mode was recorded for {int(unknown)} s"] if unknown >= 1 else []
    if set_back:
        notes.append(
            f"the clock was set back before {set_back} of the switches: each counts from the one before it"
        )
    return tuple(sorted(times, key=lambda each: -each.seconds)), "; ".join(notes) or None


def _detect(incidents: Sequence[Row], fired: Sequence[Row]) -> Number:
    """From when the condition began to hold, by the rule's own clock, until the incident was opened."""
    positions: dict[str, list[int]] = {}
    begun: dict[str, list[str | None]] = {}
    for alert, position, active_since in fired:
        positions.setdefault(alert, []).append(position)
        begun.setdefault(alert, []).append(active_since)
    spans: list[float] = []
    for opened, _, alert, position, _ in incidents:
        # The firing that opened it stands just before it in the log.
        index = bisect_left(positions.get(alert, []), position) - 1
        since = begun[alert][index] if index >= 0 else None
        if since is not None:
            spans.append((opened - datetime.fromisoformat(since)).total_seconds())
    return _mean(
        spans,
        len(incidents),
        none="no incident was opened",
        unknown="raised by hand: nothing says since when",
    )


def _restore(incidents: Sequence[Row], window: Period) -> Number:
    """From the opening until somebody wrote that it was mitigated or resolved, whichever came first.

    An incident that a rollback opened, when it had mended what nobody had reported, began nobody knows when.
    """
    begun = [
        (opened, restored) for opened, restored, *_, by_rollback in incidents if not by_rollback
    ]
    spans = [
        (restored - opened).total_seconds()
        for opened, restored in begun
        if restored is not None and restored < window.until
    ]
    unknown = len(incidents) - len(begun)
    return _mean(
        spans,
        len(incidents),
        none="no incident was opened",
        unknown="not mitigated or resolved by then",
        others=(unknown, "opened by the rollback that mended it: nothing says since when"),
    )


def _mean(
    spans: Sequence[float],
    cases: int,
    *,
    none: str,
    unknown: str,
    others: tuple[int, str] = (0, ""),
) -> Number:
    good = [span for span in spans if span >= 0]
    notes: list[str] = []
    count, why = others
    if count:
        notes.append(f"{count} of {cases} incidents: {why}")
    if cases > len(spans) + count:
        notes.append(f"{cases - len(spans) - count} of {cases} incidents: {unknown}")
    if len(spans) > len(good):
        notes.append(
            f"{len(spans) - len(good)} of {cases} incidents: its times contradict each other"
        )
    note = "; ".join(notes) or None
    if not good:
        return Number(None, 0, note or none)
    return Number(sum(good) / len(good), len(good), note)


def _change_failure(events: Sequence[Row], window: Period) -> tuple[Number, int, int]:
    """The share of changes that had to be taken back: rolled back from, or quarantined."""
    by_then = [row for row in events if row[4] < window.until]
    applied = [row for row in by_then if row[0] == "ConfigApplied"]
    quarantined = [(row[1], row[4]) for row in by_then if row[0] == "FingerprintQuarantined"]
    changes = failed = 0
    for number, (_, fingerprint, previous, cause, at) in enumerate(applied):
        if cause not in CHANGES or previous in (None, fingerprint) or at < window.since:
            continue
        changes += 1
        following = applied[number + 1] if number + 1 < len(applied) else None
        rolled_back = following is not None and following[3] == "rollback"
        banned = any(bad == fingerprint and when >= at for bad, when in quarantined)
        failed += rolled_back or banned
    if not changes:
        return Number(None, 0, "no change was applied"), 0, 0
    return Number(failed / changes, changes), changes, failed


def _rollbacks(rows: Sequence[Row], window: Period) -> tuple[Rollbacks, ...]:
    causes: dict[str, list[str]] = {}
    for actor, kind, status, requested, ended in rows:
        if window.holds(requested):
            cause = f"rule {actor}" if kind == "rule" else str(kind)
            over = ended is not None and ended < window.until
            causes.setdefault(cause, []).append(status if over else "open")
    counted = [
        Rollbacks(
            cause,
            len(ends),
            ends.count("completed"),
            ends.count("abandoned"),
            len(ends) - ends.count("completed") - ends.count("abandoned"),
        )
        for cause, ends in causes.items()
    ]
    return tuple(sorted(counted, key=lambda each: (-each.count, each.cause)))
