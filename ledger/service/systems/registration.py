"""Registering systems: what they are, and how the world is reached."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.errors import BadInput
from ledger.domain.log.ids import check_system_name
from ledger.domain.state import SystemState
from ledger.domain.systems import decide as systems
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
    check_system_name(system)
    _check(ledger, actuators)
    with ledger.operating(system, "system add"):
        if ledger.recorder.load(system).registration is not None:
            ledger.finish_dead_operations(system, origin)
        # An intent names the places of its time: none may be in flight when they change.
        state, decision = ledger.recorder.decide(
            system,
            lambda state: systems.register(
                state, environment=environment, description=description, actuators=actuators
            ),
            origin,
        )
        ledger.memory.remember(state)
        return state, decision


def _check(ledger: Ledger, actuators: events.Actuators) -> None:
    from ledger.configuration.source import format_of

    for file in actuators.config_files:
        format_of(file.name)  # a name without a suffix could be registered, and never kept
        ledger.recorder.insist_on_plain(file.name, "configuration file's name")
    _insist_on_different([file.name for file in actuators.config_files], "are called")
    paths = [file.path for file in actuators.config_files]
    if actuators.control_file is not None:
        paths.append(actuators.control_file)
    if actuators.mitigation_file is not None:
        paths.append(actuators.mitigation_file)
    if actuators.http_admin is not None:
        from ledger.actuators.http_admin import HttpAdmin

        HttpAdmin(actuators.http_admin)  # refuses a URL that is off, or that holds a password
    for word in actuators.code.restart if actuators.code is not None else ():
        ledger.recorder.insist_on_plain(word, "restart command")
    if actuators.code is not None:
        ledger.recorder.insist_on_plain(actuators.code.repository, "path")
    for path in paths:
        ledger.recorder.insist_on_plain(path, "path")
    _insist_on_different([str(Path(path).resolve()) for path in paths], "lie at")


def _insist_on_different(texts: Sequence[str], what: str) -> None:
    twice = next((text for text in texts if texts.count(text) > 1), None)
    if twice is not None:
        raise BadInput(
            f"Two files of the system {what} {twice!r}.",
            hint="Name them one by one: --config-file NAME=PATH",
        )
