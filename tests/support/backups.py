"""A ledger worth a backup, and places to restore it into."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from ledger.store.postgres import PostgresStore
from tests.support.builders import NOON, events
from tests.support.commands import Rollout
from tests.support.histories import metrics
from tests.support.postgres import PostgresServer

ORDERS = 40


def fill(rollout: Rollout, folder: Path, *, metrics_count: int = 50) -> None:
    """Give a ledger configurations, switches, order activity, an incident and metrics."""
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text("grid: {levels: 5}\nsize: 10\n")
    rollout("system", "add", "bot", "--control-file", folder / "mode.json",
            "--config-file", folder / "config.yaml")  # fmt: skip
    rollout("config", "put", "bot", folder / "config.yaml", "--stable", "--in-force", "--tag", "v1")
    rollout("switch", "bot", "--to", "mock", "--reason", "rehearsal", "--yes")
    rollout("incident", "open", "bot", "odd fills", "--severity", "warning")
    lines = [
        {
            "type": "order_intent",
            "timestamp": f"2025-11-20T12:00:{n:02d}Z",
            "client_order_id": f"gd-{n}",
        }
        for n in range(ORDERS)
    ]
    (folder / "orders.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    rollout("import", "jsonl", "bot", folder / "orders.jsonl")
    store = PostgresStore(rollout.dsn or "")
    store.append([metrics("bot", NOON, latency=str(n)) for n in range(metrics_count)])
    store.close()


def lengthen(dsn: str, count: int) -> None:
    """Append many events, so that a backup has several pieces."""
    store = PostgresStore(dsn)
    store.append(events(count, "metrics:other"))
    store.close()


@contextmanager
def empty_ledger(server: PostgresServer, home: Path) -> Iterator[Rollout]:
    """The command line over a database in which nothing was ever made."""
    with server.new_database() as dsn:
        yield Rollout(home, dsn)


def log_of(dsn: str) -> list[tuple[Any, ...]]:
    """Return all that a ledger holds, events and blobs."""
    with psycopg.connect(dsn) as connection:
        return [
            *connection.execute("SELECT * FROM ledger.event ORDER BY position").fetchall(),
            *connection.execute("SELECT * FROM ledger.blob ORDER BY sha256").fetchall(),
        ]


def scratch_databases(dsn: str) -> list[str]:
    """Return the scratch databases of the ledger at ``dsn``; the server may have others'."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, 'rollout_scratch_' || "
            "left(encode(sha256(current_database()::text::bytea), 'hex'), 10))"
        )
        return [row[0] for row in rows]
