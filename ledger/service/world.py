"""The world of one system: the actuators that its registration names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.domain.clock import Clock
from ledger.domain.events.modes import Attempt
from ledger.domain import actuation
from ledger.ports import ConfigActuator, ModeActuator


@dataclass(frozen=True, slots=True)
class World:
    """What carries decisions about one system. None: nothing does, and decisions are only recorded."""

    modes: ModeActuator | None
    mode_actuators: tuple[str, ...]
    configs: ConfigActuator | None


def world_of(registration: Mapping[str, Any], clock: Clock) -> World:
    """Build the actuators of a registration (the data of SystemRegistered)."""
    actuators = registration["actuators"]
    modes, names = _modes(actuators, clock)
    configs: ConfigActuator | None = None
    if actuators.get("config_files"):
        from ledger.actuators.config_files import ConfigFiles  # noqa: PLC0415 -- not for a pause

        configs = ConfigFiles({file["name"]: Path(file["path"]) for file in actuators["config_files"]})
    return World(modes, names, configs)


def _modes(actuators: Mapping[str, Any], clock: Clock) -> tuple[ModeActuator | None, tuple[str, ...]]:
    control_file: ModeActuator | None = None
    http_admin: ModeActuator | None = None
    if actuators.get("control_file"):
        from ledger.actuators.control_file import ControlFile  # noqa: PLC0415 -- only what is used

        control_file = ControlFile(Path(actuators["control_file"]), clock=clock)
    if actuators.get("http_admin"):
        from ledger.actuators.http_admin import HttpAdmin  # noqa: PLC0415 -- only what is used

        http_admin = HttpAdmin(
            actuators["http_admin"],
            confirm_timeout_seconds=actuators.get("confirm_timeout_ms", 5000) / 1000,
            clock=clock,
        )
    names = tuple(actuator.name for actuator in (http_admin, control_file) if actuator is not None)
    if http_admin is not None:
        from ledger.actuators.preferred import PreferredActuator  # noqa: PLC0415 -- only what is used

        return PreferredActuator(http_admin=http_admin, control_file=control_file), names
    return control_file, names


def told(attempts: tuple[actuation.Attempt, ...]) -> tuple[Attempt, ...]:
    """Return what actuators answered, as events carry it."""
    return tuple(
        Attempt(actuator=attempt.actuator, outcome=attempt.outcome.value, detail=attempt.detail)
        for attempt in attempts
    )
