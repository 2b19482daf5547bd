"""What all folds share: the register of what each event means, and operations in flight. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from msgspec.structs import replace

from ledger.domain.log.envelope import Recorded
from ledger.domain.log.ids import ActorKind
from ledger.domain.operations import Decided, DecidedFields, Operation, OperationKind
from ledger.domain.state import Json, SystemState
from ledger.domain.values.moments import iso

K = TypeVar("K", bound=str)
V = TypeVar("V")
Apply = Callable[[SystemState, Recorded, Json], SystemState]
APPLY: Final[dict[str, Apply]] = {}


def on(*types: str) -> Callable[[Apply], Apply]:
    """Register what the decorated function does for events of ``types``."""

    def register(function: Apply) -> Apply:
        for type_ in types:
            APPLY[type_] = function
        return function

    return register


def with_(mapping: Mapping[K, V], key: K, value: V) -> dict[K, V]:
    """Return ``mapping`` with ``key`` set."""
    return {**mapping, key: value}


def without(mapping: Mapping[K, V], *keys: K | None) -> dict[K, V]:
    """Return ``mapping`` without ``keys``."""
    return {name: value for name, value in mapping.items() if name not in keys}


def with_code(state: SystemState, event: Recorded) -> SystemState:
    """Return ``state`` with the code where ``event`` says that it stands, if it does."""
    commit = event.data.get("code")
    if commit is None:
        return state
    codes = with_(state.codes, commit, iso(event.occurred_at))
    return replace(state, code=commit, codes=codes, drift=without(state.drift, "code"))


def superseded(event: Recorded, since: str | None) -> bool:
    """Tell whether history that came in late is older than what the state already holds (I13)."""
    return is_late(event) and since is not None and iso(event.occurred_at) < since


def is_late(event: Recorded) -> bool:
    """Tell whether the event came in after the fact: imported, or from the spool."""
    return event.backfilled or bool(event.decoded.get("spooled"))


# --- operations ---


def begun(state: SystemState, event: Recorded, operation: Operation) -> SystemState:
    """Return ``state`` with the operation that ``event`` begins in flight."""
    return replace(
        state,
        operations=with_(state.operations, str(event.operation), operation),
        human_position=event.position if operation.human else state.human_position,
    )


def ended(state: SystemState, event: Recorded) -> SystemState:
    """Return ``state`` without the operation that ``event`` ends."""
    return replace(state, operations=without(state.operations, event.operation))


def decided(event: Recorded) -> DecidedFields:
    """Return who decided what ``event`` begins, when and why."""
    return {
        "position": event.position,
        "at": iso(event.occurred_at),
        "late": is_late(event),
        "actor": event.actor.name,
        "human": event.actor.kind is ActorKind.HUMAN,
        "reason": event.reason,
    }


def who_asked(state: SystemState, event: Recorded) -> Decided:
    """Return who decided what ``event`` is the outcome of; the event itself where no intent is known."""
    return state.operations.get(str(event.operation)) or Decided(**decided(event))


def mark_overtaken(
    state: SystemState, event: Recorded, asked: Decided, *kinds: OperationKind
) -> Mapping[str, Operation]:
    """Return the operations in flight, marked if this outcome's decision came after theirs."""
    if not state.operations:
        return state.operations
    return {
        id_: replace(operation, overtaken=True)
        if operation.kind in kinds and id_ != event.operation and _precedes(operation, asked)
        else operation
        for id_, operation in state.operations.items()
    }


def _precedes(one: Decided, other: Decided) -> bool:
    """Order two decisions: by position, which is exact; by their own times where one came in late."""
    if one.late or other.late:
        return one.at < other.at
    return one.position < other.position
