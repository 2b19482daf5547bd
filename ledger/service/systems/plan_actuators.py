"""The actuators that a plan names, and those that its system is registered with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.errors import NameTaken
from ledger.domain.state import SystemState
from ledger.profiles.model import ActuatorPlaces, Profile
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger
from ledger.service.systems.registration import register


def enlist(
    ledger: Ledger, system: str, profile: Profile, origin: Origin, *, change: bool
) -> Decision:
    """Register ``system`` as ``profile`` says, if it is unknown; tell what differs if not, or ``change`` it.

    What the profile does not name stays as it is registered.

    Raises:
        NameTaken: another system is reached in a way that the profile names.
        BadInput: as `registering.register` does.
    """
    named = _named(profile.actuators)
    state = ledger.recorder.load(system)
    if not named:
        return Decision()
    if state.registration is None:
        _insist_on_no_other(ledger, system, named)
        return register(
            ledger, system, origin, environment=profile.environment,
            description=profile.description, actuators=_read(named),
        )[1]  # fmt: skip
    known: dict[str, Any] = dict(state.registration["actuators"])
    differing = [key for key, value in named.items() if known.get(key) != value]
    if not differing:
        return Decision()
    if change:
        return register(
            ledger, system, origin, environment=state.registration["environment"],
            description=state.registration.get("description", ""), actuators=_read(known | named),
        )[1]  # fmt: skip
    for key in differing:
        ledger.warn(
            f"the plan says {key} {_shown(named[key])}, and {system} is registered with "
            f"{_shown(known.get(key))}; adopt it with --register to change that"
        )
    return Decision()


def _named(places: ActuatorPlaces) -> dict[str, Any]:
    """Return what a plan says, as a registration has it: relative to where the command is run."""
    code = places.code
    actuators = events.Actuators(
        control_file=_absolute(places.control_file),
        http_admin=places.http_admin,
        config_files=tuple(
            events.ConfigFile(name=file.name, path=str(Path(file.path).absolute()))
            for file in places.config_files
        ),
        mitigation_file=_absolute(places.mitigation_file),
        code=events.CodePlace(
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
    return {key: value for key, value in actuators.payload().items() if key in given}


def _absolute(path: str | None) -> str | None:
    return str(Path(path).absolute()) if path is not None else None


def _read(actuators: dict[str, Any]) -> events.Actuators:
    import orjson

    return events.Actuators.model_validate_json(orjson.dumps(actuators))


def _insist_on_no_other(ledger: Ledger, system: str, named: dict[str, Any]) -> None:
    """Raise if the system seems to be registered under another name: one bot, two histories."""
    for name in ledger.recorder.store.systems():
        other = _ways_in(ledger.recorder.load(name))
        for key in ("control_file", "http_admin"):
            if named.get(key) is not None and named[key] == other.get(key):
                raise NameTaken(
                    f"{name} is reached by {named[key]} already, and {system} is not registered.",
                    hint=f"Did you mean {name}? If not: rollout system add {system} … registers it.",
                )


def _ways_in(state: SystemState) -> dict[str, Any]:
    return dict((state.registration or {}).get("actuators", {}))


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(f"{file['name']} at {file['path']}" for file in value) or "none"
    if isinstance(value, dict):
        restart = f", restarted by {' '.join(value['restart'])}" if value["restart"] else ""
        return f"{value['repository']}{restart}"
    return str(value) if value is not None else "none"
