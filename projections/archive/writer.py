"""One range of the archive: copied, written beside its name, recomputed, and then named."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ledger import files
from ledger.domain.clock import Clock
from ledger.domain.errors import IntegrityFailure
from ledger.domain.log.ids import Actor
from ledger.domain.log.records import MadeBy
from ledger.domain.values.moments import iso
from ledger.fail_points import reach
from ledger.folders import scratch_folder, staged_folder
from projections.archive import layout
from projections.archive.check import COLUMNS, Checker, sql
from projections.archive.layout import BLOBS, FORMAT, MANIFEST, Archive, Manifest, Range, SealedFile
from projections.audit.log_reader import BATCH_EVENTS, LogReader
from projections.audit.staging import load, prepare_staging, take_loaded
from projections.audit.texts import sql as audit_sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who seals, with what."""

    by: Actor
    clock: Clock
    program: str
    schema: str


class RangeWriter:
    """Seals ranges one after the other."""

    def __init__(
        self,
        connection: DuckDBPyConnection,
        log: LogReader,
        blobs: LogReader,
        provenance: Provenance,
        archive: Archive,
    ) -> None:
        self._connection: Final = connection
        self._log: Final = log
        self._blobs: Final = blobs
        self._provenance: Final = provenance
        self._archive: Final = archive
        self._checker: Final = Checker(connection)
        prepare_staging(connection)
        # One thread for each file: rows keep their order, and the same rows give the same file.
        connection.execute("SET preserve_insertion_order = true")

    def seal(self, after: int, up_to: int) -> Generator[Range]:
        """Yield each range of the events after a position up to another, when it is sealed."""
        if after >= up_to:
            return
        for each in self._archive.ranges:
            self._checker.take_as_given(each.path, each.manifest)
        previous = self._archive.ranges[-1] if self._archive.ranges else None
        with (
            scratch_folder("rollout-archive") as scratch,
            closing(self._log.copy(after, up_to, scratch)) as copied,
        ):
            for piece in copied:
                load(self._connection, piece)
                take_loaded(self._connection)
                previous = self._seal_one(piece.rows, previous, scratch)
                yield previous

    def _seal_one(self, rows: int, previous: Range | None, scratch: Path) -> Range:
        after = previous.manifest.last if previous else 0
        hole = self._connection.execute(audit_sql("hole.sql"), {"after": after}).fetchone()
        if hole is not None:
            raise _unsound(after, hole[0], "it is missing")
        path = self._archive.path / layout.folder_name(after + 1, after + rows)
        with staged_folder(path) as folder:
            written = [*self._write_events(folder), *self._write_blobs(folder, scratch)]
            manifest = self._manifest(rows, previous, written, self._missing(folder, written))
            content = manifest.encoded()
            with files.told_as_not_written(path):
                _ = (folder / MANIFEST).write_bytes(content)
                for name in (MANIFEST, *(each.path for each in written)):
                    with (folder / name).open("rb") as file:
                        os.fsync(file.fileno())
            reach("archive.before_check")
            problem = self._checker.check(folder, manifest)
            if problem is not None:
                raise _unsound(after, problem.position, problem.sentence)
            reach("archive.before_rename")
        reach("archive.after_rename")
        return Range(manifest, files.sha256_of(path / MANIFEST), path)

    def _write_events(self, folder: Path) -> list[SealedFile]:
        connection = self._connection
        connection.execute(sql("partitions.sql"))
        parts = connection.execute(
            "SELECT system, day, count(*) FROM parted GROUP BY ALL ORDER BY system NULLS FIRST, day"
        ).fetchall()
        written: list[SealedFile] = []
        for system, day, count in parts:
            rows = connection.sql(
                f"SELECT {', '.join(COLUMNS)} FROM parted "  # noqa: S608 - the names are constants
                "WHERE system IS NOT DISTINCT FROM $system AND day = $day ORDER BY position",
                params={"system": system, "day": day},
            )
            written.append(_written(folder, layout.partition(system, day), rows, count))
        connection.execute("DROP TABLE parted")
        return written

    def _write_blobs(self, folder: Path, scratch: Path) -> list[SealedFile]:
        """Write the bytes that the events name and no earlier range holds, as far as the ledger has them."""
        connection = self._connection
        names = [str(name) for (name,) in connection.execute(sql("mentioned.sql")).fetchall()]
        copied = self._blobs.copy_blobs(names, scratch / "blobs.copy")
        if copied.rows == 0:
            return []
        rows = connection.sql(
            "SELECT unhex(sha256) AS sha256, unhex(coalesce(bytes, '')) AS bytes FROM read_csv($file, "
            "auto_detect = false, header = false, delim = chr(9), quote = '', escape = '', nullstr = '\\N', "
            "max_line_size = $longest, columns = {'sha256': 'VARCHAR', 'bytes': 'VARCHAR'}) ORDER BY sha256",
            params={"file": str(copied.path), "longest": copied.longest + 1},
        )
        written = _written(folder, BLOBS, rows, copied.rows)
        copied.path.unlink()
        return [written]

    def _manifest(
        self,
        rows: int,
        previous: Range | None,
        written: list[SealedFile],
        missing: tuple[str, ...],
    ) -> Manifest:
        head = previous.manifest if previous else None
        first = head.last + 1 if head else 1
        ((chain, since, until),) = self._connection.execute(
            "SELECT arg_max(chain, position), arg_min(recorded_at, position), "
            "arg_max(recorded_at, position) FROM staging.fresh"
        ).fetchall()
        return Manifest(
            format=FORMAT,
            ledger=self._archive.ledger,
            program=self._provenance.program,
            schema=self._provenance.schema,
            first=first,
            last=first + rows - 1,
            events=rows,
            chain_before=head.chain_after if head else layout.GENESIS,
            chain_after=bytes(chain).hex(),
            recorded_from=_utc(since),
            recorded_to=_utc(until),
            previous=previous.sha256 if previous else None,
            sealed_at=iso(self._provenance.clock.now()),
            sealed_by=MadeBy(**self._provenance.by.as_record()),
            files=tuple(written),
            missing_blobs=missing,
        )

    def _missing(self, folder: Path, written: list[SealedFile]) -> tuple[str, ...]:
        """Return what the events name and the ledger has lost; the archive is made all the same."""
        if any(file.path == BLOBS for file in written):
            self._checker.remember(folder / BLOBS)
        self._connection.execute(
            "CREATE OR REPLACE VIEW log.event AS SELECT position, type, body FROM staging.fresh"
        )
        return tuple(name for _, name in self._checker.missing())


def _written(folder: Path, name: str, rows: DuckDBPyRelation, count: int) -> SealedFile:
    path = folder / name
    with files.told_as_not_written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    rows.write_parquet(str(path), compression="zstd", row_group_size=BATCH_EVENTS)
    size = path.stat().st_size
    return SealedFile(path=name, rows=count, bytes=size, sha256=files.sha256_of(path))


def _utc(moment: datetime) -> str:
    return f"{moment.isoformat(timespec='microseconds')}Z"


def _unsound(after: int, position: int | None, why: str) -> IntegrityFailure:
    return IntegrityFailure(
        f"Position {position} of the log is not as it was recorded: {why.rstrip('.')}. "
        f"The archive ends at position {after}.",
        hint="A damaged log is not archived. Run: rollout verify",
    )
