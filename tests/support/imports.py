"""What the tests of imports share: a ledger on a real server, and short ways to import into it."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

from ledger.clock import SystemClock
from ledger.configuration.keys import HomeKey
from ledger.configuration.secrets import redact_text
from ledger.domain import events
from ledger.domain.log.envelope import Recorded
from ledger.domain.log.ids import Actor, ActorKind, Channel, control_stream, orders_stream
from ledger.domain.state import SystemState
from ledger.domain.systems import decide as systems
from ledger.service.core.creation import create_ledger
from ledger.service.core.local_cache import LocalMemory
from ledger.service.core.recorder import Origin, Recorder
from ledger.service.core.session import Ledger
from ledger.service.imports import importing
from ledger.service.imports.base import Imported
from ledger.service.imports.importing import Manner
from ledger.service.recovery import finish_dead_operations
from ledger.store.postgres import PostgresStore
from tests.support.pasts import Repository

ANN = Origin(Actor("ann", "Ann", ActorKind.HUMAN), Channel.CLI)
BOT = "bot"


def open_ledger(dsn: str, home: Path) -> Ledger:
    """Return a ledger in the database ``dsn``, with its key in ``home``."""
    clock = SystemClock()
    keys = HomeKey(home, os.environ, create=True)
    recorder = Recorder(PostgresStore(dsn), clock, partial(redact_text, keys=keys))
    return Ledger(
        recorder=recorder,
        home=home,
        warn=lambda _: None,
        keys=keys,
        memory=LocalMemory(home / "cache" / "here"),
        finish=finish_dead_operations,
    )


def register(ledger: Ledger, *files: str) -> None:
    """Register `BOT`, with configuration files of those names."""
    create_ledger(ledger.recorder, ANN)
    config_files = tuple(events.ConfigFile(name=name, path=f"/srv/bot/{name}") for name in files)
    ledger.recorder.decide(
        BOT,
        lambda state: systems.register(
            state,
            environment="production",
            description="",
            actuators=events.Actuators(config_files=config_files),
        ),
        ANN,
    )


def close(ledger: Ledger) -> None:
    """Close the ledger's connection."""
    store = ledger.recorder.store
    assert isinstance(store, PostgresStore)
    store.close()


def import_log(ledger: Ledger, path: Path, **manner: Any) -> Imported:
    """Import a change log."""
    return importing.import_config_changes(ledger, BOT, path, ANN, Manner(**manner))


def import_git(ledger: Ledger, repository: Repository, *paths: str, **manner: Any) -> Imported:
    """Import the history of files in a repository."""
    return importing.import_git(ledger, BOT, repository.path, paths, ANN, Manner(**manner))


def import_orders(
    ledger: Ledger, *paths: Path, kind: Any = "jsonl", **manner: Any
) -> list[Imported]:
    """Import files of order activity."""
    return list(importing.import_activity(ledger, BOT, paths, kind, ANN, Manner(**manner)))


def of_bot(ledger: Ledger, *types: str) -> list[Recorded]:
    """Return the events of the control stream (of those types), in order."""
    stream = ledger.recorder.store.read_stream(control_stream(BOT))
    return [event for event in stream if not types or event.type in types]


def orders(ledger: Ledger) -> list[Recorded]:
    """Return the order activity, in order."""
    return list(ledger.recorder.store.read_stream(orders_stream(BOT)))


def head(ledger: Ledger) -> int:
    """Return the last position of the log."""
    return ledger.recorder.store.head().position


def state(ledger: Ledger) -> SystemState:
    """Return the folded state."""
    return ledger.recorder.load(BOT)
