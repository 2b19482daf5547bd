"""The archive as a log that a ledger can be restored from: its events and blobs, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from ledger.domain.log.envelope import Recorded
from projections.archive.check import Checker, engine, pattern
from projections.archive.layout import BLOBS, Archive

ROWS_AT_ONCE: Final = 5000
_EVENTS: Final = (
    "SELECT position, revision, schema_version, event_id, occurred_at, recorded_at, stream, type, "
    "body, body_hash, chain FROM log.event WHERE position > $1 ORDER BY position"
)


@dataclass(frozen=True, slots=True)
class ArchivedLog:
    """A whole log, in an archive that was verified."""

    archive: Archive

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self.archive.path)

    @property
    def last(self) -> int:
        """Its last position."""
        return self.archive.last

    @property
    def chain(self) -> bytes:
        """The chain value at `last`."""
        return bytes.fromhex(self.archive.chain)

    def blobs(self) -> Iterator[bytes]:
        """Yield the bytes that its events name."""
        with engine() as connection:
            for each in self.archive.ranges:
                if not any(file.path == BLOBS for file in each.manifest.files):
                    continue
                result = connection.execute(
                    "SELECT bytes FROM read_parquet($1)", [pattern(each.path / BLOBS)]
                )
                while rows := result.fetchmany(ROWS_AT_ONCE):
                    yield from (bytes(row[0]) for row in rows)

    def events(self, after: int = 0) -> Iterator[Recorded]:
        """Yield its events after a position."""
        with engine() as connection:
            checker = Checker(connection)
            for each in self.archive.ranges:
                if each.manifest.last <= after:
                    continue
                checker.show(each.path, each.manifest)
                result = connection.execute(_EVENTS, [after])
                while rows := result.fetchmany(ROWS_AT_ONCE):
                    for row in rows:
                        yield Recorded(
                            *row[:4],
                            occurred_at=row[4].replace(tzinfo=UTC),
                            recorded_at=row[5].replace(tzinfo=UTC),
                            stream=row[6],
                            type=row[7],
                            body=bytes(row[8]),
                            body_hash=bytes(row[9]),
                            chain=bytes(row[10]),
                        )
