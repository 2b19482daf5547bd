"""One example of each event type and version, frozen: what was recorded once is readable for ever (I3)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from ledger.domain.events import Event, catalogue
from ledger.domain.log import canonical, upcast

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors/events.json").read_bytes()
)
BY_VERSION = {(vector["type"], vector["version"]): vector for vector in VECTORS}


def named(vector: dict[str, Any]) -> str:
    return f"{vector['type']}-{vector['version']}"


def read(model: type[Event], data: dict[str, Any]) -> Event:
    return model.model_validate_json(json.dumps(data))


def test_every_type_and_version_has_one_example() -> None:
    """A new event type or version is not finished until its example stands in events.json."""
    expected = {
        (name, version)
        for name, model in catalogue().items()
        for version in range(1, model.version + 1)
    }
    assert len(BY_VERSION) == len(VECTORS)
    assert set(BY_VERSION) == expected


@pytest.mark.parametrize("vector", VECTORS, ids=named)
def test_the_bytes_are_those_of_rfc_8785(vector: dict[str, Any]) -> None:
    """I3: our encoder, the reference encoder and the frozen text agree."""
    body = vector["body"].encode()
    decoded = canonical.decode(body)
    assert decoded["data"] == vector["data"]
    assert canonical.encode(decoded) == body
    assert rfc8785.dumps(decoded) == body


@pytest.mark.parametrize("vector", VECTORS, ids=named)
def test_what_was_recorded_is_read(vector: dict[str, Any]) -> None:
    """An old payload becomes one that today's model accepts, and today's model writes it the same."""
    model = catalogue()[vector["type"]]
    data = upcast.upcast(vector["type"], vector["version"], vector["data"])
    event = read(model, data)
    assert event.payload() == data
    if vector["version"] == model.version:
        assert event.payload() == vector["data"]


@pytest.mark.parametrize("vector", VECTORS, ids=named)
def test_every_field_is_in_some_example(vector: dict[str, Any]) -> None:
    """An example that leaves fields out freezes nothing about them."""
    model = catalogue()[vector["type"]]
    shown = set().union(*(v["data"] for v in VECTORS if v["type"] == vector["type"]))
    # What qualifies a pause is given only where there is one.
    assert set(model.model_fields) - shown <= {"from_kind", "to_kind"}


def test_upcasting_goes_one_version_at_a_time() -> None:
    """A payload of version 1 passes every step up to the newest, in order."""
    steps: dict[tuple[str, int], Any] = {
        ("Thing", 1): lambda data: {**data, "two": True},
        ("Thing", 2): lambda data: {**data, "three": data["two"]},
    }
    assert upcast.upcast("Thing", 1, {}, steps) == {"two": True, "three": True}
    assert upcast.upcast("Thing", 2, {"two": False}, steps) == {"two": False, "three": False}
    assert upcast.upcast("Thing", 3, {"x": 1}, steps) == {"x": 1}
    assert upcast.upcast("Other", 1, {"x": 1}, steps) == {"x": 1}


def test_every_upcaster_leads_to_the_version_that_is_written() -> None:
    """A gap in the steps would leave an old payload half way."""
    for name, model in catalogue().items():
        for version in range(1, model.version):
            assert (name, version) in upcast.UPCASTERS
    assert all(name in catalogue() for name, _ in upcast.UPCASTERS)
