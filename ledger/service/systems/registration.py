"""Registering systems: what they are, and how the world is reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ledger.actuators.http_admin import HttpAdmin
from ledger.configuration.source import format_of
from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.errors import BadInput
from ledger.domain.log.ids import check_system_name
from ledger.domain.state import SystemState
from ledger.domain.systems import decide as systems
from ledger.domain.systems.state import Registration
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger


def register(
    ledger: Ledger,
    system: str,
    origin: Origin,
    *,
    environment: str,
    description: str,
    actuators: events.Actuators,
) -> tuple[SystemState, Decision]:
    """Register ``system``, or change its registration, once what was begun under the old one is ended.

    Raises:
        BadInput: two files lie in one place or have one name, or a path can't be recorded as it is.
        OperationInProgress: somebody is at work on the system.
    """

    def decide(state: SystemState) -> Decision:
        return systems.register(
            state, environment=environment, description=description, actuators=actuators
        )

    return _record(ledger, system, origin, decide)


def amend(
    ledger: Ledger, system: str, origin: Origin, amendment: systems.Amendment
) -> tuple[SystemState, Decision, tuple[str, ...]]:
    """Register ``system``, or change what ``amendment`` names; return also what is dropped by it.

    Raises:
        UsageError: as `systems.amend` and `register` do.
        OperationInProgress: somebody is at work on the system.
    """
    # A path may hold bytes that are no text, and those can't even be compared with what is registered.
    paths = (amendment.control_file, amendment.mitigation_file, amendment.code)
    for path in (*paths, *(file.path for file in amendment.config_files)):
        if path is not None:
            ledger.recorder.require_plain(path, "path")
    before: Registration | None = None

    def decide(state: SystemState) -> Decision:
        nonlocal before
        before = state.registration
        return systems.amend(state, amendment)

    state, decision = _record(ledger, system, origin, decide)
    return state, decision, systems.dropped(before, state.registration if decision.events else None)


def _record(
    ledger: Ledger, system: str, origin: Origin, decide: Callable[[SystemState], Decision]
) -> tuple[SystemState, Decision]:
    def checked(state: SystemState) -> Decision:
        decision = decide(state)
        for event in decision.events:
            if isinstance(event, (events.SystemRegistered, events.SystemChanged)):
                _check(ledger, event.actuators)
        return decision

    check_system_name(system)
    present = ledger.recorder.load(system)
    checked(present)  # what is off is refused before anything is waited for, or ended
    with ledger.operating(system, "system add"):
        if present.registration is not None:
            ledger.finish_dead_operations(system, origin)
        # An intent names the places of its time: none may be in flight when they change.
        return ledger.recorder.decide(system, checked, origin)


def _check(ledger: Ledger, actuators: events.Actuators) -> None:
    for file in actuators.config_files:
        format_of(file.name)  # a name without a suffix could be registered, and never kept
        ledger.recorder.require_plain(file.name, "configuration file's name")
    _require_different([file.name for file in actuators.config_files], "are called")
    paths = [file.path for file in actuators.config_files]
    if actuators.control_file is not None:
        paths.append(actuators.control_file)
    if actuators.mitigation_file is not None:
        paths.append(actuators.mitigation_file)
    if actuators.http_admin is not None:
        HttpAdmin(actuators.http_admin)  # refuses a URL that is off, or that holds a password
    for word in actuators.code.restart if actuators.code is not None else ():
        ledger.recorder.require_plain(word, "restart command")
    if actuators.code is not None:
        ledger.recorder.require_plain(actuators.code.repository, "path")
    for path in paths:
        ledger.recorder.require_plain(path, "path")
    _require_different([str(Path(path).resolve()) for path in paths], "lie at")


def _require_different(texts: Sequence[str], what: str) -> None:
    twice = next((text for text in texts if texts.count(text) > 1), None)
    if twice is not None:
        raise BadInput(
            f"Two files of the system {what} {twice!r}.",
            hint="Name them one by one: --config-file NAME=PATH",
        )
