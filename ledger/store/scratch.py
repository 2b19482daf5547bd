"""A database to try things in: beside the ledger on the same server, gone when the work is done.

One that a killed process left is taken up by the next that wants the same, or dropped by the next of all:
who works in one holds a lock of its name, in the ledger's database, for as long as it lives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import Connection, errors as pg_errors, sql
from psycopg.conninfo import make_conninfo

from ledger.domain.errors import OperationInProgress, RightMissing
from ledger.store.connect import open_connection
from ledger.store.postgres import translated

PREFIX: Final = "rollout_scratch"
_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
_UNLOCK: Final = "SELECT pg_advisory_unlock(hashtextextended(%s, 0))"


@contextmanager
def scratch_database(dsn: str, purpose: str) -> Generator[str]:
    """Yield the conninfo of a database for ``purpose`` on the server of ``dsn``; drop it afterwards.

    Raises:
        OperationInProgress: another process works in the one for that purpose.
        RightMissing: this login may not make databases.
    """
    connection = open_connection(dsn, role=None)
    try:
        family = f"{PREFIX}_{_digest(connection.info.dbname)}"
        name = f"{family}_{_digest(purpose)}"
        try:
            if not _locked(connection, name):
                raise OperationInProgress(
                    "Another process works in the scratch database for this.",
                    hint="Wait for it to finish, then repeat the command.",
                )
            _drop_abandoned(connection, family, keep=name)
        except psycopg.Error as error:
            raise _told(error) from error
        try:
            _make(connection, name)
            yield make_conninfo(dsn, dbname=name)
        finally:
            if not connection.closed:
                _drop(connection, name)
    finally:
        connection.close()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _locked(connection: Connection[Any], name: str) -> bool:
    row = connection.execute(_LOCK, (name,)).fetchone()
    return row is not None and bool(row[0])


def _drop_abandoned(connection: Connection[Any], family: str, *, keep: str) -> None:
    rows = connection.execute(
        "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", (family + "_",)
    )
    for (name,) in rows.fetchall():
        if name != keep and _locked(connection, name):
            _drop(connection, name)
            connection.execute(_UNLOCK, (name,))


def _make(connection: Connection[Any], name: str) -> None:
    there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
    if there is not None:
        return
    create = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
    try:
        connection.execute(sql.SQL(create).format(sql.Identifier(name)))
    except psycopg.Error as error:
        raise _told(error) from error


def _drop(connection: Connection[Any], name: str) -> None:
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    connection.execute(statement.format(sql.Identifier(name)))


def _told(error: psycopg.Error) -> Exception:
    if isinstance(error, pg_errors.InsufficientPrivilege):
        return RightMissing(
            f"This login may not make a scratch database: {str(error).splitlines()[0]}.",
            hint="Verify on the embedded PostgreSQL instead: --scratch embedded",
        )
    return translated(error)
