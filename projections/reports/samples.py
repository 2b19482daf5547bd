"""Recorded metrics of a time, series by series, and what is to be said of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final, LiteralString, TypeAlias

import orjson

from ledger.alerts.series import SeriesStore
from ledger.domain.log.ids import metrics_stream
from ledger.domain.log.upcast import upcast
from projections.core.base import Db
from projections.models.metric_blocks import BLOCK, labels_text, runs_of, series_name
from projections.reports import figures
from projections.reports.figures import Figure

Labels: TypeAlias = tuple[tuple[str, str], ...]
HOLE: Final = timedelta(minutes=5)
"""Samples further apart leave a hole: that time was not observed."""

_BLOCKS: Final[LiteralString] = (
    "SELECT block FROM readmodel.metric_block WHERE system = %s AND occurred_min <= %s "
    "AND occurred_max >= %s ORDER BY block"
)
_RECORDED: Final[LiteralString] = (
    "SELECT occurred_at, position, schema_version, body FROM ledger.event "
    "WHERE stream = %s AND revision > %s AND revision <= %s AND occurred_at >= %s "
    "AND occurred_at <= %s AND type = 'MetricsRecorded' ORDER BY revision"
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured value, as it was recorded."""

    at: datetime
    position: int
    metric: str
    labels: Labels
    value: str


@dataclass(slots=True)
class Series:
    """The samples of one series, by time."""

    metric: str
    labels: Labels
    samples: list[Sample] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Return it as Prometheus writes it: ``ece``, ``slice_auc{slice="tokyo"}``."""
        return series_name(self.metric, self.labels)

    @property
    def labels_text(self) -> str:
        """Return ``slice="tokyo",symbol="BTCUSDT"``."""
        return labels_text(self.labels)

    @property
    def numbers(self) -> list[tuple[datetime, Decimal]]:
        """Return times and values, without those that are no numbers."""
        pairs = ((sample.at, figures.finite(sample.value)) for sample in self.samples)
        return [(at, value) for at, value in pairs if value is not None]


@dataclass(frozen=True, slots=True)
class Summary:
    """What is said of one series."""

    series: Series
    samples: int
    first_at: datetime | None
    last_at: datetime | None
    mean: Figure
    low: Figure
    high: Figure
    last: Figure


def read(db: Db, system: str, since: datetime, until: datetime) -> Iterator[Sample]:
    """Yield what was measured in [since, until], as it was recorded; the read model has caught up."""
    stream = metrics_stream(system)
    blocks = [row[0] for row in db.execute(_BLOCKS, (system, until, since)).fetchall()]
    with db.cursor(binary=True) as cursor:
        for first, last in runs_of(blocks):
            values = (stream, first * BLOCK, (last + 1) * BLOCK, since, until)
            for at, position, version, body in cursor.execute(_RECORDED, values):
                data = upcast("MetricsRecorded", version, orjson.loads(body)["data"])
                for one in data["samples"]:
                    labels = tuple(sorted(one.get("labels", {}).items()))
                    yield Sample(at, position, one["metric"], labels, one["value"])


def by_series(samples: Iterator[Sample]) -> dict[tuple[str, Labels], Series]:
    """Return the samples by series, in the order of their names; each series in the order of time."""
    series_by_key: dict[tuple[str, Labels], Series] = {}
    for sample in samples:
        key = (sample.metric, sample.labels)
        series_by_key.setdefault(key, Series(*key)).samples.append(sample)
    for series in series_by_key.values():
        series.samples.sort(key=lambda sample: (sample.at, sample.position))
    return dict(sorted(series_by_key.items()))


def summary(series: Series) -> Summary:
    """Return what is to be said of ``series``."""
    values = [value for _, value in series.numbers]
    nothing = figures.absent("no_samples", metric=series.name)
    samples = series.samples
    return Summary(
        series,
        len(samples),
        samples[0].at if samples else None,
        samples[-1].at if samples else None,
        figures.mean(values, "no_samples", metric=series.name),
        Figure(min(values)) if values else nothing,
        Figure(max(values)) if values else nothing,
        Figure(values[-1]) if values else nothing,
    )


def observed_seconds(times: Sequence[datetime], since: datetime, until: datetime) -> int:
    """Return for how many seconds of [since, until] there were samples, holes left out."""
    if not times:
        return 0
    spans = (later - earlier for earlier, later in pairwise([since, *times, until]))
    return int(sum((span for span in spans if span <= HOLE), timedelta(0)).total_seconds())


def store_of(series: Mapping[tuple[str, Labels], Series]) -> SeriesStore:
    """Return the samples as alert expressions are evaluated over them."""
    store = SeriesStore()
    for one in series.values():
        for sample in one.samples:
            store.add(one.metric, one.labels, sample.at.timestamp(), float(sample.value))
    return store
