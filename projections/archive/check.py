"""One range after another, recomputed from its files alone by DuckDB: what sealing and verifying share."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ledger.domain.errors import LedgerError
from ledger.files import sha256_of
from ledger.folders import scratch_folder
from projections.archive.layout import BLOBS, Manifest, SealedFile, damaged
from projections.audit.verify import first_bad_position

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

COLUMNS: Final = {
    "format": "SMALLINT", "position": "BIGINT", "revision": "BIGINT", "schema_version": "INTEGER",
    "event_id": "UUID", "occurred_at": "TIMESTAMP", "recorded_at": "TIMESTAMP", "body_hash": "BLOB",
    "stream": "VARCHAR", "type": "VARCHAR", "chain": "BLOB", "body": "BLOB",
}  # fmt: skip
BLOB_COLUMNS: Final = {"sha256": "BLOB", "bytes": "BLOB"}

_CONFIG: Final[dict[str, Any]] = {
    "memory_limit": "2GB",
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "python_enable_replacements": False,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and the first position that can't be vouched for because of it."""

    position: int | None
    kind: str
    """row | body | chain | revision | blob | missing_file | changed_file | strange_file | record"""
    sentence: str


@contextmanager
def engine() -> Generator[DuckDBPyConnection]:
    """Open an engine without a file of its own; what spills from memory lies in a private folder."""
    import duckdb

    with scratch_folder("rollout-archive") as scratch:
        connection = duckdb.connect(":memory:", config={**_CONFIG, "temp_directory": str(scratch)})
        try:
            connection.execute(sql("views.sql"))
            yield connection
        finally:
            connection.close()


def sql(name: str) -> str:
    """Return the text of ``sql/NAME``."""
    return files("projections.archive").joinpath("sql", name).read_text(encoding="utf-8")


class Checker:
    """Recomputes ranges in their order: each `check` stands on those before it."""

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection: Final = connection
        self.blobs = 0
        """How many blobs were hashed again."""
        self.missing_blobs = 0
        """How many the ledger did not have any more when they were to be sealed."""

    def take_as_given(self, folder: Path, manifest: Manifest) -> None:
        """Remember where a range leaves its streams, and its blobs, without recomputing it.

        Raises:
            ArchiveDamaged: a file is missing, has another size, or can't be read.
        """
        import duckdb

        for file in manifest.files:
            fault = _fault(folder, file)
            if fault is not None:
                raise damaged(fault[1], manifest.first)
        try:
            self.show(folder, manifest)
            self._connection.execute(sql("streams.sql"))
            if any(file.path == BLOBS for file in manifest.files):
                self.remember(folder / BLOBS)
        except duckdb.Error as error:
            raise damaged(f"{folder} can't be read: {first_line(error)}.", manifest.first) from None
        self._excuse(manifest.missing_blobs)

    def show(self, folder: Path, manifest: Manifest) -> None:
        """Let `log.event` show the rows of a range."""
        self._show(folder, [file for file in manifest.files if file.path != BLOBS])

    def check(self, folder: Path, manifest: Manifest) -> Problem | None:
        """Return what is wrong with a range of which all before it are sound.

        The sizes and hashes of its files are looked at first; where one differs, or a file is missing, the
        events tell which position is the first that suffers.
        """
        wrong = [fault for file in manifest.files if (fault := _fault(folder, file, hashed=True))]
        present = [
            file for file in manifest.files if file.path != BLOBS and (folder / file.path).is_file()
        ]
        bad = self._recomputed(folder, present, manifest)
        if bad is None and not wrong:
            bad = self._without_blob(folder, manifest)
        if not wrong:
            if bad is None:
                self._connection.execute(sql("streams.sql"))
            return bad
        kind, sentence = wrong[0]
        if bad is None:  # another encoding of the same rows, or bytes that no reader looks at
            return Problem(manifest.first, kind, sentence)
        return Problem(bad.position, kind, sentence)

    def _recomputed(
        self, folder: Path, present: list[SealedFile], manifest: Manifest
    ) -> Problem | None:
        import duckdb

        if not present:
            return Problem(manifest.first, "row", "its events are missing")
        for file in present:
            try:
                reason = self._unfit(folder / file.path, COLUMNS)
            except duckdb.Error as error:
                reason = first_line(error)
            if reason is not None:
                return Problem(
                    manifest.first, "changed_file",
                    f"{folder / file.path} can't be read as events: {reason}.",
                )  # fmt: skip
        try:
            self._show(folder, present)
            return self._first_bad(manifest)
        except duckdb.OutOfMemoryException as error:
            raise LedgerError(
                f"{folder} needs more memory, or room for what does not fit in it: {first_line(error)}.",
                hint="Free some space where temporary files lie (TMPDIR), then repeat the command.",
            ) from error
        except duckdb.Error as error:
            return Problem(
                manifest.first, "changed_file", f"{folder} can't be read: {first_line(error)}."
            )

    def _first_bad(self, manifest: Manifest) -> Problem | None:
        connection = self._connection
        count, lacking, unplaced = _row(connection.execute(sql("nulls.sql")).fetchone())
        broken = first_bad_position(
            connection,
            after=manifest.first - 1,
            before=bytes.fromhex(manifest.chain_before),
            up_to=manifest.last,
        )
        bads = [Problem(broken.position, "chain", f"There, {broken.problem}.")] if broken else []
        if lacking is not None:
            bads.append(Problem(lacking, "row", "There, a field is missing."))
        (gap,) = _row(connection.execute(sql("revisions.sql")).fetchone())
        if gap is not None:
            why = "There, the revision does not follow its stream's last."
            bads.append(Problem(gap, "revision", why))
        # A position outside of the range is itself what was changed; the one it took is missing.
        bads = [bad for bad in bads if manifest.first <= (bad.position or 0) <= manifest.last]
        if bads:
            return min(bads, key=lambda bad: bad.position or 0)
        if self.chain_at(manifest.last) != manifest.chain_after:
            return Problem(manifest.last, "record", "There, the manifest has another chain value.")
        if count != manifest.events or unplaced:
            return Problem(
                manifest.first, "row", f"The range has {count} rows for {manifest.events} events."
            )
        return None

    def chain_at(self, position: int) -> str | None:
        """Return the chain value at a position of `log.event`, in hex."""
        query = "SELECT chain FROM log.event WHERE position = $1"
        row = self._connection.execute(query, [position]).fetchone()
        return bytes(row[0]).hex() if row else None

    def _without_blob(self, folder: Path, manifest: Manifest) -> Problem | None:
        """Return the first event that names bytes which are not there, or not the ones that it names."""
        import duckdb

        path = folder / BLOBS
        if any(file.path == BLOBS for file in manifest.files):
            try:
                reason = self._unfit(path, BLOB_COLUMNS) or self._blob_that_differs(path)
                if reason is None:
                    self.remember(path)
            except duckdb.Error as error:
                reason = first_line(error)
            if reason is not None:
                return Problem(
                    manifest.first, "blob", f"{path} is not what it should be: {reason}."
                )
        self._excuse(manifest.missing_blobs)
        missing = self.missing()
        if not missing:
            return None
        position, name = missing[0]
        return Problem(
            position, "blob", f"The event there names the bytes {name}, which are missing."
        )

    def missing(self) -> list[tuple[int, str]]:
        """Return the bytes that events of `log.event` name and no range has, each with its first event."""
        rows = self._connection.execute(sql("named.sql")).fetchall()
        return [(int(position), str(name)) for position, name in rows]

    def _blob_that_differs(self, path: Path) -> str | None:
        row = self._connection.execute(
            "SELECT hex(sha256) FROM read_parquet($1) "
            "WHERE sha256 IS NULL OR bytes IS NULL OR unhex(sha256(bytes)) <> sha256 LIMIT 1",
            [pattern(path)],
        ).fetchone()
        return None if row is None else f"the bytes of {str(row[0]).lower()} are others"

    def _excuse(self, names: Sequence[str]) -> None:
        self._connection.execute(
            "INSERT OR IGNORE INTO absent SELECT unnest($1::VARCHAR[])", [list(names)]
        )
        self.missing_blobs += len(names)

    def remember(self, path: Path) -> None:
        """Take in which blobs a file has."""
        (count,) = _row(
            self._connection.execute(
                "INSERT OR IGNORE INTO blob SELECT lower(hex(sha256)) FROM read_parquet($1)",
                [pattern(path)],
            ).fetchone()
        )
        self.blobs += count

    def _unfit(self, path: Path, columns: dict[str, str]) -> str | None:
        rows = self._connection.execute(
            "DESCRIBE SELECT * FROM read_parquet($1, hive_partitioning = false)", [pattern(path)]
        ).fetchall()
        types = {row[0]: row[1] for row in rows}
        return None if types == columns else "its columns are others"

    def _show(self, folder: Path, present: list[SealedFile]) -> None:
        quoted = (pattern(folder / file.path).replace("'", "''") for file in present)
        paths = ", ".join(f"'{path}'" for path in quoted)
        self._connection.execute(
            f"CREATE OR REPLACE VIEW log.event AS SELECT {', '.join(COLUMNS)} "  # noqa: S608 - the names are constants
            f"FROM read_parquet([{paths}], hive_partitioning = false)"
        )


def _fault(folder: Path, file: SealedFile, *, hashed: bool = False) -> tuple[str, str] | None:
    """Return what kind of fault a file has, with a sentence; its content is looked at where ``hashed``."""
    path = folder / file.path
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return "strange_file", f"{path} is no regular file."
    if not path.exists():
        return "missing_file", f"{path} is missing."
    if path.stat().st_size != file.bytes or (hashed and sha256_of(path) != file.sha256):
        return "changed_file", f"{path} was changed since it was sealed."
    return None


def first_line(error: BaseException) -> str:
    """Return what an error of the engine says, in one line."""
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__


def pattern(path: Path) -> str:
    """Return ``path`` for `read_parquet`, which would take a star in it for a pattern."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))


def _row(row: tuple[Any, ...] | None) -> tuple[Any, ...]:
    return row if row is not None else (None, None, None)
