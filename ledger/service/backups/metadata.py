"""``metadata.json``: what a backup holds and where it comes from. It is written last."""

from __future__ import annotations

import re
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal

import orjson
from pydantic import Field

from ledger.domain.errors import IntegrityFailure, SchemaNewer
from ledger.domain.log import records
from ledger.domain.log.event import Count, Sha256
from ledger.domain.log.records import MadeBy, Record, TableDigest
from ledger.store import migrate

FORMAT: Final = 1
METADATA: Final = "metadata.json"
METADATA_BYTES_MAX: Final = 16 * 2**20
KEY: Final = "key.age"
Kind = Literal["events", "blobs", "order_lines", "key"]
NAME: Final = re.compile(r"\d{8}T\d{6}Z-\d{12,19}")


class BackupFile(Record):
    """One of its files; hash and size are of what lies on the disk, encrypted or not."""

    name: str = Field(pattern=r"^[a-z0-9.-]{1,100}$")
    kind: Kind
    first: Count = 0
    """Of a piece of the log: its first position."""
    last: Count = 0
    lines: Count
    """Events, blobs or order lines in it."""
    bytes: Count
    sha256: Sha256


class Metadata(Record):
    """The whole of it."""

    format: Literal[1]
    backup: str
    ledger: str | None
    """The id in the event at position 1."""
    program: str
    schema_: str = Field(alias="schema")
    """The migration of the database that it was read from."""
    made_at: str
    made_by: MadeBy
    first: Literal[1]
    last: Count
    chain: Sha256
    """The chain value at ``last``: the restored log has to end with it."""
    events: Count
    blobs: Count
    """Configuration files, canonical forms and rollout plans: whatever bytes events name."""
    order_lines: Count
    """Lines of order activity in a file of their own; the events hold all of it in any case."""
    encryption: Literal["none", "age"]
    recipients: tuple[str, ...]
    read_models: tuple[TableDigest, ...]
    files: tuple[BackupFile, ...]

    @property
    def size(self) -> int:
        """How many bytes its files take."""
        return sum(file.bytes for file in self.files)

    @property
    def made(self) -> datetime:
        """When it was begun: it holds the log as it was then, aware, in UTC."""
        return datetime.fromisoformat(self.made_at)


def parsed(content: bytes, name: str) -> Metadata:
    """Return the metadata of the backup ``name``.

    Raises:
        SchemaNewer: a newer version of the program made it.
        IntegrityFailure: it is not what this program writes.
    """
    try:
        record: Any = orjson.loads(content)
        newer = _newer_than_this(record)
        if newer is None:
            return _adding_up(records.parsed(content, Metadata, partial(_damaged, name)))
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(name, type(error).__name__) from None
    raise SchemaNewer(
        f"The backup {name} was made by a newer rollout-ledger, {record.get('program')} ({newer}).",
        hint="Upgrade rollout-ledger; nothing was changed.",
    )


def _adding_up(metadata: Metadata) -> Metadata:
    """Raise IntegrityFailure where it contradicts itself: nobody is told a count that isn't so."""
    said = {
        "events": metadata.events, "blobs": metadata.blobs, "order_lines": metadata.order_lines
    }  # fmt: skip
    for kind, count in said.items():
        lines = sum(file.lines for file in metadata.files if file.kind == kind)
        if count != lines:
            raise _damaged(metadata.backup, f"{kind} is {count}, and its files hold {lines}")
    if metadata.events != metadata.last:
        raise _damaged(metadata.backup, f"{metadata.events} events end at #{metadata.last}")
    return metadata


def _newer_than_this(record: dict[str, Any]) -> str | None:
    if type(record["format"]) is int and record["format"] > FORMAT:
        return f"format {record['format']}"
    if isinstance(record["schema"], str) and record["schema"] > migrate.HEAD:
        return f"migration {record['schema']}, this one knows {migrate.HEAD}"
    return None


def _damaged(name: str, why: str) -> IntegrityFailure:
    return IntegrityFailure(
        f"The metadata.json of the backup {name} is not what was written: {why}.",
        hint="Use another backup: rollout backup list",
    )
