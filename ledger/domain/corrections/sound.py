"""Whether an event's data are what its type promises: asked where something could not be made of them."""

from __future__ import annotations

from pydantic import ValidationError

from ledger.domain.events import catalogue
from ledger.domain.log import canonical
from ledger.domain.log.envelope import Recorded
from ledger.domain.log.unreadable import readable, stand_in


def sound(event: Recorded) -> Recorded:
    """Return the event, or what stands in for it where it is not what its type promises."""
    event = readable(event)
    model = catalogue().get(event.type)
    try:
        if model is not None:
            _ = model.model_validate_json(canonical.encode(dict(event.data)))
    except ValidationError as problem:
        return stand_in(event, problem)
    return event
