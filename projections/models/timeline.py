"""Everything that happened, but for what was merely observed: one sentence an event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, LiteralString

from psycopg import sql

from projections.core.base import Db, Projection, Step
from projections.core.rows import Added, Row, select as select_rows
from projections.words.sentences import sentence


class Timeline(Projection):
    """One row an event."""

    name = "timeline"
    version = 2
    tables = ("timeline",)
    definition = """
        CREATE TABLE timeline (
            position     bigint       NOT NULL,
            system       text,
            type         text         NOT NULL,
            actor_id     text         NOT NULL,
            actor        text         NOT NULL,
            actor_kind   text         NOT NULL,
            channel      text         NOT NULL,
            reason       text,
            sentence     text         NOT NULL,
            occurred_at  timestamptz  NOT NULL,
            recorded_at  timestamptz  NOT NULL,
            fingerprint  text,
            operation    text,
            backfilled   boolean      NOT NULL,
            spooled      boolean      NOT NULL
        );
        COMMENT ON TABLE timeline IS 'Every event but merely observed ones, as a sentence. fingerprint: '
            'the configuration that it is about, else the one then in force.';
    """
    indexes = """
        ALTER TABLE timeline ADD CONSTRAINT timeline_pk PRIMARY KEY (position);
        CREATE INDEX timeline_system_occurred ON timeline (system, occurred_at);
        CREATE INDEX timeline_occurred ON timeline (occurred_at);
    """
    types: ClassVar[frozenset[str] | None] = None

    def __init__(self) -> None:
        self._rows = Added("timeline")
        self.written = (self._rows,)

    def apply(self, step: Step) -> None:
        """Add the event's row."""
        event, body, data = step.event, step.body, step.data
        fingerprint = data.get("fingerprint") or data.get("to_fingerprint")
        if fingerprint is None and step.after is not None:
            fingerprint = step.after.fingerprint
        self._rows.add(
            (
                event.position, step.system, event.type, *step.who, sentence(event.type, data),
                event.occurred_at, event.recorded_at, fingerprint, body.get("operation"),
                body.get("backfilled", False), body.get("spooled", False),
            )
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events to show. What is not given does not count."""

    system: str | None = None
    actor: str | None = None
    """An actor's name or id."""
    type: str | None = None
    """A type, or several with ``*``: ``Alert*``."""
    fingerprint: str | None = None
    """The first digits are enough."""
    key: str | None = None
    """A configuration key that the event changed, or a part of the keys: ``risk``."""
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None
    """A piece of the sentence or the reason, upper or lower case."""
    after: int = 0
    """Positions beyond this one only."""
    clock: LiteralString = "occurred_at"
    """Which time ``since``, ``until`` and the order go by: occurred_at or recorded_at."""


def select(db: Db, wanted: Filter, *, limit: int | None = None) -> list[Row]:
    """Return the newest ``limit`` events that ``wanted`` lets through, the newest last."""
    conditions, values = _conditions(wanted)
    query = sql.SQL(
        "SELECT * FROM readmodel.timeline AS t WHERE {conditions} "
        "ORDER BY {clock} DESC, position DESC LIMIT %(limit)s"
    ).format(
        conditions=sql.SQL(" AND ").join(conditions),
        clock=sql.Identifier(wanted.clock),
    )
    return select_rows(db, query, {**values, "limit": limit})[::-1]


_CONDITIONS: Final[dict[str, LiteralString]] = {
    "system": "system = %(system)s",
    "actor": "(lower(actor) = lower(%(actor)s) OR actor_id = %(actor)s)",
    "type": "type ILIKE %(type)s",
    "fingerprint": "fingerprint LIKE %(fingerprint)s",
    "key": "EXISTS (SELECT FROM readmodel.config_change AS c WHERE c.position = t.position "
    "AND (c.key = %(key)s OR starts_with(c.key, %(key)s || '.') OR starts_with(c.key, %(key)s || '[')))",
    "text": "(sentence ILIKE %(text)s OR reason ILIKE %(text)s)",
}


def _conditions(wanted: Filter) -> tuple[list[sql.Composable], dict[str, Any]]:
    digits = wanted.fingerprint
    values: dict[str, Any] = {
        "after": wanted.after,
        "system": wanted.system,
        "actor": wanted.actor,
        "key": wanted.key,
        "type": like(wanted.type).replace("*", "%") if wanted.type else None,
        "fingerprint": f"sha256:{like(digits.removeprefix('sha256:'))}%" if digits else None,
        "text": f"%{like(wanted.text)}%" if wanted.text else None,
        "since": wanted.since,
        "until": wanted.until,
    }
    conditions: list[sql.Composable] = [sql.SQL("position > %(after)s")]
    conditions += [sql.SQL(text) for name, text in _CONDITIONS.items() if values[name] is not None]
    clock = sql.Identifier(wanted.clock)
    if wanted.since is not None:
        conditions.append(sql.SQL("{} >= %(since)s").format(clock))
    if wanted.until is not None:
        conditions.append(sql.SQL("{} <= %(until)s").format(clock))
    return conditions, values


def like(text: str) -> str:
    """Return ``text`` for LIKE, with what has a meaning there taken literally."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
