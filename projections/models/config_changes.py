"""Every changed configuration key: `rollout config blame`, and the history of a key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, TypedDict, cast

from projections.core.base import Db, Projection, Step
from projections.core.rows import Added, select


class Change(TypedDict):
    """What became of a key; values are canonical JSON text, None where there was none."""

    key: str
    old: str | None
    new: str | None


class _Application(TypedDict):
    position: int
    fingerprint: str
    cause: str
    actor_id: str
    actor: str
    actor_kind: str
    channel: str
    reason: str | None
    occurred_at: datetime
    recorded_at: datetime
    backfilled: bool


class KeyInForce(_Application):
    """A key with its value, and the configuration that set it."""

    key: str
    value: str
    tags: list[str]


class KeyChanged(_Application, Change):
    """A change of a key, and the configuration that made it."""

    previous: str | None
    late: bool


class ConfigChanges(Projection):
    """One row a configuration put in force, and one row a key that it changed."""

    name = "config_changes"
    version = 1
    tables = ("config_application", "config_change")
    definition = """
        CREATE TABLE config_application (
            position     bigint       NOT NULL,
            system       text         NOT NULL,
            fingerprint  text         NOT NULL,
            previous     text,
            cause        text         NOT NULL,
            actor_id     text         NOT NULL,
            actor        text         NOT NULL,
            actor_kind   text         NOT NULL,
            channel      text         NOT NULL,
            reason       text,
            occurred_at  timestamptz  NOT NULL,
            recorded_at  timestamptz  NOT NULL,
            operation    text,
            backfilled   boolean      NOT NULL,
            late         boolean      NOT NULL
        );
        COMMENT ON TABLE config_application IS 'Configurations put in force. late: told after a newer '
            'one, so that it set no present value.';
        CREATE TABLE config_change (
            position  bigint  NOT NULL,
            system    text    NOT NULL,
            key       text    NOT NULL,
            old       text,
            new       text
        );
        COMMENT ON TABLE config_change IS 'Changed keys by the position of their config_application. '
            'Values are canonical JSON text; NULL where there was none.';
    """
    indexes = """
        ALTER TABLE config_application ADD CONSTRAINT config_application_pk PRIMARY KEY (position);
        CREATE INDEX config_change_position ON config_change (position);
        CREATE INDEX config_change_system_key ON config_change (system, key, position);
    """
    types: ClassVar[frozenset[str] | None] = frozenset({"ConfigApplied"})

    def __init__(self) -> None:
        self._applications, self._changes = map(Added, self.tables)
        self.written = (self._applications, self._changes)

    def apply(self, step: Step) -> None:
        """Add the application and its changes."""
        event, body, data, after = step.event, step.body, step.data, step.after
        if after is None or step.before is None:
            return
        # The fold left the state's own configuration alone when this one came in behind a newer one (I13).
        late = after.applied_at is step.before.applied_at and after.applied_at is not None
        position, system = event.position, after.system
        self._applications.add(
            (
                position, system, data["fingerprint"], data.get("previous"), data["cause"], *step.who,
                event.occurred_at, event.recorded_at, body.get("operation"),
                body.get("backfilled", False), late,
            )
        )  # fmt: skip
        for change in data["changes"]:
            self._changes.add(
                (position, system, change["key"], change.get("old"), change.get("new"))
            )


def blame(db: Db, system: str, key: str | None = None) -> list[KeyInForce]:
    """Return every key in force (under ``key``): its value, and who set it when, why and in which one."""
    query = """
        SELECT c.key, c.new AS value, c.position, a.fingerprint, coalesce(v.tags, '{}') AS tags, a.cause,
               a.actor_id, a.actor, a.actor_kind, a.channel, a.reason, a.occurred_at, a.recorded_at,
               a.backfilled
            FROM (
                SELECT DISTINCT ON (d.key) d.key, d.new, d.position
                    FROM readmodel.config_change AS d
                        JOIN readmodel.config_application AS b ON b.position = d.position AND NOT b.late
                    WHERE d.system = %(system)s AND (%(key)s::text IS NULL OR d.key = %(key)s
                        OR starts_with(d.key, %(key)s || '.') OR starts_with(d.key, %(key)s || '['))
                    ORDER BY d.key, d.position DESC
            ) AS c
                JOIN readmodel.config_application AS a ON a.position = c.position
                LEFT JOIN readmodel.configuration AS v
                    ON v.system = a.system AND v.fingerprint = a.fingerprint
            WHERE c.new IS NOT NULL
            ORDER BY c.key COLLATE "C"
    """
    return cast("list[KeyInForce]", select(db, query, {"system": system, "key": _part(key)}))


def history(db: Db, system: str, key: str) -> list[KeyChanged]:
    """Return every change of ``key``, or of a key below it, oldest first."""
    query = """
        SELECT c.key, c.old, c.new, c.position, a.fingerprint, a.previous, a.cause, a.actor_id, a.actor,
               a.actor_kind, a.channel, a.reason, a.occurred_at, a.recorded_at, a.backfilled, a.late
            FROM readmodel.config_change AS c
                JOIN readmodel.config_application AS a ON a.position = c.position
            WHERE c.system = %(system)s AND (%(key)s::text IS NULL OR c.key = %(key)s
                OR starts_with(c.key, %(key)s || '.') OR starts_with(c.key, %(key)s || '['))
            ORDER BY a.occurred_at, c.position, c.key COLLATE "C"
    """
    return cast("list[KeyChanged]", select(db, query, {"system": system, "key": _part(key)}))


def changes_at(db: Db, positions: Sequence[int], key: str | None) -> dict[int, list[Change]]:
    """Return, by position, what ``positions`` changed of ``key`` or below it."""
    query = """
        SELECT position, key, old, new FROM readmodel.config_change
            WHERE position = ANY (%(positions)s) AND (%(key)s::text IS NULL OR key = %(key)s
                OR starts_with(key, %(key)s || '.') OR starts_with(key, %(key)s || '['))
            ORDER BY position, key COLLATE "C"
    """
    by_position: dict[int, list[Change]] = {}
    values = {"positions": list(positions), "key": _part(key)}
    for position, name, old, new in db.execute(query, values):
        by_position.setdefault(position, []).append({"key": name, "old": old, "new": new})
    return by_position


def _part(key: str | None) -> str | None:
    """Return ``key`` as a part of the keys; the root stands for all of them."""
    return None if key in {None, "", "$"} else key
