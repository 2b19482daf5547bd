"""incidents.json, derived from the log alone: the same bytes after every rebuild (I7)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from ledger.domain.state import iso
from projections.base import Db

SCHEMA_ID: Final = "urn:rollout-ledger:incidents:1"
Json = Mapping[str, Any]


def render(db: Db, version: int) -> tuple[bytes, int]:
    """Return incidents.json, and how many incidents it tells of; reads the tables of the search path."""
    rows = db.execute(
        "SELECT record, metrics, changed_position FROM incident ORDER BY position"
    ).fetchall()
    items = [(orjson.loads(record), orjson.loads(metrics or "null")) for record, metrics, _ in rows]
    known = [changed for _, _, changed in rows]
    known += [metrics["position"] for _, metrics in items if metrics]
    document = {
        "$schema": SCHEMA_ID,
        "ledger": _ledger(db, max(known, default=0), version),
        "incidents": [item(record, metrics) for record, metrics in items],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE), len(
        items
    )


def _ledger(db: Db, position: int, version: int) -> Json:
    """Return which point of the log the document is about: the last event that an incident hangs on."""
    row = db.execute(
        "SELECT encode(chain, 'hex'), recorded_at FROM ledger.event WHERE position = %s",
        (position,),
    ).fetchone()
    return {
        "position": position,
        "hash": row[0] if row else None,
        "generated_at": iso(row[1]) if row else None,
        "projection_version": version,
    }


def item(record: Json, metrics: Json | None) -> dict[str, Any]:
    """Return one incident as incidents.json has it."""
    names = (
        "id",
        "system",
        "title",
        "severity",
        "status",
        "when",
        "who",
        "why",
        "action",
        "actions",
        "fingerprint",
    )
    whole: dict[str, Any] = {name: record[name] for name in names}
    whole["why"] = {**record["why"], "expr": None, "threshold": None, "for": None, "observed": None}
    return whole | {
        "mode_before_after": record["mode_before_after"],
        "phase": None,
        "metrics_before_after": metrics["metrics"] if metrics else None,
        "metrics_note": metrics["note"] if metrics else None,
        "duration_s": _duration(record["when"]),
        "timeline": record["timeline"],
        "timeline_left_out": record["timeline_left_out"],
        "evidence_positions": [entry["position"] for entry in record["timeline"]],
    }


def _duration(when: Json) -> int | None:
    """Return the whole seconds from opening to the end, None while it lasts."""
    end = when["resolved"] or when["closed"]
    if end is None:
        return None
    return int(
        (datetime.fromisoformat(end) - datetime.fromisoformat(when["opened"])).total_seconds()
    )
