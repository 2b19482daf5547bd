"""Where the ledger is and who asks: what was given, or its default, resolved once."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from ledger.domain.errors import BadInput
from ledger.domain.log.ids import Actor, ActorKind


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the ledger is and who is asking."""

    home: Path
    dsn: str | None
    """None: the embedded Postgres in the home."""
    actor: Actor


def settings_of(*, home: Path | None, dsn: str | None, actor: str | None) -> Settings:
    """Return the settings that these make, each as it was given, or its default.

    Raises:
        BadInput: ``actor`` names nobody.
    """
    from ledger.store.embedded import default_home  # a pause on another server needs none of it

    return Settings(
        home=(home or default_home(os.environ)).absolute(),
        dsn=dsn or None,
        actor=resolve_actor(actor),
    )


def resolve_actor(given: str | None) -> Actor:
    """Return who acts: ``kind:id`` or ``id`` as given (ROLLOUT_ACTOR), else the login at this machine.

    Raises:
        BadInput: the kind is not one that there is.
    """
    if given:
        kind, _, name = (part.strip() for part in given.rpartition(":"))
        if kind not in {"", *ActorKind} or not name:
            raise BadInput(
                f"--actor {given!r} names nobody.",
                hint="human:NAME, service:NAME, agent:NAME or rule:NAME; a bare NAME is a human",
            )
        return Actor(id=name, name=name, kind=ActorKind(kind or "human"))
    login = os.environ.get("SUDO_USER") or _login()
    return Actor(id=f"{login}@{socket.gethostname()}", name=login, kind=ActorKind.HUMAN)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container that runs as a user without a line in /etc/passwd
        return f"uid {os.getuid()}"
