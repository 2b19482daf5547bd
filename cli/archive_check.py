"""rollout verify --archive: an archive's files recomputed, and what to say about them."""

from __future__ import annotations

from pathlib import Path

from cli.output import Output, counted, say
from ledger.domain.errors import IntegrityFailure
from ledger.store import checkpoint
from projections.archive.verify import Report, verify
from runtime.wiring import Runtime


def verify_archive(
    runtime: Runtime, path: Path, checkpoint_file: Path | None, output: Output
) -> None:
    """Verify the archive in ``path``, against a checkpoint if there is one. Opens no ledger.

    Raises:
        BadInput: it is no archive, or the file no checkpoint.
        IntegrityFailure: it is not what was sealed; the sentence names the first bad position.
    """
    started = runtime.clock.monotonic()
    kept = checkpoint.read(checkpoint_file) if checkpoint_file is not None else None
    report = verify(path, kept=kept, progress=runtime.progress("verifying"))
    seconds = runtime.clock.monotonic() - started
    problem = report.problem
    if output.format != "table":
        output.record(_record(path, report, seconds))
    if problem is not None:
        where = "" if problem.position is None else f"The first bad position is {problem.position} "
        raise IntegrityFailure(
            f"{where}({problem.kind}). {problem.sentence}".lstrip()
            if where
            else f"{problem.sentence} ({problem.kind})",
            hint="Keep it as it is, as evidence, and use another copy, or export anew from a ledger that "
            "verifies.",
        )
    if report.missing_blobs:
        lost = counted(report.missing_blobs, "configuration file")
        say(f"note: the ledger had lost {lost} that events name when it was archived")
    if report.unlisted:
        say(
            f"note: {counted(report.unlisted, 'range')} not in the list yet: an export was interrupted"
        )
    if output.format == "table":
        output.record({}, _said(report))


def _said(report: Report) -> str:
    if report.last == 0:
        return "Nothing to recompute: the archive is empty."
    blobs = f", and so are {counted(report.blobs, 'configuration file')}" if report.blobs else ""
    return (
        f"Positions 1 to {report.last} are as they were recorded{blobs} "
        f"({counted(report.files, 'file')}, {counted(report.ranges, 'range')}).\n"
        f"{report.last} {report.chain}"
    )


def _record(path: Path, report: Report, seconds: float) -> dict[str, object]:
    problem = report.problem
    return {
        "sound": problem is None,
        "archive": str(path),
        "first": 1,
        "last": report.last,
        "events": report.last,
        "chain": report.chain,
        "ranges": report.ranges,
        "files": report.files,
        "blobs": report.blobs,
        "missing_blobs": report.missing_blobs,
        "engine": "duckdb",
        "seconds": round(seconds, 3),
        "bad_position": problem.position if problem else None,
        "problem": problem.kind if problem else None,
        "explanation": problem.sentence if problem else None,
    }
