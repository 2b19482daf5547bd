"""Whatever the log holds, and however an archive was cut into ranges: the same rows come back (I3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ledger.clock import SystemClock
from ledger.domain.log.ids import Actor, ActorKind
from ledger.store.postgres import PostgresStore
from projections.archive import layout
from projections.archive.seal import Provenance, export
from projections.archive.verify import verify
from tests.support.audit import COLUMNS, of_the_log
from tests.support.builders import an_event

numbers = count(1)
WHO = Provenance(Actor("ann", "Ann", ActorKind.HUMAN), SystemClock(), "0", "0001")
MOMENTS = st.integers(0, 130 * 365 * 86_400 * 10**6).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)
TEXTS = st.text(
    st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=20
)
SYSTEMS = st.sampled_from(
    ["bot", "grid/btcusdt", "Not A Name", "../../etc", "a" * 101, 7, None, "__x"]
)
EVENTS = st.builds(
    lambda stream, type_, moment, version, raw, system, note: an_event(
        stream, type_=type_, occurred_at=moment, schema_version=version, body=raw,
        note=note,
    ) if raw is not None else _about(system, stream, type_, moment, note),
    TEXTS, TEXTS, MOMENTS, st.integers(1, 2**31 - 1), st.none() | st.binary(max_size=40), SYSTEMS, TEXTS,
)  # fmt: skip


def _about(system: Any, stream: str, type_: str, moment: datetime, note: str) -> Any:
    body = {
        "actor": {"id": "a", "kind": "human", "name": "a"},
        "data": {"note": note},
        "system": system,
    }
    return an_event(stream, type_=type_, occurred_at=moment, body=orjson.dumps(body))


def rows_of(path: Path) -> list[tuple[Any, ...]]:
    """Return what any reader of Parquet finds in an archive, in order of position."""
    with duckdb.connect() as connection:
        return connection.execute(
            f"SELECT {COLUMNS} FROM read_parquet('{path}/range=*/system=*/day=*/events.parquet', "
            "hive_partitioning = false) ORDER BY position"
        ).fetchall()


@pytest.mark.timeout(300)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(EVENTS, min_size=1, max_size=6), min_size=1, max_size=3))
def test_what_went_in_comes_out(
    embedded_dsn: str, tmp_path: Path, batches: list[list[Any]]
) -> None:
    """I3: to the byte, whatever a body or a name holds; and all of it verifies."""
    path = tmp_path / f"archive{next(numbers)}"
    store = PostgresStore(embedded_dsn)
    for batch in batches:
        store.append(batch)
        export(embedded_dsn, path, WHO)
    head = store.head()
    store.close()
    assert rows_of(path) == of_the_log(embedded_dsn)
    report = verify(path)
    assert report.problem is None
    assert (report.last, report.chain) == (head.position, head.chain.hex())
    assert list(layout.strangers(layout.read(path))) == []
    assert not (tmp_path.parent / "etc").exists()


def test_days_are_those_of_recording(embedded_dsn: str, tmp_path: Path) -> None:
    """A past that is imported lies under the day of its import, so that a sealed day never grows late."""
    store = PostgresStore(embedded_dsn)
    long_ago = datetime(2001, 2, 3, tzinfo=UTC)
    store.append([an_event(occurred_at=long_ago + timedelta(days=day)) for day in range(5)])
    recorded = store.head().recorded_at
    store.close()
    export(embedded_dsn, tmp_path / "archive", WHO)
    days = {path.name for path in (tmp_path / "archive").glob("range=*/system=*/day=*")}
    assert recorded is not None
    assert days == {f"day={recorded:%Y-%m-%d}"}
