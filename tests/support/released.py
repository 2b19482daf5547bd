"""What a release left behind (tests/fixtures): its log, its states, copies of its files to work on."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from ledger.domain.log import lines
from ledger.domain.log.envelope import Recorded

RELEASE = Path(__file__).parents[1] / "fixtures" / "a4991de"
PASSPHRASE = "the passphrase of a fixture\n"
TYPES = 78
"""How many event types that release had."""


class Change(NamedTuple):
    """What an event meant to the release: the fields of a system's state that it changed."""

    position: int
    system: str
    type: str
    changed: dict[str, Any]


def checkpoint() -> dict[str, Any]:
    """Return where the log stood."""
    read: dict[str, Any] = json.loads((RELEASE / "checkpoint.json").read_bytes())
    return read


def recorded() -> Iterator[Recorded]:
    """Yield the events, from the JSON lines that the release exported."""
    for line in gzip.decompress((RELEASE / "ledger.jsonl.gz").read_bytes()).splitlines():
        record = lines.parse(line)
        if isinstance(record, Recorded):
            yield record


def changes() -> dict[int, Change]:
    """Return what each event of a system meant to the release, by position."""
    text = gzip.decompress((RELEASE / "states.jsonl.gz").read_bytes())
    found = [Change(**json.loads(line)) for line in text.splitlines()]
    return {change.position: change for change in found}


def last_states() -> dict[str, dict[str, Any]]:
    """Return the state of each system at the end of the log, but for fields that never changed."""
    states: dict[str, dict[str, Any]] = {}
    for change in changes().values():
        states.setdefault(change.system, {}).update(change.changed)
    return states


def restore_database(dsn: str) -> None:
    """Fill the empty database of ``dsn`` from the dump. The ledger's roles must be there.

    A dump does not hold the one right on the database itself, which the migration had given.
    """
    dump = gzip.decompress((RELEASE / "database.sql.gz").read_bytes()).decode()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(dump.encode())
        name = sql.Identifier(str(conninfo_to_dict(dsn)["dbname"]))
        grant = sql.SQL("GRANT CREATE ON DATABASE {} TO ledger_projector").format(name)
        connection.execute(grant)


def copy_home(folder: Path) -> Path:
    """Return a copy of the home; git keeps no file's rights, so the key's are given back."""
    home = folder / "home"
    shutil.copytree(RELEASE / "home", home)
    (home / "secret.key").chmod(0o600)
    return home


def copy_bot(folder: Path) -> Path:
    """Return a copy of the bot's files."""
    return shutil.copytree(RELEASE / "bot", folder / "bot")
