"""Where to look for metrics of a time: the times that each 64 records of a metrics stream span.

The samples themselves stay in the log; three fifths of it are samples, and nobody asks for most of
them. Filled by the database itself, without a body being read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, LiteralString

import orjson

from projections.core.base import Db, Part, Projection, Step

BLOCK: Final = 64
"""Revisions a block; the query below has it too."""


class MetricBlocks(Projection):
    """One row for each 64 revisions of a system's metrics stream."""

    name = "metric_blocks"
    version = 1
    tables = ("metric_block",)
    definition = """
        CREATE TABLE metric_block (
            system        text         NOT NULL,
            block         bigint       NOT NULL,
            occurred_min  timestamptz  NOT NULL,
            occurred_max  timestamptz  NOT NULL,
            CONSTRAINT metric_block_pk PRIMARY KEY (system, block)
        );
        COMMENT ON TABLE metric_block IS 'Times spanned by revisions 64*block+1 to 64*block+64 of a '
            'metrics stream.';
    """

    def apply(self, step: Step) -> None:
        """Nothing: `write` reads the log itself."""

    def write(self, db: Db, part: Part) -> None:
        """Add what the part's metrics span, and have the incidents that they fall into looked at again."""
        db.execute(_FILL, part.values)


# The condition on the part is `IN_PART`.
_FILL: Final[LiteralString] = """
    WITH seen AS MATERIALIZED (
        SELECT substr(stream, length('metrics:') + 1) AS system, (revision - 1) / 64 AS block,
               min(occurred_at) AS occurred_min, max(occurred_at) AS occurred_max
            FROM ledger.event
            WHERE position > %s AND position <= %s AND hashtext(stream) & %s = %s
                AND type = 'MetricsRecorded' AND starts_with(stream, 'metrics:')
            GROUP BY 1, 2
    ), kept AS (
        INSERT INTO metric_block AS m SELECT * FROM seen
            ON CONFLICT (system, block) DO UPDATE
                SET occurred_min = least(m.occurred_min, EXCLUDED.occurred_min),
                    occurred_max = greatest(m.occurred_max, EXCLUDED.occurred_max)
    )
    UPDATE incident AS i SET stale = true
        FROM seen AS s
        WHERE s.system = i.system AND NOT i.stale
            AND s.occurred_min < i.window_until AND s.occurred_max >= i.window_from
"""


def runs_of(blocks: Iterable[int]) -> list[tuple[int, int]]:
    """Return the runs of blocks that follow one another, as (first, last)."""
    runs: list[tuple[int, int]] = []
    for block in blocks:
        if runs and block == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], block)
        else:
            runs.append((block, block))
    return runs


def labels_text(labels: Iterable[tuple[str, str]]) -> str:
    """Return labels as Prometheus writes them: ``slice="tokyo",symbol="BTCUSDT"``."""
    return ",".join(f"{name}={orjson.dumps(value).decode()}" for name, value in labels)


def series_name(metric: str, labels: Iterable[tuple[str, str]]) -> str:
    """Return a series as Prometheus writes it: ``latency_ms{quantile="0.95"}``."""
    shown = labels_text(labels)
    return f"{metric}{{{shown}}}" if shown else metric
