"""A checkpoint: what the log was at some position, to be kept out of reach of who can change the log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypedDict

from ledger import files
from ledger.domain.clock import Clock
from ledger.domain.errors import BadInput
from ledger.store.base import EventStore

FORMAT: Final = 1
FILE_BYTES_MAX: Final = 64 * 1024
CHAIN_BYTES: Final = 32


class CheckpointRecord(TypedDict):
    """A checkpoint as its file has it: hex, and ISO 8601."""

    format: int
    ledger: str | None
    position: int
    chain: str
    recorded_at: str | None
    written_at: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The chain value at a position of a ledger; docs/hash-layout.md has the file's form."""

    ledger: str | None
    """The id in the event at position 1; None for a log that does not begin with one."""
    position: int
    chain: bytes
    recorded_at: datetime | None
    """When the event at ``position`` was recorded; None at position 0."""
    written_at: datetime

    def record(self) -> CheckpointRecord:
        """Return the checkpoint as its file has it."""
        return {
            "format": FORMAT,
            "ledger": self.ledger,
            "position": self.position,
            "chain": self.chain.hex(),
            "recorded_at": _text(self.recorded_at) if self.recorded_at else None,
            "written_at": _text(self.written_at),
        }

    def write(self, path: Path) -> None:
        """Write the checkpoint to ``path``, as a whole or not at all.

        Raises:
            FileNotWritten: what was there is untouched.
        """
        files.write_atomically(path, json.dumps(self.record(), indent=2).encode() + b"\n")


def take(store: EventStore, clock: Clock) -> Checkpoint:
    """Return a checkpoint of the log as it is now."""
    head = store.head()
    return Checkpoint(
        ledger=ledger_id(store),
        position=head.position,
        chain=head.chain,
        recorded_at=head.recorded_at,
        written_at=clock.now(),
    )


def ledger_id(store: EventStore) -> str | None:
    """Return the id that the ledger gave itself at position 1, if it did."""
    first = store.get(1)
    if first is None or first.type != "LedgerCreated":
        return None
    try:
        return str(first.data["ledger_id"])
    except (ValueError, KeyError, TypeError):
        return None  # its body was changed: verification says so


def read(path: Path) -> Checkpoint:
    """Return the checkpoint in ``path``.

    Raises:
        BadInput: there is no such file, or it is no checkpoint.
        FileNotRead: it can't be read.
    """
    content = files.read_bounded(path, bytes_max=FILE_BYTES_MAX)
    if content is None:
        raise BadInput(f"{path} does not exist.", hint="rollout checkpoint --out FILE writes one")
    try:
        return _parsed(json.loads(content))
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{path} is no checkpoint: {error}.", hint="rollout checkpoint --out FILE writes one"
        ) from error


def _parsed(record: dict[str, Any]) -> Checkpoint:
    if record["format"] != FORMAT:
        raise ValueError(f"its format is {record['format']!r}, not {FORMAT}")
    chain = bytes.fromhex(record["chain"])
    position = record["position"]
    if len(chain) != CHAIN_BYTES or type(position) is not int or position < 0:
        raise ValueError("its position or its chain value is none")
    recorded_at = record["recorded_at"]
    return Checkpoint(
        ledger=record["ledger"],
        position=position,
        chain=chain,
        recorded_at=datetime.fromisoformat(recorded_at) if recorded_at else None,
        written_at=datetime.fromisoformat(record["written_at"]),
    )


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
