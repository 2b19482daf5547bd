"""Stories told as events, and the state that they fold to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from ledger.domain.evolve import fold
from ledger.domain.log.event import Event
from ledger.domain.log.ids import Actor, ActorKind, Channel
from ledger.domain.state import SystemState
from ledger.service.core.recorder import Origin, Recorder
from ledger.store.memory import MemoryStore
from tests.support.fakes import FrozenClock


class Story:
    """Events of one system, each told at its own time."""

    def __init__(self) -> None:
        self.clock = FrozenClock()
        self.recorder = Recorder(MemoryStore(self.clock), self.clock, lambda text, **_: text)

    def tell(
        self, event: Event, *, who: str = "ann", operation: UUID | None = None,
        ago_seconds: float = 0, **envelope: Any,
    ) -> None:  # fmt: skip
        """Append an event a second later than the one before; ``ago_seconds``: it happened earlier."""
        self.clock.advance(1)
        origin = Origin(Actor(who, who, ActorKind.HUMAN), Channel.CLI, f"{who}'s reason", operation)
        new = self.recorder.prepare(
            event,
            origin,
            stream="system:bot",
            system="bot",
            occurred_at=self.clock.now() - timedelta(seconds=ago_seconds),
            **envelope,
        )
        self.recorder.append([new])

    @property
    def state(self) -> SystemState:
        """The fold of all."""
        return fold(self.recorder.store.read_stream("system:bot"), SystemState("bot"))
