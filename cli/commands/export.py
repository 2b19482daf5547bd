"""rollout export parquet, jsonl, csv, cdevents, annotations."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol, TypeVar

import click
import orjson

from cli.call import Call, command, pass_call
from cli.completion import complete_system
from cli.output import counted, say
from ledger import files
from ledger.domain.errors import UsageError
from ledger.store import migrate
from ledger.store.connect import AUDITOR
from ledger.store.postgres import PostgresStore
from projections.archive.seal import Provenance, export as seal
from projections.exports.annotations import regions
from projections.exports.cdevents import write_cdevents
from projections.exports.lines import write_csv, write_jsonl
from projections.exports.source import Source, Wanted
from runtime.times import parse_time
from runtime.wiring import Runtime

if TYPE_CHECKING:
    from projections.archive.seal import Progress, Provenance

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


def _selection(function: F) -> F:
    """Give a command what says which events are meant, and where they go."""
    for option in (
        click.option(
            "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
            help="Write it to this file, as a whole or not at all. Default: print it.",
        ),
        click.option("--until", metavar="TIME", help="Only what happened before this time."),
        click.option(
            "--since", metavar="TIME", help="Only what happened from this time on: 2025-11-20, 2h, yesterday."
        ),
        click.argument("system", required=False, shell_complete=complete_system),
    ):  # fmt: skip
        function = option(function)
    return function


def _positions(function: F) -> F:
    for option in (
        click.option(
            "--to", "last", type=click.IntRange(min=1), metavar="N", help="Up to position N. Default: all."
        ),
        click.option(
            "--from", "first", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
            help="From position N on.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


@export.command("jsonl")
@_selection
@_positions
@pass_call
def jsonl(call: Call, out: Path | None, **given: Any) -> None:
    """Write every stored byte as JSON lines, with the bytes that events name.

    Without a filter a ledger can be restored from it, to the same hash. docs/archive.md has the form.

    \b
    Example:
      rollout export jsonl --out ledger.jsonl
      rollout export jsonl bot --since 2h | jq 'select(.record == "event") | .body | fromjson'
    """
    made = provenance(call.runtime)

    write = partial(
        write_jsonl, by=made.by, at=made.clock.now(), program=made.program, schema=made.schema
    )
    _stream(call.runtime, out, write, **given)


@export.command("csv")
@_selection
@_positions
@pass_call
def csv(call: Call, out: Path | None, **given: Any) -> None:
    """Write events as a table: who, when, what, why, and each one's body and hashes.

    \b
    Example:
      rollout export csv bot --since 2025-11-20 --until 2025-11-21 --out bot.csv
    """
    _stream(call.runtime, out, write_csv, **given)


@export.command("cdevents")
@_selection
@_positions
@pass_call
def cdevents(call: Call, out: Path | None, **given: Any) -> None:
    """Write what was decided as CDEvents over CloudEvents, one a line.

    Deployments, rollbacks and incidents in the words of CDEvents, all else as its custom events. Measured
    values and order activity are left out.

    \b
    Example:
      rollout export cdevents bot --since 1d
    """
    _stream(call.runtime, out, write_cdevents, **given)


@export.command("annotations")
@_selection
@pass_call
def grafana(
    call: Call, system: str | None, since: str | None, until: str | None, out: Path | None
) -> None:
    """Write modes, alerts and rollbacks as Grafana annotations.

    A JSON array, whose elements Grafana's POST /api/annotations takes one by one.

    \b
    Example:
      rollout export annotations bot --since 7d --out bot.annotations.json
    """
    from runtime.replica import bring_up, questioner

    wanted = _wanted(call.runtime, system, since, until)
    bring_up(call.runtime)
    with questioner(call.runtime, TIMEOUT_SECONDS) as (asked, _):
        found = list(
            regions(
                asked, system=wanted.system, since=wanted.since, until=wanted.until,
                now=call.now(),
            )
        )  # fmt: skip
    with _opened(out) as file:
        file.write(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    if out is not None:
        say(f"{out}: {counted(len(found), 'annotation')}")


class Writer(Protocol):
    """Writes a selection of the log to a file; returns how many events it has."""

    def __call__(
        self, source: Source, wanted: Wanted, out: BinaryIO, /, *, progress: Progress
    ) -> int: ...


def _stream(
    runtime: Runtime,
    out: Path | None,
    write: Writer,
    *,
    system: str | None,
    since: str | None,
    until: str | None,
    first: int,
    last: int | None,
) -> None:
    wanted = replace(_wanted(runtime, system, since, until), first=first, last=last)
    with closing(PostgresStore(runtime.store_dsn, role=AUDITOR)) as store:
        source = Source(store)
        bounded = source.bounded(wanted)
        with _opened(out) as file:
            count = write(source, bounded, file, progress=runtime.progress("exporting"))
    if out is not None:
        say(f"{out}: {counted(count, 'event')}, as of position {bounded.last}")


def _wanted(runtime: Runtime, system: str | None, since: str | None, until: str | None) -> Wanted:
    now = runtime.clock.now()
    runtime.store.require_whole()
    if system is not None:
        _ = runtime.ledger.load(system)  # a name that is none is told, with the nearest one
    wanted = Wanted(
        system=system,
        since=parse_time(since, now) if since else None,
        until=parse_time(until, now) if until else None,
    )
    if wanted.since is not None and wanted.until is not None and wanted.since >= wanted.until:
        raise UsageError("--since is not before --until, so nothing can lie between them.")
    return wanted


@contextmanager
def _opened(out: Path | None) -> Generator[BinaryIO]:
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with files.open_atomically(out) as file:
        yield file
