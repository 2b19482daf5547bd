"""Recorded metrics: written in batches on a stream of their own, read back by time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from ledger.domain.events import MetricsRecorded, Sample
from ledger.domain.log.envelope import NewEvent, Recorded
from ledger.domain.log.ids import metrics_stream
from ledger.domain.values.moments import shifted
from ledger.metrics.sources import Measured
from ledger.metrics.specs import NAME_PATTERN
from ledger.service.core.recorder import Origin, Recorder
from ledger.store.base import EventStore

WATCH_UP: Final = "rollout_watch_up"
"""A series of our own: one sample for each round of a watch, recorded after what that round saw."""
SAMPLES_AT_ONCE: Final = 1000
CLOCKS_APART: Final = timedelta(minutes=5)
"""A source's clock may run ahead of the database's by this much."""


def prepared(
    recorder: Recorder,
    system: str,
    measured: Iterable[Measured],
    origin: Origin,
    *,
    spooled: bool = False,
) -> list[NewEvent]:
    """Return the events that record ``measured``: one for each moment, or several where it has many."""
    made: list[NewEvent] = []
    by_time = sorted(measured, key=lambda one: one.at)
    for moment, group in groupby(by_time, key=lambda one: one.at):
        samples = [
            Sample(metric=one.metric, value=one.value, labels=dict(one.labels)) for one in group
        ]
        made += [
            recorder.prepare(
                MetricsRecorded(samples=tuple(samples[start : start + SAMPLES_AT_ONCE])),
                origin,
                stream=metrics_stream(system),
                system=system,
                occurred_at=moment,
                spooled=spooled,
            )
            for start in range(0, len(samples), SAMPLES_AT_ONCE)
        ]
    return made


def checked(measured: Measured) -> Measured:
    """Return ``measured`` if it can be recorded.

    Raises:
        ValueError: its value is no decimal text (pydantic's ValidationError is one), or no rule could
            name it.
    """
    if re.fullmatch(NAME_PATTERN, measured.metric) is None:
        raise ValueError(
            f"{measured.metric!r} is no name of a metric: letters, digits, _ and :, no digit first"
        )
    Sample(metric=measured.metric, value=measured.value, labels=dict(measured.labels))
    return measured


def record(recorder: Recorder, system: str, measured: Iterable[Measured], origin: Origin) -> int:
    """Record ``measured``; return how many events that were."""
    made = prepared(recorder, system, measured, origin)
    if made:
        recorder.append(made)
    return len(made)


def read_samples(
    store: EventStore, system: str, since: datetime, until: datetime
) -> Iterator[Measured]:
    """Yield what was measured in [since, until], as it was recorded.

    What was recorded before ``since`` was measured before, so the stream is entered there, and what the log
    held before costs nothing. A rehearsal may be ahead of the database's clock: its own one counts then.
    """
    stream = metrics_stream(system)
    first = store.first_revision_since(stream, shifted(since, -CLOCKS_APART))
    for event in store.read_stream(stream, first - 1):
        if since <= event.occurred_at <= until:
            yield from _measured_in(event)


def read_after(
    store: EventStore, system: str, revision: int | None, now: datetime
) -> tuple[list[Measured], int]:
    """Return what anybody recorded after ``revision`` of the stream, and its revision now.

    None: where that is not known, of the last minutes.
    """
    stream = metrics_stream(system)
    if revision is None:
        revision = store.first_revision_since(stream, now - CLOCKS_APART) - 1
    samples: list[Measured] = []
    for event in store.read_stream(stream, revision):
        revision = event.revision
        samples += _measured_in(event)
    return samples, revision


def _measured_in(event: Recorded) -> Iterator[Measured]:
    for one in event.data["samples"]:
        yield Measured(one["metric"], one.get("labels", {}), one["value"], event.occurred_at)


def newest(
    store: EventStore, system: str, metric: str, labels: Mapping[str, str], since: datetime
) -> Measured | None:
    """Return the newest value of ``metric`` since then, of a series that has those labels among its own."""
    newest_sample: Measured | None = None
    for one in read_samples(store, system, since, datetime.max.replace(tzinfo=since.tzinfo)):
        if one.metric == metric and labels.items() <= one.labels.items():
            newest_sample = one
    return newest_sample
