"""The catalogue of events: what may stand in a log that can't be changed."""

from __future__ import annotations

import re
import types
import typing
from typing import Any

from pydantic import BaseModel

from ledger.domain.events import catalogue
from ledger.domain.log import event

# ModeSwitched, ModeSwitchUnconfirmed, FingerprintMarkedStable.
PAST = re.compile(r"(ed|Begun|Given|Held|Pending|Put|Found|Taken)([A-Z]|$)")


def _types_in(annotation: Any) -> set[Any]:
    """Return every type that an annotation names, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}.union(
            *(_types_in(f.annotation) for f in annotation.model_fields.values())
        )
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Literal:
        return {type(argument) for argument in arguments}
    if not arguments or (isinstance(annotation, types.GenericAlias) and arguments == ((),)):
        return {annotation}
    return set().union(*(_types_in(argument) for argument in arguments))


def test_no_event_holds_a_float() -> None:
    """I3: a float's text depends on the encoder; measured values are decimal text."""
    for name, model in catalogue().items():
        assert _types_in(model).isdisjoint({float, complex, Any}), (
            f"{name} holds a float or anything"
        )


def test_a_float_would_be_seen() -> None:
    """The test above can fail: a float two levels down is found."""

    class Inner(event.Part):
        value: tuple[float, ...] | None = None

    class Outer(event.Event):
        inner: dict[str, Inner]

    assert float in _types_in(Outer)


def test_names_are_in_the_past_tense() -> None:
    """An event states what happened; a wish is a command."""
    assert [name for name in catalogue() if not PAST.search(name)] == []


def test_schema_versions_count_from_one() -> None:
    """A version is a positive whole number, and is raised with an upcaster."""
    assert all(type(model.version) is int and model.version >= 1 for model in catalogue().values())


def test_events_are_closed_and_frozen() -> None:
    """Nothing slips into an event, and nothing is coerced: what was checked is what is stored."""
    for name, model in catalogue().items():
        for part in {found for found in _types_in(model) if isinstance(found, type)}:
            if issubclass(part, BaseModel):
                settings = part.model_config
                closed = (settings.get("extra"), settings.get("frozen"), settings.get("strict"))
                assert closed == ("forbid", True, True), f"{part.__name__} in {name}"


def test_every_event_of_the_modules_is_in_the_catalogue() -> None:
    """I3: an event that is written must be readable by name."""
    catalogue()
    defined = {
        model.__name__ for model in _below(event.Event) if model.__module__.startswith("ledger.")
    }
    assert defined == catalogue().keys()


def _below(model: type[event.Event]) -> set[type[event.Event]]:
    return set(model.__subclasses__()).union(*(_below(child) for child in model.__subclasses__()))
