"""Registering systems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.errors import UnknownName, UsageError
from ledger.domain.state import SystemState
from ledger.domain.systems.state import ConfigFile, Registration

DROPPABLE: Final = ("control-file", "http-admin", "mitigation-file", "code")
ONE_FILE: Final = "config-file="
"""Begins the word that drops one configuration file; its name follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """What somebody names of a registration. None, or empty: nothing is said about it, so it stays."""

    environment: str | None = None
    description: str | None = None
    control_file: str | None = None
    http_admin: str | None = None
    config_files: tuple[events.ConfigFile, ...] = ()
    """In the place of those of the same name, beside the others."""
    mitigation_file: str | None = None
    code: str | None = None
    """The checkout."""
    restart: tuple[str, ...] | None = None
    restart_timeout_ms: int | None = None
    confirm_timeout_ms: int | None = None
    drop: tuple[str, ...] = ()
    """Of `DROPPABLE`, or a configuration file as `config-file=NAME`."""


def register(
    state: SystemState, *, environment: str, description: str, actuators: events.Actuators
) -> Decision:
    """Register the system, or change its registration. The same again is a no-op."""
    return _recorded(
        state,
        {"environment": environment, "description": description, "actuators": actuators},
    )


def amend(state: SystemState, amendment: Amendment) -> Decision:
    """Register the system, or change what the amendment names of its registration and keep the rest.

    Raises:
        UsageError: one thing is named and dropped, or a restart is named without a checkout.
        UnknownName: a configuration file to drop is not registered.
    """
    _require_one_meaning(amendment)
    registration = state.registration
    actuators = _kept(registration, amendment.drop)
    for key in ("control_file", "http_admin", "mitigation_file", "confirm_timeout_ms"):
        if (named := getattr(amendment, key)) is not None:
            actuators[key] = named
    actuators["config_files"] = _files(actuators.get("config_files", []), amendment.config_files)
    if (code := _code(actuators.get("code"), amendment)) is not None:
        actuators["code"] = code
    environment = amendment.environment or (
        registration.environment if registration is not None else None
    )
    description = amendment.description
    if description is None:
        description = registration.description if registration is not None else ""
    return _recorded(
        state,
        {
            "environment": environment or "production",
            "description": description,
            "actuators": events.Actuators.model_validate_json(msgspec.json.encode(actuators)),
        },
    )


def dropped(before: Registration | None, after: Registration | None) -> tuple[str, ...]:
    """Return what ``after`` has nothing of any more, in the words that drop it."""
    if before is None or after is None:
        return ()
    old, new = before.actuators, after.actuators
    gone = [
        word
        for word in DROPPABLE
        if getattr(old, _key(word)) is not None and getattr(new, _key(word)) is None
    ]
    left = {file.name for file in new.config_files}
    gone += [f"{ONE_FILE}{file.name}" for file in old.config_files if file.name not in left]
    return tuple(gone)


def _recorded(state: SystemState, fields: dict[str, Any]) -> Decision:
    if state.registration is None:
        return Decision((events.SystemRegistered.model_validate(fields),))
    changed = events.SystemChanged.model_validate(fields)
    if Registration.of(changed.payload()) == state.registration:
        return Decision(skipped=f"{state.system} is registered like that already")
    return Decision((changed,))


def _require_one_meaning(amendment: Amendment) -> None:
    named = {word for word in DROPPABLE if getattr(amendment, _key(word)) is not None}
    named |= {f"{ONE_FILE}{file.name}" for file in amendment.config_files}
    both = sorted(named & set(amendment.drop))
    if both:
        raise UsageError(f"{both[0]} is given a value and dropped.", hint="Say one of the two.")


def _kept(registration: Registration | None, drop: tuple[str, ...]) -> dict[str, Any]:
    """Return the actuators that are registered, without those that are dropped.

    Raises:
        UnknownName: a configuration file to drop is not registered.
    """
    actuators: dict[str, Any] = registration.actuators.to_json() if registration is not None else {}
    files: tuple[ConfigFile, ...] = (
        registration.actuators.config_files if registration is not None else ()
    )
    names = [file.name for file in files]
    for word in drop:
        if not word.startswith(ONE_FILE):
            actuators.pop(_key(word), None)
            continue
        name = word.removeprefix(ONE_FILE)
        if name not in names:
            raise UnknownName(
                f"No configuration file {name!r} is registered.",
                hint=f"Registered: {', '.join(names) or 'none'}",
            )
        actuators["config_files"] = [
            file for file in actuators["config_files"] if file["name"] != name
        ]
    return actuators


def _files(
    registered: list[dict[str, Any]], named: tuple[events.ConfigFile, ...]
) -> list[dict[str, Any]]:
    """Return the registered files, each where it was or with the place named for it, and the new ones."""
    anew = {file.name for file in named}
    before = {file["name"] for file in registered}
    places = {file.name: file.payload() for file in named}
    stay = [places[file["name"]] if file["name"] in anew else file for file in registered]
    # A name that is given twice stays twice here: who checks the registration refuses it.
    return stay + [file.payload() for file in named if file.name not in before]


def _code(registered: dict[str, Any] | None, amendment: Amendment) -> dict[str, Any] | None:
    """Return the checkout, and how it is restarted.

    Raises:
        UsageError: a restart is named, and there is no checkout.
    """
    named: dict[str, Any] = {
        "repository": amendment.code,
        "restart": amendment.restart,
        "restart_timeout_ms": amendment.restart_timeout_ms,
    }
    code = (registered or {}) | {key: value for key, value in named.items() if value is not None}
    if code and "repository" not in code:
        raise UsageError("--restart goes with --code.", hint="--code FOLDER names the checkout")
    return code or None


def _key(word: str) -> str:
    return word.replace("-", "_")
