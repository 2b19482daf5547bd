"""What the metrics were before and after what was done about an incident."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Context, Decimal
from typing import Any, Final, LiteralString, NamedTuple

import orjson

from ledger.domain.log.upcast import upcast
from ledger.domain.values.moments import iso, shifted
from projections.core import log
from projections.core.base import Db
from projections.models.metric_blocks import BLOCK, runs_of, series_name

WINDOW_SECONDS: Final = 300
"""The declared window: so long before the action, and so long after it."""
AT_ONCE: Final = 500
"""Incidents whose samples are held in memory together."""
_EXACT: Final = Context(prec=40, traps=[])
"""No value that was once recorded may stop a projection, however large it is."""
NO_ACTION: Final = "no action was taken yet"

_UNSETTLED: Final[LiteralString] = """
    SELECT i.position, i.system, i.window_from, i.window_until, i.metrics, i.pending, i.stale,
           (i.record::jsonb #>> '{actions,0,position}')::bigint,
           array(SELECT b.block FROM metric_block AS b
               WHERE b.system = i.system AND b.occurred_min < i.window_until
                   AND b.occurred_max >= i.window_from
               ORDER BY b.block),
           newest.at
        FROM incident AS i LEFT JOIN (
            SELECT system, max(occurred_max) AS at FROM metric_block
                WHERE system IN (SELECT system FROM incident WHERE stale OR pending) GROUP BY system
        ) AS newest USING (system)
        WHERE i.stale OR i.pending ORDER BY i.position
"""
# OFFSET 0 keeps the planner from joining all of the log: one index range a run of blocks is what is meant.
_SAMPLES: Final[LiteralString] = """
    SELECT w.incident, e.* FROM unnest(
            %s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[]
        ) AS w (incident, stream, first, last, since, until)
        CROSS JOIN LATERAL (
            SELECT occurred_at, position, schema_version, body FROM ledger.event
                WHERE stream = w.stream AND revision > w.first AND revision <= w.last
                    AND occurred_at >= w.since AND occurred_at < w.until
                    AND position <= %s AND type = 'MetricsRecorded'
                ORDER BY revision OFFSET 0
        ) AS e
"""


class _Sampled(NamedTuple):
    """One record of metrics: when, where in the log, what."""

    occurred_at: datetime
    position: int
    samples: list[Mapping[str, Any]]


class _Waiting(NamedTuple):
    """An incident whose metrics are to be looked up."""

    position: int
    system: str
    since: datetime
    until: datetime
    metrics: str | None
    pending: bool
    stale: bool
    acted: int | None
    """The position of the first action; None: there was none yet."""
    blocks: list[int]
    newest: datetime | None
    """When the system was last measured; by a rehearsal's clock, that may be ahead of the database's."""


def settle(db: Db, position: int) -> bool:
    """Work out the metrics of the incidents that changed or wait. Return whether anything is new."""
    waiting = [_Waiting(*row) for row in db.execute(_UNSETTLED)]
    if not waiting:
        return False
    known_until, changed = log.recorded_at(db, position), False
    with db.cursor() as cursor:
        for first in range(0, len(waiting), AT_ONCE):
            batch = waiting[first : first + AT_ONCE]
            samples = _samples(db, batch, position)
            updates = [
                _settled(each, samples.get(each.position, []), known_until) for each in batch
            ]
            cursor.executemany(
                "UPDATE incident SET metrics = %s, pending = %s, stale = false WHERE position = %s",
                [update for update in updates if update is not None],
            )
            changed = changed or any(updates)
    return changed


def _settled(
    each: _Waiting, samples: list[_Sampled], known_until: datetime
) -> tuple[str, bool, int] | None:
    """Return what to write of an incident, or None where nothing is new."""
    pending = max(known_until, each.newest or known_until) < each.until
    compared = _before_after(samples, each.since, each.until, acted=each.acted, elapsed=not pending)
    metrics = orjson.dumps(compared).decode()
    if not each.stale and (metrics, pending) == (each.metrics, each.pending):
        return None
    return metrics, pending, each.position


def _samples(db: Db, batch: Sequence[_Waiting], up_to: int) -> dict[int, list[_Sampled]]:
    ranges = [
        (each.position, f"metrics:{each.system}", first * BLOCK, (last + 1) * BLOCK, each.since,
         each.until)
        for each in batch
        for first, last in runs_of(each.blocks)
    ]  # fmt: skip
    by_incident: dict[int, list[_Sampled]] = {}
    if ranges:
        columns = [list(column) for column in zip(*ranges, strict=True)]
        with db.cursor(binary=True) as cursor:
            for incident, occurred_at, position, version, body in cursor.execute(
                _SAMPLES, (*columns, up_to)
            ):
                data = upcast("MetricsRecorded", version, orjson.loads(body)["data"])
                by_incident.setdefault(incident, []).append(
                    _Sampled(occurred_at, position, data["samples"])
                )
    return by_incident


def _before_after(
    samples: list[_Sampled], since: datetime, until: datetime, *, acted: int | None, elapsed: bool
) -> dict[str, Any]:
    """Return ``metrics`` (None where there is nothing to say), a ``note``, and the last ``position`` used."""
    border = shifted(since, timedelta(seconds=WINDOW_SECONDS))

    def comes_before(event: _Sampled) -> bool:
        # What a rule saw and what it did may bear the same time: then the log tells which came first.
        if event.occurred_at == border and acted is not None:
            return event.position < acted
        return event.occurred_at < border

    first = [event for event in samples if comes_before(event)]
    last = [event for event in samples if not comes_before(event)] if acted and elapsed else []
    before, after = _by_metric(first), _by_metric(last)
    metrics = {
        name: {
            "before": _mean(before.get(name, [])),
            "after": _mean(after.get(name, [])),
            "window_s": WINDOW_SECONDS,
            "samples_before": len(before.get(name, [])),
            "samples_after": len(after.get(name, [])) if acted and elapsed else None,
        }
        for name in sorted(before.keys() | after.keys())
    }
    return {
        "metrics": metrics or None,
        "note": _note(until, acted=acted is not None, elapsed=elapsed, any_samples=bool(metrics)),
        "position": max((event.position for event in (*first, *last)), default=0),
    }


def _note(until: datetime, *, acted: bool, elapsed: bool, any_samples: bool) -> str | None:
    if not acted:
        return NO_ACTION
    if not elapsed:
        return f"the {WINDOW_SECONDS} s after the action end at {iso(until)}"
    return (
        None if any_samples else f"no sample was recorded within {WINDOW_SECONDS} s of the action"
    )


def _by_metric(events: Iterable[_Sampled]) -> dict[str, list[Decimal]]:
    by_name: dict[str, list[Decimal]] = {}
    for event in events:
        for sample in event.samples:
            value = _EXACT.create_decimal(sample["value"])
            if value.is_finite():
                labels: dict[str, str] = sample.get("labels") or {}
                name = series_name(sample["metric"], sorted(labels.items()))
                by_name.setdefault(name, []).append(value)
    return by_name


def _mean(values: list[Decimal]) -> float | None:
    if not values:
        return None
    total = Decimal(0)
    for value in values:
        total = _EXACT.add(total, value)
    # Twelve digits are more than anybody measured, and hide how the sum was rounded.
    mean = float(f"{_EXACT.divide(total, Decimal(len(values))):.12g}")
    return mean if math.isfinite(mean) else None
