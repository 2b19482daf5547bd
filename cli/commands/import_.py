"""rollout import config-changes, git, jsonl, risk-events, ledger."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import orjson

from cli import options
from cli.call import Call, command, system_command
from cli.output import Output, say
from ledger.domain.errors import BadInput, IntegrityFailure, SchemaNewer
from ledger.domain.log.envelope import NewEvent
from ledger.service.backups import exports
from ledger.service.backups.restoring import Source
from ledger.service.imports import importing
from ledger.service.imports.base import Imported, Progress
from ledger.service.imports.importing import Manner
from ledger.service.imports.times import zone_named
from ledger.store import migrate
from projections.archive import layout
from projections.archive.reading import ArchivedLog
from projections.archive.verify import verify
from runtime.restoring import restored
from runtime.wiring import Runtime

_LISTED_MAX = 20

file_type = click.Path(path_type=Path)
timezone_option = click.option(
    "--timezone", default="UTC", show_default=True, metavar="ZONE",
    envvar="ROLLOUT_TIMEZONE", show_envvar=True,
    help="Of times that name no zone: Asia/Shanghai, +08:00, UTC.",
)  # fmt: skip
_manner = options.stack(
    click.option("--skip-bad", is_flag=True,
                 help="Leave bad records out and list them, instead of importing nothing."),
    options.dry_run,
)  # fmt: skip


@click.group()
def import_() -> None:
    """Bring in a past: change logs, git history, audit files.

    What is imported is marked as such and keeps its own time, author and reason. Import the same file again,
    or a longer version of it, and only what is new goes in. Switches nothing, writes no file of the system.

    `import ledger` is another thing: it reads a whole ledger, as it was exported, back into an empty one.
    """


@system_command("config-changes", import_)
@click.argument("file", type=file_type)
@click.option(
    "--repeat-window", type=options.NumberRange(0, 10**9), default=60.0, show_default=True, metavar="SECONDS",
    help="A change that comes again unaltered within this time is a repeat, not a change.",
)  # fmt: skip
@click.option(
    "--name", "file_name", default="config.json", show_default=True,
    help="What to call the file that each configuration is kept as; *.json.",
)  # fmt: skip
@timezone_option
@_manner
def config_changes(
    call: Call,
    file: Path,
    repeat_window: float,
    file_name: str,
    timezone: str,
    skip_bad: bool,
    dry_run: bool,
) -> None:
    """Import a bot's own log of configuration changes.

    JSON lines with timestamp, applied_by, diff ({KEY: {"old": …, "new": …}}) and previous_config; may have
    profile_name, risk_warnings, reason. A configuration that appears without a record of who changed it is
    told as found.

    Example:
      rollout import config-changes polyarb-x data/audit/config_changes.jsonl --timezone Asia/Shanghai
    """
    if not file_name.endswith(".json"):
        raise BadInput(f"--name {file_name}: the configurations of a change log are kept as JSON.")
    with _progress("records") as progress:
        done = importing.import_config_changes(
            call.ledger,
            call.system,
            file,
            call.origin,
            _manner_of(timezone, skip_bad, dry_run, progress),
            file_name=file_name,
            repeat_window_seconds=repeat_window,
        )
    _tell(call.output, [done], dry_run=dry_run)


@system_command("git", import_)
@click.argument("repository", type=file_type)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--ref", default="HEAD", show_default=True, help="Branch, tag or commit whose history to read."
)
@_manner
def git(
    call: Call, repository: Path, paths: tuple[str, ...], ref: str, skip_bad: bool, dry_run: bool
) -> None:
    """Import the history of configuration files in a git repository.

    PATHs count from the repository's root. Several are one configuration, a later one laid over the ones
    before it. Author, time and message of each commit become actor, time and reason.

    Example:
      rollout import git polyarb-x . config/config.yaml config/profiles/live.yaml
    """
    with _progress("commits") as progress:
        done = importing.import_git(
            call.ledger,
            call.system,
            repository,
            paths,
            call.origin,
            _manner_of("UTC", skip_bad, dry_run, progress),
            ref=ref,
        )
    _tell(call.output, [done], dry_run=dry_run)


@system_command("jsonl", import_)
@click.argument("files", nargs=-1, required=True, type=file_type, metavar="FILE...")
@timezone_option
@_manner
def jsonl(
    call: Call, files: tuple[Path, ...], timezone: str, skip_bad: bool, dry_run: bool
) -> None:
    """Import a bot's daily audit files: order_intent, order_result, risk_block, risk_event.

    JSON lines, gzipped or not, each with its kind (type, event, event_type or kind) and its time (timestamp,
    ts, time or datetime: ISO 8601, or a number since 1970).

    Example:
      rollout import jsonl polyarb-x data/audit/2026-02-*.jsonl
    """
    _activity(call, files, "jsonl", timezone, skip_bad, dry_run)


@system_command("risk-events", import_)
@click.argument("file", type=file_type)
@timezone_option
@_manner
def risk_events(call: Call, file: Path, timezone: str, skip_bad: bool, dry_run: bool) -> None:
    """Import a bot's risk_events.csv.

    CSV in UTF-8 with a header, one column of which is called timestamp, time, ts, datetime or date.

    Example:
      rollout import risk-events polyarb-x data/risk_events.csv
    """
    _activity(call, (file,), "risk-events", timezone, skip_bad, dry_run)


@command("ledger", import_)
@click.argument("source", type=click.Path(path_type=Path))
@options.checkpoint("export")
def ledger(call: Call, source: Path, checkpoint_file: Path | None) -> None:
    """Import a whole ledger: an archive (a folder), or a file of JSON lines that `export` wrote.

    Goes into an empty ledger, which must not have been used, and continues the same chain: the same
    positions, times, bytes and hashes. Repeat it where it was interrupted. Nothing is recorded by it.

    Example:
      ROLLOUT_HOME=/srv/new-home rollout import ledger /mnt/archive
    """
    log = _archive(call.runtime, source) if source.is_dir() else exports.read(source)
    outcome = restored(call.runtime, log, checkpoint_file)
    record = {
        "source": str(source), "outcome": outcome, "last": log.last, "events": log.last,
        "chain": log.chain.hex(),
    }  # fmt: skip
    call.output.record(record, f"{source}: {outcome}, {log.last:,} events\nchain {log.chain.hex()}")


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


def _activity(
    call: Call, files: Sequence[Path], kind: Any, timezone: str, skip_bad: bool, dry_run: bool
) -> None:
    with _progress("records") as progress:
        done = list(
            importing.import_activity(
                call.ledger,
                call.system,
                files,
                kind,
                call.origin,
                _manner_of(timezone, skip_bad, dry_run, progress),
            )
        )
    _tell(call.output, done, dry_run=dry_run)


def _manner_of(timezone: str, skip_bad: bool, dry_run: bool, progress: Progress | None) -> Manner:
    return Manner(zone=zone_named(timezone), skip_bad=skip_bad, dry_run=dry_run, progress=progress)


@contextmanager
def _progress(what: str) -> Iterator[Progress | None]:
    """Yield what tells the person at the terminal how far it is; nothing where nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.completed:,} {task.description}"),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda count: bar.update(task, completed=count)


def _tell(output: Output, done: Sequence[Imported], *, dry_run: bool) -> None:
    """Print what came of each source: data on stdout, remarks on stderr."""
    for imported in done:
        _say_remarks(imported)
    records = [_record(imported, dry_run=dry_run) for imported in done]
    if output.format == "table":
        for imported, record in zip(done, records, strict=True):
            output.record(record, _sentence(imported, dry_run=dry_run))
    elif len(records) == 1 and output.format == "json":
        output.record(records[0])
    else:
        output.rows(records)


def _record(imported: Imported, *, dry_run: bool) -> dict[str, Any]:
    outcome = "dry_run" if dry_run else "imported"
    record: dict[str, Any] = {
        "system": imported.source.system,
        "kind": imported.source.kind,
        "source": imported.source.name,
        "sha256": imported.source.digest,
        "outcome": "skipped" if imported.nothing_new else outcome,
        "records": imported.records,
        "imported": imported.imported,
        "already_known": imported.already_known,
        "repeated": list(imported.repeated),
        "skipped": list(imported.skipped),
        "position": imported.position,
    }
    if dry_run:
        record["events"] = [_shown(event) for event in imported.events]
    return record


def _sentence(imported: Imported, *, dry_run: bool) -> str:
    again = f", {imported.already_known:,} already imported" if imported.already_known else ""
    without = f", {len(imported.repeated):,} without effect" if imported.repeated else ""
    bad = f", {len(imported.skipped):,} bad" if imported.skipped else ""
    counts = f"{imported.records:,} records{again}{without}{bad}"
    if imported.nothing_new:
        why = "already imported" if imported.already_known else "nothing to import"
        return f"skipped ({why}): {imported.source.name}: {counts}"
    verb = "would import" if dry_run else "imported"
    lines = [f"{verb} {imported.imported:,} of {imported.source.name}: {counts}"]
    shown = map(_shown, imported.events)
    lines += [f"  {event['occurred_at']}  {event['type']}  {event['actor']}" for event in shown]
    return "\n".join(lines)


def _say_remarks(imported: Imported) -> None:
    for note in imported.notes:
        say(f"note: {note}")
    if imported.nothing_new and not imported.skipped:
        return
    for word, listed in (("without effect", imported.repeated), ("bad", imported.skipped)):
        for line in listed[:_LISTED_MAX]:
            say(f"{word}: {line}")
        if len(listed) > _LISTED_MAX:
            say(f"{word}: and {len(listed) - _LISTED_MAX} more; -o json lists them")


def _shown(event: NewEvent) -> dict[str, Any]:
    body = orjson.loads(event.body)
    return {
        "type": event.type,
        "occurred_at": event.occurred_at.isoformat(),
        "actor": body["actor"]["name"],
        "reason": body.get("reason"),
        "stream": event.stream,
        "data": body["data"],
    }
