"""The catalogue: every kind of event, once. Past tense, schema-versioned, never a float.

A published version of a model is frozen by a golden vector (tests/vectors/events.json). To change one,
raise its ``version`` and register an upcaster in `ledger.domain.log.upcast`; what was recorded is never
rewritten. Numbers that are measured are decimal text, so that no encoder can round them; configuration
values are canonical JSON text, so that the string "0.5" and the number 0.5 stay apart.

An event is in the catalogue by standing in a capability's events.py. Its module is loaded when it is first
named: building a pydantic model takes half a millisecond, and a pause at three in the morning needs five of
them, not eighty.
"""

# ruff: noqa: F403 -- what type checkers alone read; the names come by __getattr__

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ledger.domain.log.event import Event as Event, Part as Part

if TYPE_CHECKING:
    from ledger.domain.alerts.events import *
    from ledger.domain.approvals.events import *
    from ledger.domain.backups.events import *
    from ledger.domain.configurations.events import *
    from ledger.domain.drift.events import *
    from ledger.domain.gates.events import *
    from ledger.domain.log.events import *
    from ledger.domain.mitigations.events import *
    from ledger.domain.modes.events import *
    from ledger.domain.notifications.events import *
    from ledger.domain.observations.events import *
    from ledger.domain.plans.events import *
    from ledger.domain.reports.events import *
    from ledger.domain.rollbacks.events import *
    from ledger.domain.runs.events import *
    from ledger.domain.systems.events import *

_CAPABILITIES: Final = (
    "alerts", "approvals", "backups", "configurations", "drift", "gates", "log", "mitigations", "modes",
    "notifications", "observations", "plans", "reports", "rollbacks", "runs", "systems",
)  # fmt: skip
_CLASS: Final = re.compile(r"^class (\w+)\(", re.MULTILINE)


@cache
def _homes() -> dict[str, str]:
    """Return which capability has each model, by the text of its module: none is run."""
    # As the import system reads them, which a catalogue is a part of. The domain itself opens no file.
    read: Callable[[str], bytes] = __spec__.loader.get_data
    here = __file__.removesuffix("events.py")
    return {
        name: capability
        for capability in _CAPABILITIES
        for name in _CLASS.findall(read(f"{here}{capability}/events.py").decode())
    }


def __getattr__(name: str) -> Any:
    if name not in _homes():
        raise AttributeError(name)
    return getattr(import_module(f"ledger.domain.{_homes()[name]}.events"), name)


def catalogue() -> dict[str, type[Event]]:
    """Return every event type by its name; loads them all."""
    named = {name: __getattr__(name) for name in _homes()}
    return {name: model for name, model in named.items() if issubclass(model, Event)}


def model_of(type_: str) -> type[Event]:
    """Return the model of the event type named ``type_``.

    Raises:
        KeyError: this program knows no such type.
    """
    if type_ not in _homes():
        raise KeyError(type_)
    model: type[Event] = __getattr__(type_)
    return model
