"""What an event looks like on its way into the log, and on its way out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

from ledger.domain.log import canonical
from ledger.domain.log.ids import Actor, ActorKind
from ledger.domain.log.upcast import upcast


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to append. ``body`` is RFC 8785 JSON: everything that the caller asserts."""

    event_id: UUID
    stream: str
    type: str
    schema_version: int
    occurred_at: datetime
    body: bytes
    expected_revision: int | None = None
    """None: any; 0: the stream must not exist yet; n: the stream stands at n."""


@dataclass(frozen=True)
class Recorded:
    """An event as the log holds it. The body is decoded when first asked for."""

    position: int
    revision: int
    schema_version: int
    event_id: UUID
    occurred_at: datetime
    recorded_at: datetime
    stream: str
    type: str
    body: bytes
    body_hash: bytes
    chain: bytes

    @cached_property
    def decoded(self) -> Mapping[str, Any]:
        """The body, with ``data`` brought up to the newest schema version of its type."""
        body = canonical.decode(self.body)
        body["data"] = upcast(self.type, self.schema_version, body["data"])
        return body

    @property
    def data(self) -> Mapping[str, Any]:
        """What happened, as the type's model in `ledger.domain.events` has it."""
        data: Mapping[str, Any] = self.decoded["data"]
        return data

    @property
    def system(self) -> str | None:
        """The system that it is about, if it is about one."""
        return self.decoded.get("system")

    @property
    def actor(self) -> Actor:
        """Who did it."""
        actor = self.decoded["actor"]
        return Actor(actor["id"], actor["name"], ActorKind(actor["kind"]))

    @property
    def reason(self) -> str | None:
        """Why, in the actor's words."""
        return self.decoded.get("reason")

    @property
    def operation(self) -> str | None:
        """The operation (intent, steps, outcome) that it belongs to."""
        return self.decoded.get("operation")

    @property
    def backfilled(self) -> bool:
        """True for history that was imported after the fact (I13)."""
        return bool(self.decoded.get("backfilled", False))


class Appended(NamedTuple):
    """The log's answer to one item of a batch."""

    outcome: str
    """appended | duplicate | id_reused | conflict | not_appended"""
    position: int | None
    revision: int | None
    """Of the event in its stream; for a conflict, where the stream stands."""
    recorded_at: datetime | None
