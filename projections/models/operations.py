"""Every operation: what was meant, the steps on the way, what came of it, how long it took."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar, Final

from ledger.domain.log.envelope import Recorded
from ledger.domain.values.moments import iso
from projections.core.base import Db, Projection, Step
from projections.core.rows import Kept, Row, select

BEGIN: Final = {
    "ModeSwitchRequested": "switch",
    "ConfigApplyRequested": "apply",
    "RollbackRequested": "rollback",
}
END: Final = {
    "ModeSwitched": ("switch", "completed"),
    "ModeSwitchUnconfirmed": ("switch", "unconfirmed"),
    "ModeSwitchAbandoned": ("switch", "abandoned"),
    "ConfigApplied": ("apply", "completed"),
    "ConfigApplyFailed": ("apply", "failed"),
    "RollbackCompleted": ("rollback", "completed"),
    "RollbackAbandoned": ("rollback", "abandoned"),
}
ON_THE_WAY: Final = frozenset({"RollbackStepCompleted", "RollbackFailed"})


class Operations(Projection):
    """One row an operation. ``outcome`` is NULL while it is in flight."""

    name = "operations"
    version = 1
    tables = ("operation",)
    definition = """
        CREATE TABLE operation (
            operation       text         NOT NULL,
            system          text         NOT NULL,
            kind            text         NOT NULL,
            position        bigint       NOT NULL,
            began_at        timestamptz  NOT NULL,
            actor_id        text         NOT NULL,
            actor           text         NOT NULL,
            actor_kind      text         NOT NULL,
            channel         text         NOT NULL,
            reason          text,
            cause           text,
            intent          text         NOT NULL,
            steps           text         NOT NULL,
            outcome         text,
            detail          text,
            ended_position  bigint,
            ended_at        timestamptz,
            took_ms         bigint,
            CONSTRAINT operation_pk PRIMARY KEY (operation)
        );
        COMMENT ON TABLE operation IS 'Intent, steps (JSON) and outcome: completed, unconfirmed, abandoned, '
            'failed; NULL while in flight. took_ms: by the clock of who did it.';
    """
    indexes = "CREATE INDEX operation_system ON operation (system, position);"
    types: ClassVar[frozenset[str] | None] = ON_THE_WAY | BEGIN.keys() | END.keys()

    def __init__(self) -> None:
        self._rows = Kept(self.definition, ("operation",), json=("intent", "steps"))
        self.written = (self._rows,)

    def prepare(self, db: Db, events: Sequence[Recorded]) -> None:
        """Fetch the operations that ``events`` belong to."""
        self._rows.fetch_keys(db, {(e.operation,) for e in events if e.operation})

    def apply(self, step: Step) -> None:
        """Begin an operation, or move it on."""
        operation, type_, data = step.body.get("operation"), step.event.type, step.data
        if operation is None:
            return
        row = self._rows.get(operation)
        if type_ in BEGIN:
            row = row or self._new(step, BEGIN[type_])
        elif type_ in ON_THE_WAY:
            if row is None:
                return
            _advance(row, step)
        elif type_ == "ConfigApplied" and data["cause"] != "apply":
            return  # A rollback puts a configuration in force on its way; that does not end it.
        else:
            # A pause without the ledger has an outcome and no intent: it acts first (I5).
            row = row or self._new(step, END[type_][0])
            _end(row, step, END[type_][1])
        self._rows.put(row)

    def _new(self, step: Step, kind: str) -> Row:
        actor_id, actor, actor_kind, channel, reason = step.who
        return self._rows.new(
            operation=step.body["operation"],
            system=step.system,
            kind=kind,
            position=step.event.position,
            began_at=step.event.occurred_at,
            actor_id=actor_id,
            actor=actor,
            actor_kind=actor_kind,
            channel=channel,
            reason=reason,
            cause=step.body.get("cause"),
            intent=step.data,
            steps=[],
        )


def _advance(row: Row, step: Step) -> None:
    data = step.data
    if step.event.type == "RollbackFailed":
        row["detail"] = data["explanation"]
        return
    done = {"step": data["step"], "name": data["name"], "outcome": data["outcome"]}
    done |= {"position": step.event.position, "at": iso(step.event.occurred_at)}
    row["steps"] = [*row["steps"], done]


def _end(row: Row, step: Step, outcome: str) -> None:
    row |= {
        "outcome": outcome,
        "detail": step.data.get("explanation"),
        "ended_position": step.event.position,
        "ended_at": step.event.occurred_at,
        "took_ms": (step.event.occurred_at - row["began_at"]) // timedelta(milliseconds=1),
    }


def list_operations(
    db: Db, system: str | None = None, *, in_flight: bool = False, kind: str | None = None,
    limit: int | None = None,
) -> list[Row]:  # fmt: skip
    """Return the newest ``limit`` operations, the newest last; ``in_flight``: those without an outcome."""
    query = """
        SELECT operation, system, kind, coalesce(outcome, 'in flight') AS outcome, began_at, ended_at,
               took_ms, actor_id, actor, actor_kind, channel, reason, cause, detail, intent::jsonb AS intent,
               steps::jsonb AS steps, position, ended_position
            FROM readmodel.operation
            WHERE (%(system)s::text IS NULL OR system = %(system)s)
                AND (%(kind)s::text IS NULL OR kind = %(kind)s)
                AND (outcome IS NULL OR NOT %(in_flight)s)
            ORDER BY position DESC LIMIT %(limit)s
    """
    values = {"system": system, "in_flight": in_flight, "kind": kind, "limit": limit}
    return select(db, query, values)[::-1]
