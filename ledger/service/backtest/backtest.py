"""What rules would have done: put to what was recorded, in the mode and the phase of each moment."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from ledger.alerts.rules import AlertRule, RecordingRule
from ledger.alerts.series import SeriesStore
from ledger.domain.errors import BadInput
from ledger.domain.evolve import evolve
from ledger.domain.log.ids import control_stream
from ledger.domain.state import SystemState
from ledger.domain.values.moments import iso
from ledger.service.backtest.replay import Replay, Step, reach_of
from ledger.service.core import sampling
from ledger.store.base import EventStore


def replayed(
    store: EventStore,
    system: str,
    rules: Sequence[AlertRule],
    recordings: Sequence[RecordingRule],
    *,
    start: datetime,
    end: datetime,
    interval: timedelta,
) -> Iterator[Step]:
    """Yield what ``rules`` would have done in [start, end], looking every ``interval``; records nothing.

    Raises:
        BadInput: the end lies before the start, or nobody would ever look.
    """
    if end < start:
        raise BadInput(
            f"The replay would end ({iso(end)}) before it begins ({iso(start)}).",
            hint="--from takes the earlier time, --to the later one.",
        )
    if interval <= timedelta(0):
        raise BadInput("A replay looks now and then, not every 0s.", hint="--every 15s")
    series = SeriesStore()
    reach, before = timedelta(seconds=reach_of(rules)), timedelta(seconds=reach_of(recordings))
    again = {rule.name for rule in recordings}  # not what was recorded of them: what they say now
    for one in sampling.read_samples(store, system, start - reach - before, end):
        if one.metric not in again:
            series.add(one.metric, one.labels, one.at.timestamp(), one.number)
    then = _Then(store, system)
    replay = Replay(rules, recordings, series, interval, own_series=True)
    replay.warm_up(start - reach, start)
    at = start
    while at <= end:
        yield from replay.look(at, then.facts(at))
        at += interval


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
        index = bisect_right(self._times, at)
        return self._facts[index - 1] if index else self._before


def _facts(state: SystemState) -> dict[str, str]:
    return {
        "mode": state.mode or "mock",
        "phase": state.phase_name or "",
        "environment": state.environment or "",
    }
