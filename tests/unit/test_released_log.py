"""The log of the release before means today what it meant then (I3, I7; DESIGN's Upgrades)."""

from __future__ import annotations

import json
from typing import Any

from ledger.domain.events import catalogue
from ledger.domain.evolve import evolve
from ledger.domain.state import SystemState
from ledger.store.base import chain_after
from tests.support.released import TYPES, changes, checkpoint, recorded

STREAM = "system:"


def as_told(state: SystemState) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(json.dumps(state.to_json()))
    return told


def test_each_event_type_of_the_release_is_read() -> None:
    """An event type that was released never goes, and what was recorded fits today's model of it."""
    seen: set[str] = set()
    models = catalogue()
    for event in recorded():
        seen.add(event.type)
        model = models[event.type].model_validate_json(json.dumps(event.data))
        assert model.payload() == event.data, f"#{event.position} {event.type}"
    assert len(seen) == TYPES


def test_the_chain_of_the_release_is_computed_to_the_same_end() -> None:
    """I3: the layout of what is hashed is frozen."""
    chain = bytes(32)
    for event in recorded():
        chain = chain_after(chain, event)
        assert chain == event.chain, f"#{event.position}"
    assert chain.hex() == checkpoint()["chain"]


def test_each_event_changes_the_state_as_it_did_then() -> None:
    """I7: decisions rest on the fold, so an event means for ever what it meant when it was recorded."""
    meant = changes()
    states: dict[str, SystemState] = {}
    for event in recorded():
        if not event.stream.startswith(STREAM):
            continue
        system = event.stream.removeprefix(STREAM)
        before = states.get(system) or SystemState(system)
        states[system] = evolve(before, event)
        old, new = as_told(before), as_told(states[system])
        changed = {field: value for field, value in new.items() if old[field] != value}
        expected = meant.pop(event.position)
        where = f"#{event.position} {event.type}"
        assert (system, event.type) == (expected.system, expected.type), where
        assert changed == expected.changed, where
    assert meant == {}
