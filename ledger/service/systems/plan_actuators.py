"""The actuators that a plan names, and those that its system is registered with."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.errors import NameTaken
from ledger.domain.systems.state import Actuators, CodePlace, ConfigFile
from ledger.profiles.model import ActuatorPlaces, Profile
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger
from ledger.service.systems.registration import register

Place: TypeAlias = str | int | CodePlace | tuple[ConfigFile, ...]


def enlist(
    ledger: Ledger, system: str, profile: Profile, origin: Origin, *, change: bool
) -> Decision:
    """Register ``system`` as ``profile`` says, if it is unknown; tell what differs if not, or ``change`` it.

    What the profile does not name stays as it is registered.

    Raises:
        NameTaken: another system is reached in a way that the profile names.
        BadInput: as `registering.register` does.
    """
    named, given = _named(profile.actuators)
    state = ledger.recorder.load(system)
    if not given:
        return Decision()
    if state.registration is None:
        _require_no_other(ledger, system, named)
        return register(
            ledger, system, origin, environment=profile.environment,
            description=profile.description, actuators=_as_recorded(named),
        )[1]  # fmt: skip
    registered = state.registration.actuators
    differing = {key: value for key, value in given.items() if getattr(registered, key) != value}
    if not differing:
        return Decision()
    if change:
        return register(
            ledger, system, origin, environment=state.registration.environment or "",
            description=state.registration.description,
            actuators=_as_recorded(replace(registered, **differing)),
        )[1]  # fmt: skip
    for key, value in differing.items():
        ledger.warn(
            f"the plan says {key} {_shown(value)}, and {system} is registered with "
            f"{_shown(getattr(registered, key))}; adopt it with --register to change that"
        )
    return Decision()


def _named(places: ActuatorPlaces) -> tuple[Actuators, dict[str, Place]]:
    """Return what a plan says, as a registration has it: relative to where the command is run.

    Also what of it the plan says in so many words, by the field that holds it.
    """
    code = places.code
    actuators = Actuators(
        control_file=_absolute(places.control_file),
        http_admin=places.http_admin,
        config_files=tuple(
            ConfigFile(name=file.name, path=str(Path(file.path).absolute()))
            for file in places.config_files
        ),
        mitigation_file=_absolute(places.mitigation_file),
        code=CodePlace(
            repository=str(Path(code.repository).absolute()),
            restart=code.restart,
            restart_timeout_ms=int(code.restart_timeout.total_seconds() * 1000),
        )
        if code is not None
        else None,
        confirm_timeout_ms=int(places.confirm_timeout.total_seconds() * 1000),
    )
    given = {
        "confirm_timeout_ms" if key == "confirm_timeout" else key for key in places.model_fields_set
    }
    values: dict[str, Place | None] = {key: getattr(actuators, key) for key in given}
    return actuators, {key: value for key, value in values.items() if value is not None}


def _absolute(path: str | None) -> str | None:
    return str(Path(path).absolute()) if path is not None else None


def _as_recorded(actuators: Actuators) -> events.Actuators:
    return events.Actuators.model_validate_json(msgspec.json.encode(actuators))


def _require_no_other(ledger: Ledger, system: str, named: Actuators) -> None:
    """Raise if the system seems to be registered under another name: one bot, two histories."""
    for name in ledger.recorder.store.systems():
        other = ledger.recorder.load(name).actuators
        for way, same in (
            (named.control_file, other.control_file),
            (named.http_admin, other.http_admin),
        ):
            if way is not None and way == same:
                raise NameTaken(
                    f"{name} is reached by {way} already, and {system} is not registered.",
                    hint=f"Did you mean {name}? If not: rollout system add {system} … registers it.",
                )


def _shown(value: Place | None) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"{file.name} at {file.path}" for file in value) or "none"
    if isinstance(value, CodePlace):
        restart = f", restarted by {' '.join(value.restart)}" if value.restart else ""
        return f"{value.repository}{restart}"
    return str(value) if value is not None else "none"
