"""What all parts of a system's state are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

import msgspec

Value = TypeVar("Value")
Part = TypeVar("Part", bound=msgspec.Struct)


def part_of(kind: type[Part], data: Mapping[str, Any], /, **envelope: Any) -> Part:
    """Return the part of a state that an event's ``data`` hold, with what its ``envelope`` adds.

    What the part has no field for is left out.

    Raises:
        msgspec.ValidationError: the data is not what the event's model says.
    """
    return msgspec.convert({**data, **envelope}, kind)


class StatePart(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of a state: frozen, and written as JSON like the event's data that it was made of.

    A field whose default is None is left out while it is None, as in events; one that is `written` never is.
    """

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Return the part that an event's ``data`` holds; what the part has no field for is left out.

        Raises:
            msgspec.ValidationError: the data is not what the event's model says.
        """
        return msgspec.convert(data, cls)

    def to_json(self) -> dict[str, Any]:
        """Return the part as JSON-ready data."""
        data: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        return data


def written(default: Value) -> Value:
    """Return the default of a field that is written even where it holds the default."""
    field: Value = msgspec.field(default_factory=lambda: default)
    return field
