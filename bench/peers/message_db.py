"""message-db: functions for PostgreSQL, as npm's `@eventide/message-db` ships them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from time import perf_counter
from typing import Any, Final, LiteralString, cast

import psycopg
from psycopg import Connection

from bench import payload
from bench.measure import rate_of_crowd
from bench.peers import PeerMissing
from ledger.domain.log.ids import uuid7

NAME: Final = "message-db"
PACKAGE: Final = "@eventide/message-db"
CALL: Final = "SELECT message_store.write_message(%s, %s, %s, %s::jsonb, NULL, %s)"
# In the order of the package's own install.sh.
SCRIPTS: Final = (
    "schema/message-store", "tables/messages", "types/message", "functions/message-store-version",
    "functions/hash-64", "functions/acquire-lock", "functions/category", "functions/is-category",
    "functions/id", "functions/cardinal-id", "functions/stream-version", "functions/write-message",
    "functions/get-stream-messages", "functions/get-category-messages",
    "functions/get-last-stream-message", "indexes/messages-id", "indexes/messages-stream",
    "indexes/messages-category",
)  # fmt: skip


def fetch(folder: Path) -> Path:
    """Return where the package's SQL scripts are, installed in ``folder`` if need be.

    Raises:
        PeerMissing: there is no npm, or no registry that it can reach.
    """
    folder = folder / "message-db"
    scripts = folder / "node_modules" / PACKAGE / "database"
    if not (scripts / "install.sh").exists():
        npm = shutil.which("npm")
        if npm is None:
            raise PeerMissing(f"{PACKAGE} comes by npm, which is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        words = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--silent"]
        done = subprocess.run([*words, PACKAGE], capture_output=True, text=True, check=False)
        if done.returncode != 0 or not (scripts / "install.sh").exists():
            reason = (done.stderr or done.stdout).strip().splitlines()
            raise PeerMissing(f"npm could not install {PACKAGE}: {reason[-1] if reason else '?'}")
    return scripts


def version(scripts: Path) -> str:
    """Return the installed version."""
    return (scripts / "VERSION.txt").read_text(encoding="utf-8").strip()


def install(dsn: str, scripts: Path) -> None:
    """Install message-db in the database at ``dsn``.

    Left out: the extension pgcrypto, which it wants for gen_random_uuid() and PostgreSQL 13 and later
    have themselves, and its role and summary views, which no write touches.
    """
    with _connect(dsn) as connection:
        for script in SCRIPTS:
            text = (scripts / f"{script}.sql").read_text(encoding="utf-8")
            connection.execute(cast("LiteralString", text))


def _connect(dsn: str) -> Connection[Any]:
    options = "-c search_path=message_store,public -c client_min_messages=warning"
    return psycopg.connect(dsn, autocommit=True, options=options)


class Writer:
    """Writes one message a call. Each stream's version is expected, as ours expects revisions."""

    def __init__(self, dsn: str, streams: range = range(payload.STREAMS)) -> None:
        self._connection = _connect(dsn)
        self._streams = streams
        self._body = payload.body(0).decode()
        self._written = 0

    def next(self) -> tuple[Any, ...]:
        """Return the arguments for the next message, to the next stream."""
        round_, at = divmod(self._written, len(self._streams))
        self._written += 1
        stream = f"orders-bot-{self._streams[at]:03}"
        return str(uuid7()), stream, "OrderActivityRecorded", self._body, round_ - 1

    def write(self, arguments: tuple[Any, ...]) -> None:
        """Write the message that `next` prepared."""
        self._connection.execute(CALL, arguments)

    def rate(self, count: int) -> float:
        """Write ``count`` messages, one after the other; return messages a second."""
        prepared = [self.next() for _ in range(count)]
        began = perf_counter()
        for arguments in prepared:
            self.write(arguments)
        return count / (perf_counter() - began)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class Crowd:
    """Many writers at once, each in a thread, over a connection and with a stream of its own."""

    def __init__(self, dsn: str, size: int) -> None:
        self._writers = [Writer(dsn, range(number, number + 1)) for number in range(size)]

    def rate(self, seconds: float) -> float:
        """Let all of them write for a while; return messages a second."""
        return rate_of_crowd(
            [lambda w=writer: w.write(w.next()) for writer in self._writers], seconds
        )

    def close(self) -> None:
        """Close the connections."""
        for writer in self._writers:
            writer.close()
