"""However the log was cut into parts: the same read model, the same bytes, the same past (I7)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import count, pairwise

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ledger.domain.evolve import fold
from ledger.domain.log.ids import control_stream
from ledger.domain.state import SystemState, decode
from ledger.store.postgres import PostgresStore
from projections.engine import rebuild, runner
from projections.engine.runner import Projector
from projections.engine.verify import verify
from projections.models import system_state
from projections.models.incidents import export, export_sha256
from projections.queries.as_of import Moment, state_at
from tests.support.builders import NOON
from tests.support.histories import history
from tests.support.readmodel import contents, projector

numbers = count(1)


@pytest.fixture
def model(
    embedded_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[PostgresStore, Projector]]:
    """A ledger and its read model, cut so small that thirty events cross every border there is."""
    monkeypatch.setattr(system_state, "SNAPSHOT_EVERY", 3)
    monkeypatch.setattr(rebuild, "PART", 7)
    store = PostgresStore(embedded_dsn)
    with projector(embedded_dsn) as made:
        yield store, made
    store.close()


# The ledger can't be reset, and need not be: what holds must hold for one that grows.
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_live_in_any_split_is_what_a_rebuild_gives(
    model: tuple[PostgresStore, Projector], data: st.DataObject
) -> None:
    """I7: applied as it came, in parts of any size, against a fold of all of it from position 1.

    The ledger grows from example to example, each with systems of its own.
    """
    store, made = model
    number = next(numbers)
    systems = [f"bot-{number}", f"bot-{number}", f"arb/{number}"]
    events = data.draw(history(systems, least=20, most=60))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(events)), max_size=4)) | {0, len(events)})
    runner_part = data.draw(st.sampled_from([1, 3, 8]))
    for first, last in pairwise(cuts):
        store.append(events[first:last])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runner, "LIVE_PART", runner_part)
            assert made.catch_up() == store.head().position
    checked = verify(made)
    assert checked.differences == []
    assert checked.incidents_json == export(made.db)
    live = contents(made)
    made.rebuild()
    assert contents(made) == live
    assert export(made.db) == checked.incidents_json
    _same_past(store, made, systems, data)


def _same_past(
    store: PostgresStore, made: Projector, systems: list[str], data: st.DataObject
) -> None:
    """The state as of any moment is the fold of what stood, or had occurred, by then."""
    end = store.head().position
    for system in sorted(set(systems)):
        whole = list(store.read_stream(control_stream(system)))
        if not whole:
            continue
        nothing = SystemState(system)
        row = made.db.execute(
            "SELECT state FROM readmodel.system_state WHERE system = %s", (system,)
        ).fetchone()
        assert row is not None
        assert decode(row[0]) == fold(whole, nothing)
        # A share, since what is drawn from must not hang on what the ledger holds already.
        share = data.draw(st.integers(0, 100))
        position = whole[0].position + (end - whole[0].position) * share // 100
        by_position = fold((e for e in whole if e.position <= position), nothing)
        assert state_at(made.db, system, Moment(position=position)) == by_position
        earliest = min(e.occurred_at for e in whole)
        time = max(earliest, NOON + timedelta(seconds=data.draw(st.integers(-700, 700))))
        by_time = fold((e for e in whole if e.occurred_at <= time), nothing)
        assert state_at(made.db, system, Moment(time=time)) == by_time
        recorded = whole[-1].recorded_at
        by_recorded = fold((e for e in whole if e.recorded_at <= recorded), nothing)
        assert state_at(made.db, system, Moment(time=recorded, clock="recorded")) == by_recorded


def test_the_digest_that_is_kept_is_of_the_bytes_that_are_exported(
    model: tuple[PostgresStore, Projector],
) -> None:
    """I7: by it a command knows whether the file in the home is up to date."""
    import hashlib

    _, made = model
    made.catch_up()
    assert export_sha256(made.db) == hashlib.sha256(export(made.db)).hexdigest()
