"""What rules would have done: put to what was recorded, in the mode and the phase of each moment."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from ledger.alerts.rules import AlertRule, RecordingRule
from ledger.alerts.series import SeriesStore
from ledger.domain.errors import BadInput
from ledger.domain.evolve import evolve
from ledger.domain.log.ids import control_stream
from ledger.domain.state import SystemState
from ledger.domain.values.moments import iso
from ledger.metrics.sources import Measured
from ledger.profiles.model import Watch
from ledger.service.backtest.replay import Replay, Step, reach_of
from ledger.service.core import sampling
from ledger.service.core.sampling import WATCH_UP
from ledger.store.base import EventStore


def replayed(
    store: EventStore,
    system: str,
    rules: Sequence[AlertRule],
    recordings: Sequence[RecordingRule],
    *,
    start: datetime,
    end: datetime,
    watch: Watch,
    every: timedelta | None = None,
) -> Iterator[Step]:
    """Yield what ``rules`` would have done in [start, end]; records nothing.

    They look when the watch of those days looked, at what was recorded by then: with the plan's rules that
    gives what the watch did. Where nobody watched, or with ``every``, they look regularly, and see what was
    recorded late at the time that it is of.

    Raises:
        BadInput: the end lies before the start, or nobody would ever look.
    """
    if end < start:
        raise BadInput(
            f"The replay would end ({iso(end)}) before it begins ({iso(start)}).",
            hint="--from takes the earlier time, --to the later one.",
        )
    if every is not None and every <= timedelta(0):
        raise BadInput("A replay looks now and then, not every 0s.", hint="--every 15s")
    interval = every or watch.interval
    reach, before = timedelta(seconds=reach_of(rules)), timedelta(seconds=reach_of(recordings))
    then = _Then(store, system)
    series = SeriesStore()
    replay = Replay(rules, recordings, series, interval, own_series=True, lookback=watch.lookback)
    again = {rule.name for rule in recordings}  # not what was recorded of them: what they say now
    samples = (
        one
        for one in sampling.read_samples(store, system, start - reach - before, end)
        if one.metric not in again
    )
    watched = any(
        one.metric == WATCH_UP for one in sampling.read_samples(store, system, start, end)
    )
    if every is None and watched:
        yield from _as_watched(replay, series, samples, start, then)
        return
    for one in samples:
        series.add(one.metric, one.labels, one.at.timestamp(), one.number)
    replay.warm_up(start - reach, start)
    at = start
    while at <= end:
        yield from replay.look(at, then.facts(at))
        at += interval


def _as_watched(
    replay: Replay,
    series: SeriesStore,
    samples: Iterable[Measured],
    start: datetime,
    then: _Then,
) -> Iterator[Step]:
    """Yield what happens at each look of the watch, which recorded it after what it saw."""
    for one in samples:
        if one.metric == WATCH_UP:
            if one.at >= start:
                yield from replay.look(one.at, then.facts_before(one.at))
            else:
                replay.look_before(one.at)
        series.add(one.metric, one.labels, one.at.timestamp(), one.number)


class _Then:
    """The mode, the phase and the environment of a system at any moment that has passed."""

    def __init__(self, store: EventStore, system: str) -> None:
        state = SystemState(system)
        changes: list[tuple[datetime, dict[str, str]]] = []
        for event in store.read_stream(control_stream(system)):
            state = evolve(state, event)
            facts = _facts(state)
            if not changes or facts != changes[-1][1]:
                changes.append((event.occurred_at, facts))
        changes.sort(key=lambda change: change[0])
        self._times = [at for at, _ in changes]
        self._facts = [facts for _, facts in changes]
        self._before = _facts(SystemState(system))

    def facts(self, at: datetime) -> Mapping[str, str]:
        """Return what ``rollout_applies_in`` goes by."""
        return self._facts_at(bisect_right(self._times, at))

    def facts_before(self, at: datetime) -> Mapping[str, str]:
        """Return the same as a look of the watch at that moment had it: before what came of the look."""
        return self._facts_at(bisect_left(self._times, at))

    def _facts_at(self, index: int) -> Mapping[str, str]:
        return self._facts[index - 1] if index else self._before


def _facts(state: SystemState) -> dict[str, str]:
    return {
        "mode": state.mode or "mock",
        "phase": state.phase_name or "",
        "environment": state.environment or "",
    }
