"""Every confirmed mode, and by that the stretches of time that a system spent in each."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, TypedDict, cast

from projections.core.base import Db, Projection, Step
from projections.core.rows import Added, select


class ModeChange(TypedDict):
    """One confirmed switch."""

    position: int
    system: str
    mode: str
    kind: str | None
    since: datetime
    recorded_at: datetime
    actor_id: str
    actor: str
    actor_kind: str
    channel: str
    reason: str | None
    carried_by: str
    operation: str | None
    fingerprint: str | None
    late: bool


class Stretch(ModeChange):
    """The time in a mode, from its switch to the next."""

    until: datetime | None


class ModeChanges(Projection):
    """One row a confirmed switch. Where a stretch ends is asked for, not stored: see `intervals`."""

    name = "mode_changes"
    version = 1
    tables = ("mode_change",)
    definition = """
        CREATE TABLE mode_change (
            position     bigint       NOT NULL,
            system       text         NOT NULL,
            mode         text         NOT NULL,
            kind         text,
            since        timestamptz  NOT NULL,
            recorded_at  timestamptz  NOT NULL,
            actor_id     text         NOT NULL,
            actor        text         NOT NULL,
            actor_kind   text         NOT NULL,
            channel      text         NOT NULL,
            reason       text,
            carried_by   text         NOT NULL,
            operation    text,
            fingerprint  text,
            late         boolean      NOT NULL
        );
        COMMENT ON TABLE mode_change IS 'Confirmed mode switches. late: told after a newer one, so that '
            'it never was the present mode of the ledger.';
    """
    indexes = """
        ALTER TABLE mode_change ADD CONSTRAINT mode_change_pk PRIMARY KEY (position);
        CREATE INDEX mode_change_system_since ON mode_change (system, since);
    """
    types: ClassVar[frozenset[str] | None] = frozenset({"ModeSwitched"})

    def __init__(self) -> None:
        self._rows = Added("mode_change")
        self.written = (self._rows,)

    def apply(self, step: Step) -> None:
        """Add the switch."""
        event, data, after = step.event, step.data, step.after
        if after is None or step.before is None:
            return
        # The fold left the state's own mode alone when this one came in behind a newer one (I13).
        late = after.mode_since is step.before.mode_since and after.mode_since is not None
        self._rows.add(
            (
                event.position, after.system, data["to_mode"], data.get("to_kind"), event.occurred_at,
                event.recorded_at, *step.who, data["carried_by"], step.body.get("operation"),
                after.fingerprint, late,
            )
        )  # fmt: skip


def intervals(db: Db, system: str) -> list[Stretch]:
    """Return the stretches of time by mode, oldest first; ``until`` is None for the present one.

    What was recorded live stands in the order in which it was decided: where a clock was set back in between,
    a stretch begins no earlier than the one before it. Late history lies where its own time puts it.
    """
    query = """
        SELECT *, lead(began) OVER (ORDER BY began, position) AS until
            FROM (
                SELECT *, CASE WHEN late THEN since ELSE max(since) OVER (ORDER BY position) END AS began
                    FROM readmodel.mode_change WHERE system = %s
            ) AS ordered
            ORDER BY began, position
    """
    rows = [{**row, "since": row["began"]} for row in select(db, query, (system,))]
    return cast("list[Stretch]", rows)


def present(db: Db, system: str) -> ModeChange | None:
    """Return the switch to the present mode, or None when there was none."""
    query = (
        "SELECT * FROM readmodel.mode_change WHERE system = %s AND NOT late "
        "ORDER BY position DESC LIMIT 1"
    )
    return next(iter(cast("list[ModeChange]", select(db, query, (system,)))), None)
