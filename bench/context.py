"""What the rows share: the server, the sizes, and the big log that several of them read."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

from bench import generate
from bench.hardware import Load
from bench.peers import PeerMissing, eventsourcing, message_db
from bench.server import Server

T = TypeVar("T")


@dataclass
class Bench:
    """One run. Close `cleanup` when it is over."""

    server: Server
    events: int
    """How long the big log is."""
    quick: bool
    folder: Path
    """Where peers are installed."""
    peers: dict[str, str] = field(default_factory=dict)
    """Those that were measured, with their versions."""
    cleanup: ExitStack = field(default_factory=ExitStack)

    def size(self, full: int, quick: int) -> int:
        """Return the one of two sizes that this run wants."""
        return quick if self.quick else full

    def per_processor_second(self, watch: Load, events: int) -> str:
        """Return how many of ``events`` went through for each second of a processor's time, for a note."""
        used = watch.ours_seconds()
        if not used:
            return ""
        return f"{events / used:,.0f} events per second of processor time, the server's included"

    def closing(self, thing: Any) -> Any:
        """Have ``thing`` closed at the end of the row; return it."""
        self.cleanup.callback(thing.close)
        return thing

    @cached_property
    def log(self) -> str:
        """The conninfo of the big log, filled when it is first wanted."""
        return self.filled(self.events)

    def filled(self, count: int) -> str:
        """Return the conninfo of a new ledger with a realistic log of ``count`` events in it."""
        say(f"filling a ledger with {count:,} events")
        dsn, began = self.server.new_ledger(), perf_counter()
        generate.fill(dsn, count)
        say(f"  {count / (perf_counter() - began):,.0f} events/s, made and appended")
        self.server.settle(dsn)
        return dsn

    def message_db(self, *, flush: bool = False) -> str:
        """Return the conninfo of a new database with message-db in it.

        Raises:
            PeerMissing: it could not be installed.
        """
        scripts = message_db.fetch(self.folder)
        self.peers[message_db.NAME] = message_db.version(scripts)
        dsn = self.server.new_database(flush=flush)
        message_db.install(dsn, scripts)
        return dsn

    def eventsourcing(self) -> eventsourcing.Writer:
        """Return a writer of eventsourcing over a new database.

        Raises:
            PeerMissing: it could not be installed.
        """
        python = eventsourcing.fetch(self.folder)
        writer: eventsourcing.Writer = self.closing(
            eventsourcing.Writer(self.server.new_database(), python)
        )
        self.peers[eventsourcing.NAME] = writer.version()
        return writer


def unless_missing(make: Callable[[], T]) -> tuple[T | None, str | None]:
    """Return what ``make`` makes, or why the peer is missing."""
    try:
        return make(), None
    except PeerMissing as reason:
        return None, f"peer missing: {reason}"


def say(text: str) -> None:
    """Tell the person who waits, on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def load() -> str:
    """Return the load averages."""
    return " ".join(f"{value:.1f}" for value in os.getloadavg())
