"""Names and identities: who acts, through what, and how things are called."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid4

from ledger.domain.errors import BadInput

SYSTEM_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*")
TAG_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9._/-]{0,99}")
NAME_LENGTH_MAX: Final = 100
LEDGER_STREAM: Final = "ledger"


class ActorKind(StrEnum):
    """What kind of being acts. A rule or an agent is an actor like any other."""

    HUMAN = "human"
    SERVICE = "service"
    RULE = "rule"
    AGENT = "agent"
    IMPORTER = "importer"


class Channel(StrEnum):
    """The way by which a decision came in."""

    CLI = "cli"
    HTTP = "http"
    WEBHOOK = "webhook"
    CONTROL_FILE = "control_file"
    SCHEDULER = "scheduler"
    IMPORT = "import"
    RECOVERY = "recovery"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: copied into every event, never joined from a table that can change (I11)."""

    id: str
    name: str
    kind: ActorKind

    def as_record(self) -> dict[str, str]:
        """Return who it is as JSON-ready data."""
        return {"id": self.id, "name": self.name, "kind": self.kind.value}


def uuid7() -> UUID:
    """Return a new RFC 9562 version 7 id: ids made in order keep the log's index in order."""
    milliseconds = time.time_ns() // 1_000_000
    # A version 4 id has its random bits, and the variant, where version 7 has them.
    value = (milliseconds << 80) | (uuid4().int & ((1 << 80) - 1))
    return UUID(int=(value & ~(0xF << 76)) | (0x7 << 76))


def control_stream(system: str) -> str:
    """Return the stream that holds what was decided about ``system``."""
    return f"system:{system}"


def metrics_stream(system: str) -> str:
    """Return the stream that holds ``system``'s recorded metrics."""
    return f"metrics:{system}"


def orders_stream(system: str) -> str:
    """Return the stream that holds ``system``'s imported order activity."""
    return f"orders:{system}"


def check_system_name(name: str) -> str:
    """Return ``name`` if it can name a system.

    Raises:
        BadInput: it can't; the message says what a name looks like.
    """
    if len(name) > NAME_LENGTH_MAX or not SYSTEM_NAME.fullmatch(name):
        raise BadInput(
            f"{name!r} can't name a system.",
            hint="Use lower-case letters, digits, '.', '_', '-', with '/' between parts, "
            f"at most {NAME_LENGTH_MAX} characters: polyarb-x, keylevelgrid/btcusdt",
        )
    return name


def check_tag_name(name: str) -> str:
    """Return ``name`` if it can tag a fingerprint; a tag must not look like a fingerprint.

    Raises:
        BadInput: it can't; the message says what a tag looks like.
    """
    if not TAG_NAME.fullmatch(name) or re.fullmatch(r"[0-9a-f]{4,64}", name) or name == "sha256":
        raise BadInput(
            f"{name!r} can't be a tag.",
            hint="Start with a letter, then letters, digits, '.', '_', '-', '/': v2.0-prod",
        )
    return name
