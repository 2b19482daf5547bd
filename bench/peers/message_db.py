"""message-db: functions for PostgreSQL, as npm's `@eventide/message-db` ships them."""

from __future__ import annotations

import shutil
import subprocess
import threading
from pathlib import Path
from time import perf_counter
from typing import Any, Final, LiteralString, cast

import psycopg
from psycopg import Connection

from bench import payload
from bench.peers import FOLDER, PeerMissing
from ledger.domain.ids import uuid7

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


def fetch() -> Path:
    """Return the folder of the package's SQL scripts, installed if need be.

    Raises:
        PeerMissing: there is no npm, or no registry that it can reach.
    """
    scripts = FOLDER / "message-db" / "node_modules" / PACKAGE / "database"
    if not (scripts / "install.sh").exists():
        npm = shutil.which("npm")
        if npm is None:
            raise PeerMissing(f"{PACKAGE} comes by npm, which is not installed")
        folder = FOLDER / "message-db"
        folder.mkdir(parents=True, exist_ok=True)
        words = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--silent"]
        done = subprocess.run([*words, PACKAGE], capture_output=True, text=True, check=False)
        if done.returncode != 0 or not (scripts / "install.sh").exists():
            reason = (done.stderr or done.stdout).strip().splitlines()
            raise PeerMissing(f"npm could not install {PACKAGE}: {reason[-1] if reason else '?'}")
    return scripts


def version() -> str:
    """Return the installed version."""
    return (fetch() / "VERSION.txt").read_text(encoding="utf-8").strip()


def install(dsn: str) -> None:
    """Install message-db in the database at ``dsn``.

    Left out: the extension pgcrypto, which it wants for gen_random_uuid() and PostgreSQL 13 and later
    have themselves, and its role and summary views, which no write touches.

    Raises:
        PeerMissing: it could not be fetched.
    """
    scripts = fetch()
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
        self._version = dict.fromkeys(streams, -1)
        self._at = 0

    def write(self) -> None:
        """Write one message to the next stream."""
        stream = self._streams[self._at % len(self._streams)]
        self._at += 1
        arguments = (
            str(uuid7()), f"orders-bot-{stream:03}", "OrderActivityRecorded",
            payload.body(stream).decode(), self._version[stream],
        )  # fmt: skip
        self._connection.execute(CALL, arguments)
        self._version[stream] += 1

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class Crowd:
    """Many writers at once, each in a thread, over a connection and with a stream of its own."""

    def __init__(self, dsn: str, size: int) -> None:
        self._writers = [Writer(dsn, range(number, number + 1)) for number in range(size)]

    def rate(self, seconds: float) -> float:
        """Let all of them write for a while; return messages a second."""
        counts = [0] * len(self._writers)
        begin = threading.Barrier(len(self._writers) + 1)
        deadline = perf_counter() + 3600

        def write(number: int) -> None:
            begin.wait()
            while perf_counter() < deadline:
                self._writers[number].write()
                counts[number] += 1

        threads = [threading.Thread(target=write, args=(n,)) for n in range(len(self._writers))]
        for thread in threads:
            thread.start()
        began = perf_counter()
        deadline = began + seconds
        begin.wait()
        for thread in threads:
            thread.join()
        return sum(counts) / (perf_counter() - began)

    def close(self) -> None:
        """Close the connections."""
        for writer in self._writers:
            writer.close()
