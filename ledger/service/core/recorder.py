"""From a decision to the log: the envelope around an event, and the one place where events are encoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

from ledger.domain.clock import Clock
from ledger.domain.decision import Decision
from ledger.domain.errors import BadInput, EventIdReused, StaleRevision
from ledger.domain.evolve import evolve, fold
from ledger.domain.log import canonical
from ledger.domain.log.envelope import Appended, NewEvent, Recorded
from ledger.domain.log.event import Event
from ledger.domain.log.ids import Actor, Channel, control_stream, uuid7
from ledger.domain.state import SystemState, is_whole
from ledger.domain.values.shapes import is_list, is_mapping
from ledger.store.base import EventStore

DECIDE_ATTEMPTS_MAX: Final = 5
TOLD_EVERY_EVENTS: Final = 20_000
"""How many events of a system are folded before that is told: some two seconds' worth."""


class Redact(Protocol):
    """Replaces whatever looks like a secret in a text (I6)."""

    def __call__(self, text: str, *, prose: bool = False) -> str:
        """Return ``text`` without secrets. In ``prose``, a word that looks generated is one too."""
        ...


# What people write in their own words. Elsewhere a word that looks generated may be a path or an id.
_PROSE: Final = frozenset(
    {"message", "title", "note", "description", "explanation", "correction", "resolution", "detail"}
)


@dataclass(frozen=True, slots=True)
class Folded:
    """A state, and the chain of the log at the event that was folded last."""

    state: SystemState
    chain: bytes


class Memory(Protocol):
    """Keeps folded states from one command to the next: only ever a head start (I32)."""

    def folded(self, system: str) -> Folded | None:
        """Return what was kept of ``system``, if this program's fold made it."""
        ...

    def keep(self, folded: Folded) -> None:
        """Keep a state. That it can't be kept stops nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Origin:
    """Who does something, by which way, why, and as part of what."""

    actor: Actor
    channel: Channel
    reason: str | None = None
    operation: UUID | None = None
    cause: UUID | None = None
    """The event that led to this one."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """Wraps, encodes and appends events; loads the state that decisions are made on."""

    store: EventStore
    clock: Clock
    redact: Redact
    memory: Memory | None = None
    tell_folding: Callable[[str, int], None] = lambda _system, _count: None
    """Told how many events of a system have been folded, where nothing was remembered of them."""

    def prepare(
        self,
        event: Event,
        origin: Origin,
        *,
        stream: str,
        system: str | None,
        occurred_at: datetime | None = None,
        expected_revision: int | None = None,
        event_id: UUID | None = None,
        backfilled: bool = False,
        spooled: bool = False,
        redacted: bool = False,
    ) -> NewEvent:
        """Return ``event`` ready to append. Every string of it has been through `redact`.

        ``redacted`` says that the caller has searched the event's strings for secrets already.
        """
        body: dict[str, Any] = {
            "actor": {
                "id": self.clean(origin.actor.id),
                "name": self.clean(origin.actor.name),
                "kind": origin.actor.kind.value,
            },
            "channel": origin.channel.value,
            "data": event.payload() if redacted else self._clean(event.payload()),
        }
        optional = {
            "system": system,
            "reason": self.clean(origin.reason, prose=True) if origin.reason else None,
            "operation": str(origin.operation) if origin.operation else None,
            "cause": str(origin.cause) if origin.cause else None,
            "backfilled": backfilled or None,
            "spooled": spooled or None,
        }
        body.update({key: value for key, value in optional.items() if value is not None})
        return NewEvent(
            event_id=event_id or uuid7(),
            stream=stream,
            type=event.type,
            schema_version=event.version,
            occurred_at=occurred_at or self.clock.now(),
            body=canonical.encode(body),
            expected_revision=expected_revision,
        )

    def clean(self, text: str, *, prose: bool = False) -> str:
        """Return ``text`` as it may be recorded: without secrets, and as UTF-8 has it.

        What a terminal sent in another encoding is spelled out: it must not stop a pause.
        """
        return self.redact(text.encode(errors="backslashreplace").decode(), prose=prose)

    def require_plain(self, text: str, what: str) -> str:
        """Return ``text`` if it is recorded as it is: a path or a name that was changed would mislead.

        Raises:
            BadInput: it looks as if it held a secret, says nothing, or can't be shown on a line.
        """
        if not text.strip() or not text.isprintable():
            raise BadInput(
                f"The {what} {text!r} can't be shown: it is blank, or holds a control character."
            )
        if self.clean(text) != text:
            raise BadInput(
                f"The {what} looks as if it held a secret, and it would be recorded.",
                hint=f"Give the {what} another name.",
            )
        return text

    def _clean(self, value: Any, key: str = "") -> Any:
        if isinstance(value, str):
            return self.clean(value, prose=key in _PROSE)
        if is_list(value):
            return [self._clean(item, key) for item in value]
        if is_mapping(value):
            return {self.clean(name): self._clean(item, name) for name, item in value.items()}
        return value

    def append(self, batch: Sequence[NewEvent], *, all_or_nothing: bool = True) -> list[Appended]:
        """Append ``batch``.

        Raises:
            StaleRevision: an expected revision does not hold; nothing was appended (if all_or_nothing).
            EventIdReused: an id was used before, for other content.
        """
        answers = self.store.append(batch, all_or_nothing=all_or_nothing)
        for new, answer in zip(batch, answers, strict=True):
            if answer.outcome == "id_reused":
                raise EventIdReused(
                    f"The event id {new.event_id} was used before, for other content.",
                    hint="Use a new id; what was recorded stays as it is.",
                )
            if answer.outcome == "conflict":
                raise StaleRevision(
                    f"{new.stream} moved on: it stands at revision {answer.revision}, "
                    f"not {new.expected_revision}.",
                    hint="Look again (rollout status), then decide again.",
                )
        return answers

    def load(self, system: str) -> SystemState:
        """Return the folded state of ``system`` as of now.

        What is remembered counts if the log's own chain is the one at which it was remembered: not of a
        log that was restored from an older backup, say, or of another ledger.
        """
        kept = self.memory.folded(system) if self.memory is not None else None
        if kept is not None:
            events = self.store.read_stream(control_stream(system), kept.state.revision - 1)
            last = next(events, None)
            if last is not None and last.chain == kept.chain:
                return self._fold_on(kept.state, events)
        return self.load_after(SystemState(system))

    def _fold_on(self, state: SystemState, events: Iterable[Recorded]) -> SystemState:
        """Return ``state`` after ``events``, and remember it."""
        chain = None
        for count, event in enumerate(events, start=1):
            state, chain = evolve(state, event), event.chain
            if count % TOLD_EVERY_EVENTS == 0:
                self.tell_folding(state.system, count)
        if chain is None:
            return state
        if not is_whole(state):
            state = self._fold_strictly(state.system)
        # What is in flight is kept with its outcome: a writing costs a flush, and only a head start is lost.
        if self.memory is not None and not state.operations:
            self.memory.keep(Folded(state, chain))
        return state

    def _fold_strictly(self, system: str) -> SystemState:
        """Return the state of all that is what its type promises; the rest is set aside."""
        from ledger.domain.corrections.sound import sound  # builds every model of the catalogue

        return fold(map(sound, self.store.read_stream(control_stream(system))), SystemState(system))

    def decide(
        self,
        system: str,
        decision: Callable[[SystemState], Decision],
        origin: Origin,
        *,
        if_revision: int | None = None,
        sending: Callable[[Sequence[NewEvent]], None] = lambda _: None,
    ) -> tuple[SystemState, Decision]:
        """Load, decide, append; decide again when somebody else was faster, a bounded number of times.

        Returns the state *after* the decision's events, and the decision. ``sending`` is told what is
        about to be sent: where no answer comes, that may be in the log already.

        Raises:
            StaleRevision: it lost five times in a row, or ``if_revision`` does not hold.
        """
        for attempt in range(1, DECIDE_ATTEMPTS_MAX + 1):
            state = self.load(system)
            if if_revision is not None and state.revision != if_revision:
                raise StaleRevision(
                    f"{system} moved on: it stands at revision {state.revision}, not {if_revision}.",
                    hint="Look again (rollout status), then decide again.",
                )
            decided = decision(state)
            if not decided.events:
                return state, decided
            batch = [
                self.prepare(
                    event,
                    origin,
                    stream=control_stream(system),
                    system=system,
                    expected_revision=state.revision + offset,
                )
                for offset, event in enumerate(decided.events)
            ]
            sending(batch)
            try:
                self.append(batch)
            except StaleRevision:
                if attempt == DECIDE_ATTEMPTS_MAX or if_revision is not None:
                    raise
                continue
            return self.load_after(state), decided
        raise AssertionError  # the loop returns or raises

    def end(
        self,
        system: str,
        operation: UUID,
        outcome: Callable[[SystemState], Sequence[Event]],
        origin: Origin,
    ) -> tuple[SystemState, Decision]:
        """Append what ``operation`` came to; nothing if it has an outcome already: exactly one (I12)."""

        def decision(state: SystemState) -> Decision:
            if str(operation) not in state.operations:
                return Decision(skipped="somebody else has recorded its outcome meanwhile")
            return Decision(tuple(outcome(state)))

        return self.decide(system, decision, within(origin, operation))

    def load_after(self, state: SystemState) -> SystemState:
        """Return ``state`` with whatever has been appended since."""
        events = self.store.read_stream(control_stream(state.system), state.revision)
        return self._fold_on(state, events)


def within(origin: Origin, operation: UUID) -> Origin:
    """Return ``origin`` as part of ``operation``."""
    return replace(origin, operation=operation)
