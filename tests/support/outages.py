"""Ways to take a ledger away from a command, and to give it back."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString

import psutil
import psycopg
from psycopg import conninfo, sql

from ledger.store.embedded import EmbeddedPostgres

NOWHERE = "host=127.0.0.1 port=1 dbname=none user=none"
"""A DSN where nobody answers, at once."""


@contextmanager
def frozen(home: Path) -> Iterator[None]:
    """Stop every process of a home's server, as a disk that hangs would."""
    pid = EmbeddedPostgres(home).status().pid
    assert pid is not None
    server = psutil.Process(pid)
    processes = [server, *server.children(recursive=True)]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)


@contextmanager
def away(dsn: str) -> Iterator[None]:
    """End every session of a database and let nobody connect to it, for a while."""
    take_away(dsn)
    try:
        yield
    finally:
        give_back(dsn)


def take_away(dsn: str) -> None:
    """End every session of a database, and let nobody connect to it any more."""
    _admin(dsn, "ALTER DATABASE {} ALLOW_CONNECTIONS false")
    end_sessions(dsn)


def give_back(dsn: str) -> None:
    """Let everybody connect again."""
    _admin(dsn, "ALTER DATABASE {} ALLOW_CONNECTIONS true")


def end_sessions(dsn: str) -> None:
    """End every session of a database, as a restart of the server would."""
    with psycopg.connect(conninfo.make_conninfo(dsn, dbname="postgres"), autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
            (_name(dsn),),
        )


def _admin(dsn: str, statement: LiteralString) -> None:
    with psycopg.connect(conninfo.make_conninfo(dsn, dbname="postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL(statement).format(sql.Identifier(_name(dsn))))


def _name(dsn: str) -> str:
    return str(conninfo.conninfo_to_dict(dsn)["dbname"])
