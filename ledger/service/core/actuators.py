"""The world of one system: the actuators that its registration names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ledger.actuators import mode_actuators
from ledger.domain.clock import Clock
from ledger.domain.modes.events import Attempt
from ledger.domain.systems.state import Actuators, CodePlace
from ledger.domain.values import actuation
from ledger.ports import CodeActuator, ConfigActuator, ModeActuator


@dataclass(frozen=True, slots=True)
class World:
    """What carries decisions about one system. None: nothing does, and decisions are only recorded."""

    modes: ModeActuator | None
    mode_actuators: tuple[str, ...]
    config_files: Mapping[str, Path]
    code_place: CodePlace | None = None

    @property
    def configs(self) -> ConfigActuator | None:
        """What writes the configuration files, if there are any."""
        if not self.config_files:
            return None
        from ledger.actuators.config_files import ConfigFiles

        return ConfigFiles(self.config_files)

    def code(self, written: Collection[str] = ()) -> CodeActuator | None:
        """Return what checks the code out, if there is a checkout; the files ``written`` follow it."""
        if self.code_place is None:
            return None
        from ledger.actuators.code_checkout import GitCheckout

        ours = [path for name, path in self.config_files.items() if name in written]
        return GitCheckout(Path(self.code_place.repository), ours)


def world_of(actuators: Actuators, clock: Clock) -> World:
    """Build what carries decisions into the world, as a registration names it."""
    modes, names = _modes(actuators, clock)
    files = {file.name: Path(file.path) for file in actuators.config_files}
    return World(modes, names, files, actuators.code)


def _modes(actuators: Actuators, clock: Clock) -> tuple[ModeActuator | None, tuple[str, ...]]:
    given = {"http_admin": actuators.http_admin, "control_file": actuators.control_file}
    names = tuple(name for name, value in given.items() if value)
    if not names:
        return None, ()
    modes = mode_actuators(
        http_admin_url=actuators.http_admin,
        control_file=Path(actuators.control_file) if actuators.control_file else None,
        confirm_timeout_seconds=actuators.confirm_timeout_ms / 1000,
        clock=clock,
    )
    return modes, names


def told(attempts: tuple[actuation.Attempt, ...]) -> tuple[Attempt, ...]:
    """Return what actuators answered, as events carry it."""
    return tuple(
        Attempt(
            actuator=attempt.actuator,
            outcome=attempt.outcome.value,
            detail=attempt.detail,
            took_ms=int(attempt.seconds * 1000),
        )
        for attempt in attempts
    )
