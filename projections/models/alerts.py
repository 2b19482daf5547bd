"""Every firing of every alert: since when, who looked after it, how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Literal, TypedDict, cast

from ledger.domain.log.envelope import Recorded
from projections.core.base import Db, Projection, Step, system_of
from projections.core.rows import Kept, Row, select


class Firing(TypedDict):
    """One firing of an alert."""

    system: str
    alert: str
    severity: str
    status: Literal["firing", "acknowledged", "resolved"]
    message: str
    fired_at: datetime
    since: datetime
    fired_by: str
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    resolved_by: str | None
    how: str | None
    reason: str | None
    resolution: str | None
    labels: dict[str, str]
    firings: int
    position: int


class Alerts(Projection):
    """One row a firing, from the moment it fires until it is resolved."""

    name = "alerts"
    version = 1
    tables = ("alert",)
    definition = """
        CREATE TABLE alert (
            system           text         NOT NULL,
            alert            text         NOT NULL,
            position         bigint       NOT NULL,
            severity         text         NOT NULL,
            message          text         NOT NULL,
            labels           text         NOT NULL,
            fired_at         timestamptz  NOT NULL,
            fired_by         text         NOT NULL,
            reason           text,
            firings          integer      NOT NULL,
            acknowledged_at  timestamptz,
            acknowledged_by  text,
            resolved_at      timestamptz,
            resolved_by      text,
            how              text,
            resolution       text,
            CONSTRAINT alert_pk PRIMARY KEY (position)
        );
        CREATE UNIQUE INDEX alert_open ON alert (system, alert) WHERE resolved_at IS NULL;
        COMMENT ON TABLE alert IS 'Firings of alerts. firings: how often it was raised before it ended.';
    """
    indexes = "CREATE INDEX alert_system ON alert (system, position);"
    types: ClassVar[frozenset[str] | None] = frozenset(
        {"AlertFired", "AlertAcknowledged", "AlertResolved"}
    )

    def __init__(self) -> None:
        self._rows = Kept(self.definition, ("system", "alert"), json=("labels",))
        self.written = (self._rows,)

    def prepare(self, db: Db, events: Sequence[Recorded]) -> None:
        """Fetch the open firings that ``events`` speak of."""
        keys = {(system_of(e), e.data["alert"]) for e in events}
        self._rows.fetch_keys(db, keys, "AND resolved_at IS NULL")

    def apply(self, step: Step) -> None:
        """Begin a firing, or move it on."""
        event, data, by = step.event, step.data, step.body["actor"]["name"]
        row = self._rows.get(step.system, data["alert"])
        if event.type == "AlertFired":
            row = row or self._new(step)
            row |= {name: data[name] for name in ("severity", "message")}
            row |= {"labels": data.get("labels", {}), "firings": row["firings"] + 1}
            self._rows.put(row)
        elif row is None:
            return
        elif event.type == "AlertAcknowledged":
            row |= {"acknowledged_at": event.occurred_at, "acknowledged_by": by}
            self._rows.put(row)
        else:
            row |= {
                "resolved_at": event.occurred_at,
                "resolved_by": by,
                "how": data["how"],
                "resolution": step.body.get("reason"),
            }
            self._rows.retire(row)

    def _new(self, step: Step) -> Row:
        return self._rows.new(
            system=step.system,
            alert=step.data["alert"],
            position=step.event.position,
            fired_at=step.event.occurred_at,
            fired_by=step.body["actor"]["name"],
            reason=step.body.get("reason"),
            firings=0,
        )


def list_alerts(
    db: Db, system: str | None = None, *, only_open: bool = True, limit: int | None = None
) -> list[Firing]:
    """Return the newest ``limit`` firings, the newest last; all of them where ``only_open`` is off."""
    query = """
        SELECT system, alert, severity,
               CASE WHEN resolved_at IS NOT NULL THEN 'resolved'
                    WHEN acknowledged_at IS NOT NULL THEN 'acknowledged' ELSE 'firing' END AS status,
               message, fired_at, fired_at AS since, fired_by, acknowledged_at, acknowledged_by,
               resolved_at, resolved_by, how, reason, resolution, labels::jsonb AS labels, firings, position
            FROM readmodel.alert
            WHERE (%(system)s::text IS NULL OR system = %(system)s)
                AND (resolved_at IS NULL OR NOT %(only_open)s)
            ORDER BY position DESC LIMIT %(limit)s
    """
    values = {"system": system, "only_open": only_open, "limit": limit}
    return cast("list[Firing]", select(db, query, values)[::-1])
