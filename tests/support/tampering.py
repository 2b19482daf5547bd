"""Doing to the log what nobody may do: as a superuser, with the guards taken off and put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.abc import Query

from ledger.store.base import chain_after
from ledger.store.postgres import PostgresStore


@contextmanager
def unguarded(dsn: str) -> Iterator[Connection[Any]]:
    """A superuser's connection for which the log's triggers are off."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ALTER TABLE ledger.event DISABLE TRIGGER ALL")
        connection.execute("ALTER TABLE ledger.blob DISABLE TRIGGER ALL")
        try:
            yield connection
        finally:
            connection.execute("ALTER TABLE ledger.event ENABLE ALWAYS TRIGGER event_append_only")
            connection.execute("ALTER TABLE ledger.blob ENABLE ALWAYS TRIGGER blob_append_only")


def tamper(dsn: str, *statements: Query) -> None:
    """Run ``statements`` unguarded."""
    with unguarded(dsn) as connection:
        for statement in statements:
            connection.execute(statement)


def rewrite(dsn: str, first: int, change: Query) -> None:
    """Make ``change``, then compute every chain value from ``first`` on anew: a log that is sound again."""
    with unguarded(dsn) as connection:
        connection.execute(change)
        connection.execute("UPDATE ledger.event SET body_hash = sha256(body)")
        store = PostgresStore(dsn)
        before = store.get(first - 1)
        chain = before.chain if before else bytes(32)
        update = sql.SQL("UPDATE ledger.event SET chain = %s WHERE position = %s")
        for event in list(store.read(first - 1)):
            chain = chain_after(chain, event)
            connection.execute(update, [chain, event.position])
        store.close()
