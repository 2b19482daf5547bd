"""incidents.json, derived from the log alone: the same bytes after every rebuild (I7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from ledger.domain.values.moments import iso
from projections.core.base import Db

SCHEMA_ID: Final = "urn:rollout-ledger:incidents:1"
AT_ONCE: Final = 200
"""Incidents that are held in memory together."""
Json = Mapping[str, Any]


def render(db: Db, version: int, system: str | None = None) -> Iterator[bytes]:
    """Yield incidents.json piece by piece, however many there are; reads the tables of the search path.

    ``system``: only its incidents.
    """
    head: Json = {"$schema": SCHEMA_ID, "ledger": _ledger(db, version, system), "incidents": []}
    start, end = orjson.dumps(head, option=orjson.OPT_INDENT_2).split(b"[]")
    yield start
    separator = b"["
    for record, metrics in _rows(db, system):
        yield separator + b"\n    " + _indented(item(record, metrics))
        separator = b","
    yield (b"[]" if separator == b"[" else b"\n  ]") + end + b"\n"


def _indented(incident: Json) -> bytes:
    # A line break within a text is escaped, so that every one there is may be followed by blanks.
    return orjson.dumps(incident, option=orjson.OPT_INDENT_2).replace(b"\n", b"\n    ")


def _rows(db: Db, system: str | None) -> Iterator[tuple[Json, Json | None]]:
    after = 0
    query = (
        "SELECT position, record, metrics FROM incident WHERE position > %s "
        "AND (%s::text IS NULL OR system = %s) ORDER BY position LIMIT %s"
    )
    while rows := db.execute(query, (after, system, system, AT_ONCE)).fetchall():
        for _, record, metrics in rows:
            yield orjson.loads(record), orjson.loads(metrics) if metrics is not None else None
        after = rows[-1][0]


def _ledger(db: Db, version: int, system: str | None) -> Json:
    """Return which point of the log the document is about: the last event that an incident hangs on."""
    row = db.execute(
        "SELECT position, encode(chain, 'hex'), recorded_at FROM ledger.event WHERE position = ("
        "SELECT max(greatest(changed_position, (metrics::jsonb ->> 'position')::bigint)) FROM incident "
        "WHERE %s::text IS NULL OR system = %s)",
        (system, system),
    ).fetchone()
    return {
        "position": row[0] if row else 0,
        "hash": row[1] if row else None,
        "generated_at": iso(row[2]) if row else None,
        "projection_version": version,
    }


def item(record: Json, metrics: Json | None) -> dict[str, Any]:
    """Return one incident as incidents.json has it."""
    names = "id system title severity status when who why action actions fingerprint"
    whole: dict[str, Any] = {name: record[name] for name in names.split()}
    return whole | {
        "mode_before_after": record["mode_before_after"],
        "phase": record["phase"],
        "metrics_before_after": metrics["metrics"] if metrics else None,
        "metrics_note": metrics["note"] if metrics else None,
        "duration_s": _duration(record["when"]),
        "timeline": record["timeline"],
        "timeline_left_out": record["timeline_left_out"],
        "evidence_positions": [entry["position"] for entry in record["timeline"]],
    }


def _duration(when: Json) -> int | None:
    """Return the whole seconds from opening to the end; None while it lasts, or if clocks contradict."""
    end = when["resolved"] or when["closed"]
    if end is None:
        return None
    seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(when["opened"])).total_seconds()
    return int(seconds) if seconds >= 0 else None
