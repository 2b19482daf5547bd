"""Who did it, as records name people and programs (I11)."""

from __future__ import annotations

import re
from typing import Final

from ledger.domain.log.ids import Actor, ActorKind

UNKNOWN: Final = Actor("unknown", "unknown", ActorKind.IMPORTER)
"""For a change that left its trace and no record: an importer found it, and nobody knows who made it."""

_PROGRAMS: Final = frozenset(
    "web_ui webui web ui gui dashboard api cli cron scheduler system bot ci cd daemon service worker auto "
    "automation autopilot optimizer rule script root github-actions gitlab-ci jenkins dependabot renovate "
    "noreply".replace("_", "-").split()
)
_PROGRAM_ENDING: Final = re.compile(
    r"(?:\[bot\]|-(?:bot|ci|cd|service|svc|daemon|job|cron|api|ui|gui|scheduler|runner|worker))\Z"
)
_SEPARATORS: Final = re.compile(r"[-_ .]+")


def kind_of(name: str) -> ActorKind:
    """Return service for a name that is a program's, human for any other."""
    plain = _SEPARATORS.sub("-", name.strip().lower())
    if plain in _PROGRAMS or _PROGRAM_ENDING.search(plain):
        return ActorKind.SERVICE
    return ActorKind.HUMAN


def named(name: str) -> Actor:
    """Return the actor that a record calls ``name``."""
    return Actor(name, name, kind_of(name))


def git_author(identity: str) -> Actor:
    """Return the actor of a git identity, ``Name <email>``; a bot is a service."""
    name, _, email = identity.rpartition("<")
    name, email = name.strip(), email.strip().removesuffix(">").strip()
    if not name:
        name = email or "unknown"
    kind = kind_of(name)
    if kind is ActorKind.HUMAN and "[bot]@" in email:
        kind = ActorKind.SERVICE
    return Actor(email or name, name, kind)


def system_itself(system: str) -> Actor:
    """Return the system as the actor of what it wrote down itself."""
    return Actor(system, system, ActorKind.SERVICE)
