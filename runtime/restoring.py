"""A log back into an empty ledger: what `rollout backup restore` and `rollout import ledger` share."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from ledger.domain.errors import SchemaMissing
from ledger.service.backups.restoring import Source, inspect, restore
from ledger.service.configurations.registration import adopted_key
from ledger.store import checkpoint, migrate
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.postgres import PostgresStore
from ledger.store.restore import Restorer
from runtime.wiring import Runtime


def restored(runtime: Runtime, source: Source, checkpoint_file: Path | None) -> str:
    """Recompute ``source``, put it into the ledger, and build the read models; return the outcome.

    Raises:
        IntegrityFailure: it is not what was recorded.
        Refused: the ledger is not empty, or the source is none to restore from.
    """
    against = checkpoint.read(checkpoint_file) if checkpoint_file is not None else None
    _refuse_where_it_is_used(runtime, source)
    inspect(source, against, runtime.progress("recomputing"))
    runtime.makes_ledger = True
    with closing(PostgresStore(runtime.dsn)) as store:
        try:
            migrate.check(store.schema_revision())
        except SchemaMissing:
            migrate.upgrade(runtime.dsn)
    with closing(Restorer(runtime.dsn)) as restorer:
        changed = restore(restorer, source, runtime.progress("restoring"))
    runtime.catch_up()
    key_id, _ = adopted_key(runtime.store)
    if key_id is not None:
        runtime.say(
            f"secrets of this ledger are digested under the key {key_id}: put secret.key back too"
        )
    return "restored" if changed else "skipped (it is here already)"


def _refuse_where_it_is_used(runtime: Runtime, source: Source) -> None:
    """Refuse before the long work, where that can be seen without making anything."""
    settings = runtime.settings
    dsn = settings.dsn or EmbeddedPostgres(settings.home).find()
    if dsn is None or source.last < 1:
        return
    with closing(PostgresStore(dsn)) as store:
        revision = store.schema_revision()
    if revision == migrate.HEAD:
        with closing(Restorer(dsn)) as restorer:
            restorer.check(source.last, source.chain)
