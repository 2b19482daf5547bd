"""rollout backup create, list, verify, restore, prune."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from cli import options
from cli.call import Call, command
from cli.completion import completer
from cli.output import counted, say
from ledger.domain import events
from ledger.service.backups import creating, opening, pruning, recording, verifying
from ledger.service.backups.metadata import NAME, Metadata
from ledger.store.embedded import default_home
from ledger.store.scratch import scratch_database
from runtime import backups
from runtime.restoring import restored

dir_option = click.option(
    "--dir", "folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    envvar=backups.FOLDER_VARIABLE, show_envvar=True, help="Where backups are. Default: HOME/backups.",
)  # fmt: skip


def _names(context: click.Context) -> list[str]:
    """Return the backups that there are; looks into the folder, opens no connection."""
    home = Path(context.find_root().params.get("home") or default_home(os.environ))
    given = context.params.get("folder") or os.environ.get(backups.FOLDER_VARIABLE)
    folder = Path(given or home / backups.FOLDER)
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return [name for name in names if NAME.fullmatch(name)]


backup_argument = click.argument(
    "backup_name", metavar="[BACKUP]", required=False, shell_complete=completer(_names)
)
passphrase_option = click.option(
    "--passphrase-file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    envvar=backups.PASSPHRASE_FILE, show_envvar=True,
    help=f"Its first line is the passphrase. {backups.PASSPHRASE} may hold one instead.",
)  # fmt: skip


_keys = options.stack(
    click.option(
        "--identity", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
        envvar="ROLLOUT_BACKUP_IDENTITY", show_envvar=True,
        help="A file with the age identity (private key) of a recipient.",
    ),
    passphrase_option,
)  # fmt: skip


@click.group()
def backup() -> None:
    """Create, verify, restore and prune backups of the ledger."""


@command("create", backup)
@dir_option
@click.option("--recipient", "recipients", multiple=True, metavar="AGE1…",
              envvar=backups.RECIPIENTS, show_envvar=True,
              help="Encrypt to this age recipient (public key). May be given again; the variable may "
                   "hold several, with spaces between them.")  # fmt: skip
@passphrase_option
@click.option("--order-lines", type=click.IntRange(0), default=0, metavar="N",
              help="Also write the last N lines of order activity as a file of their own. "
                   "The events hold all of them in any case.")  # fmt: skip
@options.reason
def create(
    call: Call,
    folder: Path | None,
    recipients: tuple[str, ...],
    passphrase_file: Path | None,
    order_lines: int,
) -> None:
    """Create a backup: the log and the bytes that it names; go on with one that was interrupted.

    It holds all events, configurations, plans and order activity, and says what the read models were.

    Example:
      rollout backup create --dir /mnt/backups --recipient age1…
    """
    made, at = backups.made(
        call.runtime,
        backups.folder_of(call.runtime, folder),
        recipients,
        backups.passphrase_of(passphrase_file),
        call.origin,
        order_lines=order_lines,
    )
    row, made_of = _row(made.path, made.metadata), made.metadata
    if made.by_another:
        why = f"{made.path} was made just now, up to the same position"
        call.output.record(row | {"outcome": "skipped"}, f"skipped ({why})")
        return
    call.output.record(
        row | {"outcome": "created", "event": at},
        f"{made.path}: {made_of.events:,} events up to #{made_of.last}, "
        f"{counted(made_of.blobs, 'blob')}, {_size_text(made_of.size)}\nchain {made_of.chain}",
    )


@command("list", backup)
@dir_option
def list_(call: Call, folder: Path | None) -> None:
    """List the backups in a folder, oldest first; works without the ledger too.

    Example:
      rollout backup list --dir /mnt/backups
    """
    folder = backups.folder_of(call.runtime, folder)
    entries = opening.listed(folder)
    verified = backups.verified_at(call.runtime)
    rows: list[dict[str, Any]] = []
    for entry in entries:
        if entry.backup is None:
            rows.append({"backup": entry.name, "problem": entry.problem})
        else:
            row = _row(entry.backup.path, entry.backup.metadata)
            rows.append(row | {"verified_at": (verified or {}).get(entry.name), "problem": None})
    if call.output.format == "table":
        rows = [
            {**row, "bytes": _size_text(row["bytes"]) if "bytes" in row else ""} for row in rows
        ]
    call.output.rows(
        rows, ["backup", "made_at", "last", "events", "bytes", "encryption", "verified_at", "problem"]
    )  # fmt: skip
    if verified is None and entries:
        say("there is no ledger here to ask which of them were verified")
    if creating.is_interrupted(folder):
        say("one more is under way, or was interrupted: rollout backup create goes on with it then")


@command("verify", backup)
@backup_argument
@dir_option
@_keys
@click.option(
    "--scratch", type=click.Choice(["server", "embedded"]), default="server", show_default=True,
    help="Where to restore for a try: beside the ledger, or on the embedded PostgreSQL.",
)  # fmt: skip
@options.reason
def verify(
    call: Call,
    backup_name: str | None,
    folder: Path | None,
    identity: Path | None,
    passphrase_file: Path | None,
    scratch: str,
) -> None:
    """Restore a backup into a scratch database and compare: the chain, and every read model.

    BACKUP is a name or a path; the newest by default. It is recorded, so that a check of kind `backup`
    knows of it. Exit code 7 when it is not what was made.

    Example:
      rollout backup verify --identity ~/.config/age/key.txt
    """
    backup = opening.named(backups.folder_of(call.runtime, folder), backup_name)
    backup = backup.unlocked(backups.opener_of(identity, passphrase_file))
    began = call.runtime.clock.monotonic()
    with (
        backups.scratch_dsn(call.runtime, embedded=scratch == "embedded") as server,
        scratch_database(server, backup.sha256) as database,
    ):
        restored = verifying.verify(
            backup,
            database,
            lambda dsn: backups.read_models(call.runtime, dsn),
            call.runtime.progress,
        )
    took_ms = int((call.runtime.clock.monotonic() - began) * 1000)
    record = _row(backup.path, backup.metadata) | {
        "outcome": "verified", "tables": restored.tables, "not_compared": restored.not_compared,
        "took_ms": took_ms, "event": None,
    }  # fmt: skip
    store = call.runtime.store if backups.has_ledger(call.runtime) else None
    if store is not None and verifying.require_same_log(backup, store):
        event = events.BackupVerified(
            backup=backup.name,
            made_at=backup.metadata.made_at,
            position=backup.last,
            chain=backup.metadata.chain,
            metadata=backup.sha256,
            tables=restored.tables,
            tables_not_compared=len(restored.not_compared),
            took_ms=took_ms,
        )
        recorder = call.runtime.recorder_for(store)
        record["event"] = recording.record(recorder, event, call.origin)
    else:
        say("this is no backup of the ledger at hand: nothing was recorded")
    if restored.not_compared:
        tables = ", ".join(restored.not_compared)
        say(f"built in another way by this program, and not compared: {tables}")
    call.output.record(
        record,
        f"verified: {backup.name} restores to #{backup.last} with the same chain, blobs and "
        f"{counted(restored.tables, 'read model table')}, in {took_ms / 1000:.1f} s",
    )


@command("restore", backup)
@backup_argument
@dir_option
@_keys
@options.checkpoint("backup")
def restore(
    call: Call,
    backup_name: str | None,
    folder: Path | None,
    identity: Path | None,
    passphrase_file: Path | None,
    checkpoint_file: Path | None,
) -> None:
    """Restore a backup into an empty ledger, which continues the same chain; go on with an interrupted one.

    The ledger is the home's or --dsn's, and must not have been used: don't run other commands first.
    Nothing is recorded by it: the log ends as it did.

    Example:
      ROLLOUT_HOME=/srv/new-home rollout backup restore --dir /mnt/backups
    """
    backup = opening.named(backups.folder_of(call.runtime, folder), backup_name)
    backup = backup.unlocked(backups.opener_of(identity, passphrase_file))
    backup.check(call.runtime.progress("looking at the files"))
    done = restored(call.runtime, backup, checkpoint_file)
    call.output.record(
        _row(backup.path, backup.metadata) | {"outcome": done},
        f"{backup.name}: {done}, {backup.metadata.events:,} events up to #{backup.last}\n"
        f"chain {backup.metadata.chain}",
    )


@command("prune", backup)
@click.option(
    "--keep-days", type=options.NumberRange(0, 36_500), metavar="DAYS",
    help=f"Keep what is younger. Default: what the adopted plans say, else {pruning.KEEP_DAYS}.",
)  # fmt: skip
@dir_option
@options.dry_run
def prune(call: Call, keep_days: float | None, folder: Path | None, dry_run: bool) -> None:
    """Remove old backups; never the last verified one, nor what an open exit gate still rests on.

    What stays though it is older is said, with the reason. Backups of other ledgers are left alone.

    Example:
      rollout backup prune --keep-days 7
    """
    folder = backups.folder_of(call.runtime, folder)
    keep = timedelta(days=keep_days) if keep_days is not None else None
    judged = pruning.prune(call.ledger, folder, call.now(), keep, dry_run=dry_run)
    for each in judged:
        if each.protected:
            say(f"kept {each.entry.name}: {each.kept}")
    verb = "would be removed" if dry_run else "removed"
    rows = [
        {
            "backup": each.entry.name,
            "outcome": verb if each.kept is None else "kept",
            "why": each.kept,
            "protected": each.protected,
        }
        for each in judged
    ]
    call.output.rows(rows, ["backup", "outcome", "why"])


def _row(path: Path, metadata: Metadata) -> dict[str, Any]:
    """Return what is printed of a backup."""
    return {
        "backup": metadata.backup, "path": str(path), "made_at": metadata.made_at,
        "made_by": metadata.made_by.name, "ledger": metadata.ledger, "last": metadata.last,
        "chain": metadata.chain, "events": metadata.events, "blobs": metadata.blobs,
        "order_lines": metadata.order_lines, "bytes": metadata.size,
        "encryption": metadata.encryption,
    }  # fmt: skip


def _size_text(count: int) -> str:
    """Return a number of bytes for people."""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"
