"""rollout verify, rollout checkpoint."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Final

import click

from cli import options
from cli.call import Call, command
from cli.output import Output, counted, say
from ledger.domain.errors import IntegrityFailure, UsageError
from ledger.store import checkpoint as checkpoints, verify as verification
from ledger.store.connect import open_connection
from ledger.store.guards import UNGUARDED, missing_guards
from ledger.store.postgres import PostgresStore
from projections.archive.verify import Report, verify as recompute_archive
from runtime.verification import by_duckdb, for_reading
from runtime.wiring import Runtime

COMMANDLINE: Final = click.core.ParameterSource.COMMANDLINE


@command("verify")
@options.file(
    "--checkpoint",
    "checkpoint_file",
    envvar="ROLLOUT_CHECKPOINT",
    show_envvar=True,
    help="A checkpoint kept elsewhere: the log must agree with it, and is recomputed from there on.",
)
@click.option(
    "--from",
    "first",
    type=click.IntRange(min=1),
    metavar="N",
    help="Start at position N, and take what is stored before it as given.",
)
@click.option(
    "--engine",
    type=click.Choice(["python", "database", "duckdb"]),
    default="python",
    show_default=True,
    help="What recomputes: this program; the database's own function; DuckDB, over the audit replica.",
)
@click.option(
    "--archive",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Recompute this archive of Parquet files instead. Needs no ledger and no PostgreSQL.",
)
def verify(
    call: Call, checkpoint_file: Path | None, first: int | None, engine: str, archive: Path | None
) -> None:
    """Recompute the hash chain and name the first bad position.

    Without a checkpoint that was kept elsewhere, a log that was cut off at its end, or rewritten as a whole
    by somebody who may do everything, is as consistent as it was before. Exit 7 if something is wrong.

    Example:
      rollout checkpoint --out /mnt/elsewhere/ledger.json
      rollout verify --checkpoint /mnt/elsewhere/ledger.json
      rollout verify --archive /mnt/archive
    """
    if archive is not None:
        if first is not None:
            raise UsageError("An archive is verified from its first position on: leave --from out.")
        if click.get_current_context().get_parameter_source("engine") is COMMANDLINE:
            raise UsageError("An archive is recomputed by DuckDB: leave --engine out.")
        _verify_archive(call.runtime, archive, checkpoint_file, call.output)
        return

    if checkpoint_file is not None and first is not None:
        raise UsageError("--checkpoint and --from both say where to start: give one of them.")
    checkpoint = checkpoints.read(checkpoint_file) if checkpoint_file is not None else None
    dsn, role = for_reading(call.runtime)
    engines = {**verification.ENGINES, "duckdb": by_duckdb(call.runtime.settings.home)}
    began = call.runtime.clock.monotonic()
    report = verification.verify(
        dsn, role=role, engine=engines[engine], checkpoint=checkpoint, first=first or 1,
        tell=call.runtime.progress("verifying"),
    )  # fmt: skip
    seconds = call.runtime.clock.monotonic() - began
    problem = report.problem
    record = {
        "sound": problem is None,
        "first": report.first,
        "last": report.last,
        "events": report.events,
        "chain": report.chain.hex(),
        "blobs": report.blobs,
        "restoring_to": report.to_come,
        "engine": engine,
        "seconds": round(seconds, 3),
        "bad_position": problem.position if problem else None,
        "problem": problem.kind if problem else None,
        "explanation": problem.sentence if problem else None,
    }
    if problem is not None:
        if call.output.format != "table":
            call.output.record(record)
        raise IntegrityFailure(
            f"The first bad position is {problem.position} ({problem.kind}). {problem.sentence}",
            hint="Keep the database as it is, as evidence, and restore from a backup that verifies.",
        )
    with open_connection(dsn, role=role) as connection:
        missing = missing_guards(connection)
    if missing:
        raise IntegrityFailure(
            f"The log is as it was recorded, and is not guarded any more: {'; '.join(missing)}.",
            hint=UNGUARDED,
        )
    call.output.record(record, _said(report.first, report.last, report.chain, report.blobs))
    if report.to_come is not None:
        say(f"This is half a restore: positions {report.last + 1} to {report.to_come} are still to come.\n"
            "  next: repeat the restore; it goes on where it was")  # fmt: skip


def _said(first: int, last: int, chain: bytes, blobs: int) -> str:
    if last < first:
        return f"Nothing to recompute: the log ends at position {last}."
    return (
        f"Positions {first} to {last} are as they were recorded"
        f"{f', and so are {blobs} configuration files' if blobs else ''}.\n{last} {chain.hex()}"
    )


def _verify_archive(
    runtime: Runtime, path: Path, checkpoint_file: Path | None, output: Output
) -> None:
    """Verify the archive in ``path``, against a checkpoint if there is one. Opens no ledger.

    Raises:
        BadInput: it is no archive, or the file no checkpoint.
        IntegrityFailure: it is not what was sealed; the sentence names the first bad position.
    """
    started = runtime.clock.monotonic()
    kept = checkpoints.read(checkpoint_file) if checkpoint_file is not None else None
    report = recompute_archive(path, kept=kept, progress=runtime.progress("verifying"))
    seconds = runtime.clock.monotonic() - started
    problem = report.problem
    if output.format != "table":
        output.record(_record_of_archive(path, report, seconds))
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
        output.record({}, _said_of_archive(report))


def _said_of_archive(report: Report) -> str:
    if report.last == 0:
        return "Nothing to recompute: the archive is empty."
    blobs = f", and so are {counted(report.blobs, 'configuration file')}" if report.blobs else ""
    return (
        f"Positions 1 to {report.last} are as they were recorded{blobs} "
        f"({counted(report.files, 'file')}, {counted(report.ranges, 'range')}).\n"
        f"{report.last} {report.chain}"
    )


def _record_of_archive(path: Path, report: Report, seconds: float) -> dict[str, object]:
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


@command("checkpoint", output=False)
@options.file("--out", help="Write it to this file, as a whole or not at all. Default: print it.")
def checkpoint(call: Call, out: Path | None) -> None:
    """Write the log's position, hash and time, to keep elsewhere.

    Keep it where whoever may change the database may not write: another host, a repository, paper.

    Example:
      rollout checkpoint --out /mnt/elsewhere/ledger.json
    """
    dsn, role = for_reading(call.runtime)
    with closing(PostgresStore(dsn, role=role)) as store:
        taken = checkpoints.take(store, call.runtime.clock)
    if out is None:
        Output("json").record(taken.record())
        return
    taken.write(out)
    say(f"{out}: position {taken.position}, {taken.chain.hex()[:16]}…")
