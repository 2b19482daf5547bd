"""rollout export parquet, jsonl, csv, cdevents, annotations."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, TypeVar

import click
import orjson

from cli import options
from cli.call import Call, command
from cli.output import counted, say
from ledger import files
from ledger.domain.errors import UsageError
from ledger.store import migrate
from ledger.store.connect import AUDITOR
from ledger.store.postgres import PostgresStore
from projections.archive.seal import Progress, Provenance, export as seal
from projections.exports.annotations import regions
from projections.exports.cdevents import write_cdevents
from projections.exports.lines import write_csv, write_jsonl
from projections.exports.source import Source, Wanted
from runtime.replica import bring_up, questioner
from runtime.wiring import Runtime

F = TypeVar("F", bound=Callable[..., Any])
TIMEOUT_SECONDS: Final = 300.0


@click.group()
def export() -> None:
    """Write the log to files: the archive, and for other programs.

    An export covers the log up to the end that it has now. A file takes its name when it is whole.
    """


@command("parquet", export)
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="DIR",
    envvar="ROLLOUT_ARCHIVE", show_envvar=True, help="The archive's folder: a new one, or one to go on with.",
)  # fmt: skip
@click.option(
    "--to", "up_to", type=click.IntRange(min=1), metavar="N", help="Up to position N. Default: all."
)
def parquet(call: Call, out: Path, up_to: int | None) -> None:
    """Bring an archive of Parquet files up to the end of the log.

    What is new becomes a range of its own, parted by system and day, with a manifest. A range that is sealed
    is never written again, so copy the folder as you like. Interrupted, it goes on after the last range.

    Example:
      rollout export parquet --out /mnt/archive
      rollout verify --archive /mnt/archive
    """
    call.runtime.store.require_whole()
    done = seal(
        call.runtime.store_dsn,
        out,
        provenance(call.runtime),
        up_to=up_to,
        progress=call.runtime.progress("archiving"),
    )
    archive = done.archive
    if done.missing_blobs:
        lost = counted(done.missing_blobs, "configuration file")
        say(f"warning: the ledger has lost {lost} that events name; run: rollout verify")
    record = {
        "archive": str(out), "last": archive.last, "chain": archive.chain, "added": done.added,
        "ranges_added": done.ranges, "ranges": len(archive.ranges), "ledger": archive.ledger,
    }  # fmt: skip
    if done.added:
        ranges = counted(done.ranges, "range")
        human = f"{out}: {counted(done.added, 'event')} added in {ranges}\n{archive.last} {archive.chain}"
    else:
        human = f"skipped (already up to position {archive.last}): {out}"
    call.output.record(record, human)


def provenance(runtime: Runtime) -> Provenance:
    """Return who exports here, with what."""
    return Provenance(
        by=runtime.settings.actor,
        clock=runtime.clock,
        program=version("rollout-ledger"),
        schema=migrate.HEAD,
    )


_selection = options.stack(
    options.any_system,
    click.option("--since", metavar="TIME",
                 help="Only what happened from this time on: 2025-11-20, 2h, yesterday."),
    click.option("--until", metavar="TIME", help="Only what happened before this time."),
    click.option(
        "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
        help="Write it to this file, as a whole or not at all. Default: print it.",
    ),
)  # fmt: skip
_positions = options.stack(
    click.option("--from", "first", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
                 help="From position N on."),
    click.option("--to", "last", type=click.IntRange(min=1), metavar="N",
                 help="Up to position N. Default: all."),
)  # fmt: skip


@command("jsonl", export, output=False)
@_selection
@_positions
def jsonl(
    call: Call, out: Path | None, since: str | None, until: str | None, first: int, last: int | None
) -> None:
    """Write every stored byte as JSON lines, with the bytes that events name.

    Without a filter a ledger can be restored from it, to the same hash. docs/archive.md has the form.

    Example:
      rollout export jsonl --out ledger.jsonl
      rollout export jsonl bot --since 2h | jq 'select(.record == "event") | .body | fromjson'
    """
    made = provenance(call.runtime)

    write = partial(
        write_jsonl, by=made.by, at=made.clock.now(), program=made.program, schema=made.schema
    )
    _stream(call, out, write, _wanted(call, since=since, until=until, first=first, last=last))


@command("csv", export, output=False)
@_selection
@_positions
def csv(
    call: Call, out: Path | None, since: str | None, until: str | None, first: int, last: int | None
) -> None:
    """Write events as a table: who, when, what, why, and each one's body and hashes.

    Example:
      rollout export csv bot --since 2025-11-20 --until 2025-11-21 --out bot.csv
    """
    _stream(call, out, write_csv, _wanted(call, since=since, until=until, first=first, last=last))


@command("cdevents", export, output=False)
@_selection
@_positions
def cdevents(
    call: Call, out: Path | None, since: str | None, until: str | None, first: int, last: int | None
) -> None:
    """Write what was decided as CDEvents over CloudEvents, one a line.

    Deployments, rollbacks and incidents in the words of CDEvents, all else as its custom events. Measured
    values and order activity are left out.

    Example:
      rollout export cdevents bot --since 1d
    """
    _stream(
        call, out, write_cdevents, _wanted(call, since=since, until=until, first=first, last=last)
    )


@command("annotations", export, output=False)
@_selection
def grafana(call: Call, since: str | None, until: str | None, out: Path | None) -> None:
    """Write modes, alerts and rollbacks as Grafana annotations.

    A JSON array, whose elements Grafana's POST /api/annotations takes one by one.

    Example:
      rollout export annotations bot --since 7d --out bot.annotations.json
    """
    wanted = _wanted(call, since=since, until=until)
    bring_up(call.runtime)
    with questioner(call.runtime, TIMEOUT_SECONDS) as (asked, _):
        annotations = list(
            regions(
                asked, system=wanted.system, since=wanted.since, until=wanted.until, now=call.now()
            )
        )
    with _opened(out) as file:
        file.write(
            orjson.dumps(annotations, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        )
    if out is not None:
        say(f"{out}: {counted(len(annotations), 'annotation')}")


class Writer(Protocol):
    """Writes a selection of the log to a file; returns how many events it has."""

    def __call__(
        self, source: Source, wanted: Wanted, out: BinaryIO, /, *, progress: Progress
    ) -> int: ...


def _stream(call: Call, out: Path | None, write: Writer, wanted: Wanted) -> None:
    with closing(PostgresStore(call.runtime.store_dsn, role=AUDITOR)) as store:
        source = Source(store)
        bounded = source.bounded(wanted)
        with _opened(out) as file:
            count = write(source, bounded, file, progress=call.runtime.progress("exporting"))
    if out is not None:
        say(f"{out}: {counted(count, 'event')}, as of position {bounded.last}")


def _wanted(
    call: Call, *, since: str | None, until: str | None, first: int = 1, last: int | None = None
) -> Wanted:
    call.runtime.store.require_whole()
    if call.system:
        call.state()  # a name that is none is told, with the nearest one
    begin, end = call.moment(since), call.moment(until)
    if begin is not None and end is not None and begin >= end:
        raise UsageError("--since is not before --until, so nothing can lie between them.")
    return Wanted(system=call.system or None, since=begin, until=end, first=first, last=last)


@contextmanager
def _opened(out: Path | None) -> Generator[BinaryIO]:
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with files.open_atomically(out) as file:
        yield file
