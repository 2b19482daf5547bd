"""The log as JSON lines, every stored byte of it: what `rollout export jsonl` and backups are made of.

docs/archive.md has the form. Lines are bytes without the line feed.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

import orjson

from ledger.domain.log import canonical
from ledger.domain.log.envelope import Recorded
from ledger.domain.values.moments import iso

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Header:
    """The first line: which piece of which log this is."""

    first: int
    last: int
    chain_before: bytes
    whole: bool
    """Every event from position 1 to ``last`` is here."""
    ledger: str | None
    program: str
    schema: str
    system: str | None = None
    """Of this system alone."""
    since: datetime | None = None
    until: datetime | None = None
    """Of this time alone, by ``occurred_at``."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that events name."""

    content: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The last line: how much there was. A file without it was cut off."""

    events: int
    blobs: int
    chain: bytes
    """At the header's ``last``."""


Line: TypeAlias = Header | Blob | Recorded | End


def header(head: Header, *, exported_at: datetime, exported_by: dict[str, str]) -> bytes:
    """Return the first line."""
    return orjson.dumps(
        {
            "record": "export", "format": FORMAT, "ledger": head.ledger, "program": head.program,
            "schema": head.schema, "first": head.first, "last": head.last,
            "chain_before": head.chain_before.hex(), "whole": head.whole, "system": head.system,
            "since": iso(head.since) if head.since else None,
            "until": iso(head.until) if head.until else None,
            "exported_at": iso(exported_at), "exported_by": exported_by,
        }
    )  # fmt: skip


def blob(content: bytes, name: str | None = None) -> bytes:
    """Return the line of a blob; ``name`` is the hash it is kept under: by it, other bytes are found out."""
    sha256 = name if name is not None else hashlib.sha256(content).hexdigest()
    text = base64.b64encode(content).decode()
    return orjson.dumps({"record": "blob", "sha256": sha256, "bytes": text})


def event(recorded: Recorded) -> bytes:
    """Return the line of an event."""
    record: dict[str, Any] = {
        "record": "event", "format": canonical.FORMAT, "position": recorded.position,
        "revision": recorded.revision, "schema_version": recorded.schema_version,
        "event_id": str(recorded.event_id), "occurred_at": iso(recorded.occurred_at),
        "recorded_at": iso(recorded.recorded_at), "body_hash": recorded.body_hash.hex(),
        "stream": recorded.stream, "type": recorded.type, "chain": recorded.chain.hex(),
    }  # fmt: skip
    try:
        record["body"] = recorded.body.decode()
    except UnicodeDecodeError:
        record["body_base64"] = base64.b64encode(recorded.body).decode()
    return orjson.dumps(record)


def end(ending: End) -> bytes:
    """Return the last line."""
    return orjson.dumps(
        {
            "record": "end",
            "events": ending.events,
            "blobs": ending.blobs,
            "chain": ending.chain.hex(),
        }
    )


def parse(line: bytes) -> Line:
    """Return what a line says.

    Raises:
        ValueError: it is no line of this format; the message says why.
    """
    try:
        record: dict[str, Any] = orjson.loads(line)
        return _READERS[record["record"]](record)
    except orjson.JSONDecodeError:
        raise ValueError("it is not JSON") from None
    except KeyError as error:
        raise ValueError(f"{error} is missing, or not known") from None
    except (TypeError, AttributeError, OverflowError):
        raise ValueError("a value is not of its type") from None


def _header(record: dict[str, Any]) -> Header:
    if record["format"] != FORMAT:
        raise ValueError(f"its format is {record['format']!r}, and this program knows {FORMAT}")
    return Header(
        _integer(record["first"]), _integer(record["last"]), bytes.fromhex(record["chain_before"]),
        record["whole"] is True, record["ledger"], str(record["program"]), str(record["schema"]),
    )  # fmt: skip


def _blob(record: dict[str, Any]) -> Blob:
    content = base64.b64decode(record["bytes"], validate=True)
    if hashlib.sha256(content).hexdigest() != record["sha256"]:
        raise ValueError(f"the bytes are not those of {record['sha256']}")
    return Blob(content)


def _event(record: dict[str, Any]) -> Recorded:
    if record["format"] != canonical.FORMAT:
        raise ValueError(f"the event's format is {record['format']!r}, not {canonical.FORMAT}")
    text = record.get("body")
    body = base64.b64decode(record["body_base64"], validate=True) if text is None else text.encode()
    return Recorded(
        position=_integer(record["position"]),
        revision=_integer(record["revision"]),
        schema_version=_integer(record["schema_version"]),
        event_id=UUID(record["event_id"]),
        occurred_at=datetime.fromisoformat(record["occurred_at"]),
        recorded_at=datetime.fromisoformat(record["recorded_at"]),
        stream=record["stream"],
        type=record["type"],
        body=body,
        body_hash=bytes.fromhex(record["body_hash"]),
        chain=bytes.fromhex(record["chain"]),
    )


def _end(record: dict[str, Any]) -> End:
    return End(
        _integer(record["events"]), _integer(record["blobs"]), bytes.fromhex(record["chain"])
    )


_READERS: Final = {"export": _header, "blob": _blob, "event": _event, "end": _end}


def _integer(value: Any) -> int:
    if type(value) is not int:
        raise ValueError(f"{value!r} is no whole number")
    return value
