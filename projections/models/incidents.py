"""Incidents: when, who, why, what the metrics were before and after, what was done, which fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final

import orjson
from psycopg import sql

from ledger.domain.errors import AmbiguousName, UnknownName
from ledger.domain.log.envelope import Recorded
from ledger.domain.values.moments import shifted
from projections.core.base import Db, Part, Projection, Step, system_of
from projections.core.rows import Kept, Row, select
from projections.models import incident_document, incident_metrics, incident_record

WINDOW: Final = timedelta(seconds=incident_metrics.WINDOW_SECONDS)


class Incidents(Projection):
    """One row an incident; what `incidents.json` says of it lies in ``record`` and ``metrics``."""

    name = "incidents"
    version = 3
    tables = ("incident", "incident_document")
    definition = """
        CREATE TABLE incident (
            position          bigint       NOT NULL,
            system            text         NOT NULL,
            incident          text         NOT NULL,
            status            text         NOT NULL,
            severity          text         NOT NULL,
            title             text         NOT NULL,
            opened_at         timestamptz  NOT NULL,
            changed_position  bigint       NOT NULL,
            window_from       timestamptz  NOT NULL,
            window_until      timestamptz  NOT NULL,
            pending           boolean      NOT NULL,
            stale             boolean      NOT NULL,
            record            text         NOT NULL,
            metrics           text,
            CONSTRAINT incident_pk PRIMARY KEY (position)
        );
        CREATE INDEX incident_system ON incident (system) WHERE status <> 'closed';
        CREATE INDEX incident_unsettled ON incident (position) WHERE stale OR pending;
        COMMENT ON TABLE incident IS 'Incidents by the position that opened them. pending: the time whose '
            'metrics count has not passed yet; stale: to be worked out again before the commit.';
        CREATE TABLE incident_document (
            sha256  text  NOT NULL
        );
        COMMENT ON TABLE incident_document IS 'One row: the SHA-256 of incidents.json as it should be.';
    """
    types: ClassVar[frozenset[str] | None] = incident_record.TYPES

    def __init__(self) -> None:
        self._rows = Kept(self.definition, ("system", "incident"), json=("record",))
        self._open: dict[str | None, dict[str, Row]] = {}

    def prepare(self, db: Db, events: Sequence[Recorded]) -> None:
        """Fetch the incidents that are open in the systems of ``events``."""
        systems = {system_of(e) for e in events}
        self._rows.fetch(db, "system = ANY (%s) AND status <> 'closed'", list(systems))
        for row in sorted(self._rows.all(), key=lambda row: row["position"]):
            self._open.setdefault(row["system"], {})[row["incident"]] = row

    def apply(self, step: Step) -> None:
        """Open an incident, move it on, or tell an open one what happened in its system meanwhile."""
        type_, data, of_system = step.event.type, step.data, self._open.get(step.system)
        if type_ == "IncidentOpened":
            row = _new(step)
            self._open.setdefault(step.system, {})[data["incident"]] = row
            self._put(row, step)
        elif not of_system:
            return
        elif (name := data.get("incident")) is not None:
            if (row := of_system.get(name)) is not None:
                self._move(row, step)
        else:
            for row in of_system.values():
                if incident_record.witness(row["record"], step):
                    self._put(row, step)

    def _move(self, row: Row, step: Step) -> None:
        incident_record.move(row["record"], step)
        row["status"] = row["record"]["status"]
        if step.event.type == "IncidentMitigated" and len(row["record"]["actions"]) == 1:
            row["window_from"] = shifted(step.event.occurred_at, -WINDOW)
            row["window_until"] = shifted(step.event.occurred_at, WINDOW)
        self._put(row, step)
        if row["status"] == "closed":
            self._rows.retire(row)
            del self._open[row["system"]][row["incident"]]

    def _put(self, row: Row, step: Step) -> None:
        row |= {"changed_position": step.event.position, "stale": True}
        self._rows.put(row)

    def write(self, db: Db, part: Part) -> None:
        """Write the rows."""
        self._rows.write(db)
        self._open.clear()

    def settle(self, db: Db, position: int) -> None:
        """Look up the metrics that incidents wait for, and say what incidents.json is to be."""
        changed = incident_metrics.settle(db, position)
        if changed or db.execute("SELECT FROM incident_document").fetchone() is None:
            digest = hashlib.sha256()
            for piece in incident_document.render(db, self.version):
                digest.update(piece)
            db.execute("DELETE FROM incident_document")
            db.execute("INSERT INTO incident_document VALUES (%s)", (digest.hexdigest(),))


def _new(step: Step) -> Row:
    opened = step.event.occurred_at
    return {
        "position": step.event.position,
        "system": step.system,
        "incident": step.data["incident"],
        "status": "open",
        "severity": step.data["severity"],
        "title": step.data["title"],
        "opened_at": opened,
        "window_from": shifted(opened, -WINDOW),
        "window_until": opened,
        "pending": True,
        "record": incident_record.opened(step),
        "metrics": None,
    }


def list_incidents(
    db: Db, system: str | None = None, *, only_open: bool = True, limit: int | None = None
) -> list[Row]:
    """Return the newest ``limit`` incidents, the newest last; those closed too where ``only_open`` is off."""
    query = """
        SELECT incident, system, severity, status, title, opened_at,
               record::jsonb #>> '{who,actor}' AS opened_by, record::jsonb ->> 'action' AS action, position
            FROM readmodel.incident
            WHERE (%(system)s::text IS NULL OR system = %(system)s)
                AND (status <> 'closed' OR NOT %(only_open)s)
            ORDER BY position DESC LIMIT %(limit)s
    """
    values = {"system": system, "only_open": only_open, "limit": limit}
    return select(db, query, values)[::-1]


def show_incident(db: Db, incident: str, system: str | None = None) -> dict[str, Any]:
    """Return one incident as incidents.json has it; the newest one, where its name was used again.

    Raises:
        UnknownName: there is none of that name.
        AmbiguousName: several systems have one; name the system too.
    """
    query = (
        "SELECT DISTINCT ON (system) system, record, metrics FROM readmodel.incident "
        "WHERE incident = %s AND (%s::text IS NULL OR system = %s) ORDER BY system, position DESC"
    )
    rows = db.execute(query, (incident, system, system)).fetchall()
    if not rows:
        raise UnknownName(
            f"There is no incident {incident!r}" + (f" of {system}." if system else "."),
            hint="rollout incident list --all shows them",
        )
    if len(rows) > 1:
        raise AmbiguousName(
            f"{', '.join(row[0] for row in rows)} each have an incident {incident!r}.",
            hint="Name the system too.",
        )
    _, record, metrics = rows[0]
    return incident_document.item(orjson.loads(record), orjson.loads(metrics) if metrics else None)


def export(db: Db, schema: str = "readmodel", *, system: str | None = None) -> bytes:
    """Return incidents.json, of ``system`` or of all: the same bytes for the same log (I7)."""
    with db.transaction():
        db.execute(sql.SQL("SET LOCAL search_path = {}, pg_catalog").format(sql.Identifier(schema)))
        return b"".join(incident_document.render(db, Incidents.version, system))


def export_sha256(db: Db) -> str:
    """Return the SHA-256 of what `export` returns, without working it out."""
    row = db.execute("SELECT sha256 FROM readmodel.incident_document").fetchone()
    return row[0] if row is not None else ""
