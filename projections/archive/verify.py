"""The archive verified from its files alone: no PostgreSQL, no ledger, no memory of an earlier run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ledger.store.checkpoint import Checkpoint
from projections.archive import layout
from projections.archive.check import Checker, Problem, engine
from projections.archive.layout import Archive, ArchiveDamaged


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification went over, and what it found."""

    last: int
    """The last position that the archive says it has."""
    chain: str
    """The chain value there, in hex."""
    ranges: int
    files: int
    blobs: int
    missing_blobs: int
    """What events name and the ledger had lost when they were sealed, as the manifests say."""
    unlisted: int
    """Ranges that were sealed and not entered into the list: an export was killed."""
    problem: Problem | None


def verify(
    path: Path,
    *,
    kept: Checkpoint | None = None,
    progress: Callable[[int, int], None] = lambda _reached, _end: None,
) -> Report:
    """Recompute the archive in ``path`` from position 1 on.

    ``kept`` is a checkpoint that the archive must agree with; ``progress`` gets the position reached and
    the last one.

    Raises:
        BadInput: ``path`` is no archive.
        SchemaNewer: it is of a format that this program does not know.
        FileNotRead: a file can't be read, so nothing can be said about it.
    """
    try:
        archive = layout.read(path)
    except ArchiveDamaged as damaged:
        problem = Problem(damaged.position, "record", damaged.message)
        return Report(0, layout.GENESIS, 0, 0, 0, 0, 0, problem)
    problem, checker = _problem(archive, progress)
    files = sum(len(each.manifest.files) for each in archive.ranges)
    if problem is None and kept is not None:
        problem = _against(archive, kept)
    return Report(
        archive.last, archive.chain, len(archive.ranges), files, checker.blobs, checker.missing_blobs,
        archive.unlisted, problem,
    )  # fmt: skip


def _problem(
    archive: Archive, progress: Callable[[int, int], None]
) -> tuple[Problem | None, Checker]:
    stranger = next(layout.strangers(archive), None)
    with engine() as connection:
        checker = Checker(connection)
        for each in archive.ranges:
            problem = checker.check(each.path, each.manifest)
            if problem is not None:
                return problem, checker
            progress(each.manifest.last, archive.last)
    if stranger is not None:
        sentence = f"{stranger} is no part of the archive."
        return Problem(None, "strange_file", sentence), checker
    return None, checker


def _against(archive: Archive, kept: Checkpoint) -> Problem | None:
    """Return what is wrong with an archive that is sound in itself, seen against a checkpoint."""
    if kept.ledger is not None and archive.ledger is not None and kept.ledger != archive.ledger:
        return Problem(
            1, "other_ledger",
            f"The checkpoint was made of the ledger {kept.ledger}; the archive is of {archive.ledger}.",
        )  # fmt: skip
    if archive.last < kept.position:
        return Problem(
            archive.last + 1, "cut_off",
            f"The archive ends at position {archive.last}; when the checkpoint was written, the log went "
            f"on to {kept.position}.",
        )  # fmt: skip
    if chain_at(archive, kept.position) != kept.chain.hex():
        return Problem(
            kept.position, "rewritten",
            f"At position {kept.position} the archive is not what the log was when the checkpoint was "
            "written, though it is consistent in itself.",
        )  # fmt: skip
    return None


def chain_at(archive: Archive, position: int) -> str | None:
    """Return the chain value at a position that the archive has, in hex; `GENESIS` at 0."""
    if position == 0:
        return layout.GENESIS
    for each in archive.ranges:
        if each.manifest.first <= position <= each.manifest.last:
            with engine() as connection:
                checker = Checker(connection)
                checker.show(each.path, each.manifest)
                return checker.chain_at(position)
    return None
