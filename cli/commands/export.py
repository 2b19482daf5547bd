"""rollout export parquet, jsonl, csv, cdevents, annotations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli import options
from cli.output import Output, counted
from cli.wiring import Runtime, pass_runtime

if TYPE_CHECKING:
    from projections.archive.seal import Provenance


@click.group()
def export() -> None:
    """Write the log to files: the archive, and for other programs.

    An export covers the log up to the end that it has now. A file takes its name when it is whole.
    """


@export.command("parquet")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="DIR",
    envvar="ROLLOUT_ARCHIVE", show_envvar=True, help="The archive's folder: a new one, or one to go on with.",
)  # fmt: skip
@click.option(
    "--to", "up_to", type=click.IntRange(min=1), metavar="N", help="Up to position N. Default: all."
)
@options.output
@pass_runtime
def parquet(runtime: Runtime, out: Path, up_to: int | None, output: Output) -> None:
    """Bring an archive of Parquet files up to the end of the log.

    What is new becomes a range of its own, parted by system and day, with a manifest. A range that is sealed
    is never written again, so copy the folder as you like. Interrupted, it goes on after the last range.

    \b
    Example:
      rollout export parquet --out /mnt/archive
      rollout verify --archive /mnt/archive
    """
    from cli.progress import Progress
    from projections.archive.seal import export as bring_up

    done = bring_up(
        runtime.store_dsn,
        out,
        provenance(runtime),
        up_to=up_to,
        progress=Progress("archiving", runtime.clock),
    )
    archive = done.archive
    record = {
        "archive": str(out), "last": archive.last, "chain": archive.chain, "added": done.added,
        "ranges_added": done.ranges, "ranges": len(archive.ranges), "ledger": archive.ledger,
    }  # fmt: skip
    if done.added:
        ranges = counted(done.ranges, "range")
        human = f"{out}: {counted(done.added, 'event')} added in {ranges}\n{archive.last} {archive.chain}"
    else:
        human = f"skipped (already up to position {archive.last}): {out}"
    output.record(record, human)


def provenance(runtime: Runtime) -> Provenance:
    """Return who exports here, with what."""
    from importlib.metadata import version

    from ledger.store import migrate
    from projections.archive.seal import Provenance

    return Provenance(
        by=runtime.settings.actor,
        clock=runtime.clock,
        program=version("rollout-ledger"),
        schema=migrate.HEAD,
    )
