"""What the commands of `rollout backup` share: where backups are, keys, the ledger at hand, the scratch."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from ledger import fail_points
from ledger.domain.errors import LedgerError
from ledger.domain.log.records import TableDigest
from ledger.domain.values.moments import iso
from ledger.service.backups import creating, recording, sealing
from ledger.service.backups.creating import Made
from ledger.service.backups.sealing import Opener
from ledger.service.core.recorder import Origin
from ledger.store.embedded import EmbeddedPostgres, ServerState
from ledger.store.guards import open_read_models
from ledger.store.postgres import PostgresStore
from projections.backups.digests import digests
from projections.engine.runner import Projector
from runtime.wiring import Runtime

FOLDER: Final = "backups"
FOLDER_VARIABLE: Final = "ROLLOUT_BACKUPS"
PASSPHRASE: Final = "ROLLOUT_BACKUP_PASSPHRASE"  # noqa: S105 -- the name of a variable
PASSPHRASE_FILE: Final = "ROLLOUT_BACKUP_PASSPHRASE_FILE"  # noqa: S105 -- the name of a variable
RECIPIENTS: Final = "ROLLOUT_BACKUP_RECIPIENTS"


def folder_of(runtime: Runtime, given: Path | None) -> Path:
    """Return the folder of the backups."""
    named = os.environ.get(FOLDER_VARIABLE)
    return (given or (Path(named) if named else runtime.settings.home / FOLDER)).absolute()


def passphrase_file_named() -> Path | None:
    """Return the file that the environment names, for who has no --passphrase-file."""
    named = os.environ.get(PASSPHRASE_FILE)
    return Path(named) if named else None


def passphrase_of(path: Path | None) -> str | None:
    """Return the passphrase in a file, or the environment's, or None.

    Raises:
        BadInput: it is too short, or there is no such file.
    """
    if path is not None:
        return sealing.passphrase_in(path)
    given = os.environ.get(PASSPHRASE)
    return sealing.checked(given, PASSPHRASE) if given else None


def made(
    runtime: Runtime,
    folder: Path,
    recipients: Sequence[str],
    passphrase: str | None,
    origin: Origin,
    *,
    order_lines: int = 0,
) -> tuple[Made, int]:
    """Make a backup in ``folder`` and record it; return it, and the position of the event (0: another's).

    Raises:
        BadInput: one of the ``recipients`` is none. Otherwise as `creating.create`.
        LedgerUnreachable: the ledger was restored in part only.
    """
    seal = sealing.seal_for(recipients, passphrase, creating.resumable_key(folder))
    runtime.store.require_whole()
    _ = runtime.ledger  # appends what this machine did without the ledger
    position, held = digests(runtime.readmodel)
    backup = creating.create(
        runtime.store,
        folder,
        creating.Wanted(position, held, runtime.settings.actor, order_lines),
        seal,
        runtime.clock,
        runtime.progress("backing up"),
    )
    if backup.by_another:
        return backup, 0
    fail_points.reach("backup.before_record")
    event = recording.created(backup.metadata, backup.sha256)
    return backup, recording.record(runtime.recorder_for(runtime.store), event, origin)


def opener_of(identity: Path | None, passphrase_file: Path | None) -> Opener:
    """Return what decrypts. Raises as `sealing.opener_of` does."""
    return sealing.opener_of(identity, passphrase_of(passphrase_file))


def has_ledger(runtime: Runtime) -> bool:
    """Tell whether there is a ledger at hand, without making one."""
    home = runtime.settings.home
    if runtime.settings.dsn is None and not EmbeddedPostgres(home).files.data.exists():
        return False
    with closing(PostgresStore(runtime.dsn)) as store, suppress(LedgerError):
        return store.schema_revision() is not None
    return False


def verified_at(runtime: Runtime) -> dict[str, str] | None:
    """Return when each backup was last verified; None where there is no ledger to ask."""
    try:
        if not has_ledger(runtime):
            return None
        verifications = recording.verified(runtime.store)
    except LedgerError as problem:
        runtime.say(f"warning: {problem.message}")
        return None
    return {each["backup"]: iso(each["verified_at"]) for each in verifications}


@contextmanager
def scratch_dsn(runtime: Runtime, *, embedded: bool) -> Generator[str]:
    """Yield the conninfo of the server that gets the scratch database.

    The embedded one, where it is not the ledger's own, is stopped again if it was not up before.

    Raises:
        LedgerUnreachable: it can't be reached, or not be started.
    """
    if not embedded or runtime.settings.dsn is None:
        runtime.makes_ledger = True  # the server, that is: a scratch database is not the ledger
        yield runtime.dsn
        return
    server = EmbeddedPostgres(runtime.settings.home)
    was_up = server.status().state is ServerState.RUNNING
    try:
        yield server.ensure_running()
    finally:
        if not was_up:
            server.stop()


def read_models(runtime: Runtime, dsn: str) -> tuple[int, Sequence[TableDigest]]:
    """Build the read models of the ledger at ``dsn``; return their position, and what is in them."""
    connect = partial(open_read_models, dsn)
    with closing(Projector(connect, runtime.clock, report=runtime.say)) as projector:
        projector.catch_up()
        return digests(projector.db)
