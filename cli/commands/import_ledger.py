"""rollout import ledger."""

from __future__ import annotations

from pathlib import Path

import click

from cli import options
from cli.call import Call, command
from ledger.domain.errors import IntegrityFailure, SchemaNewer
from ledger.service.backups import exports
from ledger.service.backups.restoring import Source
from ledger.store import migrate
from projections.archive import layout
from projections.archive.reading import ArchivedLog
from projections.archive.verify import verify
from runtime.restoring import restored
from runtime.wiring import Runtime


@command("ledger")
@click.argument("source", type=click.Path(path_type=Path))
@options.checkpoint("export")
def ledger(call: Call, source: Path, checkpoint_file: Path | None) -> None:
    """Read a whole ledger back: an archive (a folder), or a file of JSON lines that `export` wrote.

    Goes into an empty ledger, which must not have been used, and continues the same chain: the same
    positions, times, bytes and hashes. Repeat it where it was interrupted. Nothing is recorded by it.

    Example:
      ROLLOUT_HOME=/srv/new-home rollout import ledger /mnt/archive
    """
    log = _archive(call.runtime, source) if source.is_dir() else _file(source)
    outcome = restored(call.runtime, log, checkpoint_file)
    record = {
        "source": str(source), "outcome": outcome, "last": log.last, "events": log.last,
        "chain": log.chain.hex(),
    }  # fmt: skip
    call.output.record(record, f"{source}: {outcome}, {log.last:,} events\nchain {log.chain.hex()}")


def _file(path: Path) -> Source:
    return exports.read(path)


def _archive(runtime: Runtime, path: Path) -> Source:
    report = verify(path, progress=runtime.progress("verifying the archive"))
    if report.problem is not None:
        where = f"position {report.problem.position}: " if report.problem.position else ""
        raise IntegrityFailure(
            f"{path}: {where}{report.problem.sentence}", hint="Nothing was imported."
        )
    archive = layout.read(path)
    for each in archive.ranges:
        if each.manifest.schema_ > migrate.HEAD:
            raise SchemaNewer(
                f"{each.path} was written by a newer rollout-ledger, {each.manifest.program} "
                f"(migration {each.manifest.schema_}).",
                hint="Upgrade rollout-ledger; nothing was changed.",
            )
    return ArchivedLog(archive)
