"""Operations in flight: begun by an intent, not ended by an outcome yet. Pure data."""

from __future__ import annotations

from typing import ClassVar, Final, TypeAlias, TypedDict, get_args

from ledger.domain.configurations.state import ApplyIntent
from ledger.domain.mitigations.state import MitigationIntent
from ledger.domain.modes.state import SwitchIntent
from ledger.domain.rollbacks.state import RollbackIntent
from ledger.domain.state_part import StatePart, written
from ledger.domain.values.choices import OneOf

OperationKind = OneOf["switch", "apply", "rollback", "mitigation"]


class DecidedFields(TypedDict):
    """The fields of `Decided`, to make an operation of."""

    position: int
    at: str
    late: bool
    actor: str
    human: bool
    reason: str | None


class Decided(StatePart, frozen=True, kw_only=True):
    """A decision: who made it, when and why."""

    position: int
    at: str
    late: bool
    """Whether it came in after the fact: imported, or from the spool."""
    actor: str
    human: bool
    reason: str | None


class Begun(Decided, frozen=True, kw_only=True):
    """An operation in flight: what every kind holds."""

    kind: ClassVar[OperationKind]
    steps: tuple[int, ...] = written(())
    """Those that are done."""
    intent: SwitchIntent | ApplyIntent | RollbackIntent | MitigationIntent
    overtaken: bool = written(default=False)
    """Whether somebody has decided otherwise since: then it must not be carried out any more."""
    failed: str | None = None
    """Why its last step could not be done."""


class SwitchOperation(Begun, frozen=True, kw_only=True, tag_field="kind", tag="switch"):
    """A switch of mode."""

    kind: ClassVar[OperationKind] = "switch"
    intent: SwitchIntent


class ApplyOperation(Begun, frozen=True, kw_only=True, tag_field="kind", tag="apply"):
    """A configuration that is put in force, perhaps to enter a phase."""

    kind: ClassVar[OperationKind] = "apply"
    intent: ApplyIntent


class RollbackOperation(Begun, frozen=True, kw_only=True, tag_field="kind", tag="rollback"):
    """A way back to a prior configuration, perhaps with its code."""

    kind: ClassVar[OperationKind] = "rollback"
    intent: RollbackIntent


class MitigateOperation(Begun, frozen=True, kw_only=True, tag_field="kind", tag="mitigation"):
    """A mitigation that the system is told of."""

    kind: ClassVar[OperationKind] = "mitigation"
    intent: MitigationIntent


Operation: TypeAlias = SwitchOperation | ApplyOperation | RollbackOperation | MitigateOperation
KINDS: Final = frozenset(kind.kind for kind in get_args(Operation))
