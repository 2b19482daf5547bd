"""Every stored byte as JSON lines, and the same as CSV for people's tables."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from io import StringIO
from typing import BinaryIO, Final

from ledger.domain.log import lines
from ledger.domain.log.envelope import Recorded
from ledger.domain.log.ids import Actor
from ledger.domain.values.moments import iso
from projections.core.base import MERELY_OBSERVED
from projections.exports.source import Source, Wanted, said
from projections.words.sentences import sentence

COLUMNS: Final = (
    "position", "occurred_at", "recorded_at", "system", "type", "sentence", "actor_id", "actor",
    "actor_kind", "channel", "reason", "operation", "backfilled", "spooled", "stream", "revision",
    "schema_version", "event_id", "body_hash", "chain", "body",
)  # fmt: skip

Progress = Callable[[int, int], None]
_HASH: Final = re.compile(rb"[0-9a-f]{64}")


def write_jsonl(
    source: Source,
    wanted: Wanted,
    out: BinaryIO,
    *,
    by: Actor,
    at: datetime,
    program: str,
    schema: str,
    progress: Progress,
) -> int:
    """Write a `bounded` selection with all bytes that its events name; return how many events it has."""
    last = wanted.last or 0
    header = lines.Header(
        wanted.first, last, source.chain_at(wanted.first - 1), wanted.whole, source.ledger_id(),
        program, schema, wanted.system, wanted.since, wanted.until,
    )  # fmt: skip
    _line(out, lines.header(header, exported_at=at, exported_by=by.as_record()))
    named: set[str] = set()
    events = blobs = 0
    for page in _pages(source, wanted, progress):
        new = sorted({name for event in page for name in _names(event)} - named)
        named.update(new)
        for name, content in source.blobs(new):
            _line(out, lines.blob(content, name))
            blobs += 1
        for event in page:
            _line(out, lines.event(event))
        events += len(page)
    _line(out, lines.end(lines.End(events, blobs, source.chain_at(last))))
    return events


def write_csv(source: Source, wanted: Wanted, out: BinaryIO, *, progress: Progress) -> int:
    """Write a `bounded` selection, a row an event; return how many it has."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    events = 0
    for page in _pages(source, wanted, progress):
        writer.writerows(map(_row, page))
        out.write(text.getvalue().encode())
        text.seek(0)
        text.truncate()
        events += len(page)
    out.write(text.getvalue().encode())
    return events


def _pages(source: Source, wanted: Wanted, progress: Progress) -> Iterator[list[Recorded]]:
    last = wanted.last or 0
    for page in source.events(wanted.system, wanted.first, last):
        progress(page[-1].position, last)
        yield [event for event in page if wanted.has(event)]


def _line(out: BinaryIO, line: bytes) -> None:
    out.write(line + b"\n")


def _names(event: Recorded) -> list[str]:
    """Return whatever in a body looks like the hash of bytes; the ledger says which of them are."""
    if event.type in MERELY_OBSERVED:
        return []
    return [name.decode() for name in _HASH.findall(event.body)]


def _row(event: Recorded) -> tuple[object, ...]:
    body = said(event)
    actor = body.get("actor", {})
    return (
        event.position, iso(event.occurred_at), iso(event.recorded_at), body.get("system"), event.type,
        _sentence(event) if body else "", actor.get("id"), actor.get("name"),
        actor.get("kind"), body.get("channel"), body.get("reason"), body.get("operation"),
        _truth(body.get("backfilled")), _truth(body.get("spooled")), event.stream, event.revision,
        event.schema_version, event.event_id, event.body_hash.hex(), event.chain.hex(),
        event.body.decode(errors="replace"),
    )  # fmt: skip


def _sentence(event: Recorded) -> str:
    try:
        return sentence(event.type, event.data)
    except (KeyError, TypeError, ValueError, AttributeError):
        return ""  # its body was changed, or a program wrote it that knows more than this one


def _truth(value: object) -> str:
    return "true" if value else "false"
