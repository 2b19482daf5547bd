"""Bringing a database to this program's schema, and telling when it is not there."""

from __future__ import annotations

import logging
from importlib.resources import files
from typing import Final

from ledger.domain.errors import LedgerUnreachable, SchemaMissing, SchemaNewer

HEAD: Final = "0002"
"""The newest migration. A test holds it equal to Alembic's own head."""
MIGRATION_LOCK: Final = 7883951501842187297
"""'migrate!' as a number: two commands that start at once must not both migrate a new ledger."""

# Not part of the migration: a grant on the database itself is lost by a dump and by
# CREATE DATABASE … TEMPLATE.
GRANT_ON_DATABASE: Final = """
    DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %%I TO ledger_projector', current_database()); END $$
"""


def upgrade(dsn: str, *, lock_timeout: str = "10s") -> None:
    """Migrate the database at ``dsn`` (psycopg conninfo) to `HEAD`; a no-op when it is there.

    ``lock_timeout``, as PostgreSQL writes durations, bounds the wait for another migration or a writer.

    Raises:
        LedgerUnreachable: the database can't be reached.
        SchemaNewer: it was migrated by a newer program.
    """
    import psycopg
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError
    from sqlalchemy import create_engine, exc, pool

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(dsn, client_encoding="utf8"),
        poolclass=pool.NullPool,
    )
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            config.attributes["lock_timeout"] = lock_timeout
            command.upgrade(config, "head")
            # In turns: two that grant the same at once are told "tuple concurrently updated".
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            connection.exec_driver_sql(GRANT_ON_DATABASE)
            connection.commit()
    except CommandError as error:
        raise SchemaNewer(
            "The ledger was migrated by a newer version of rollout-ledger.",
            hint="Upgrade this program; nothing was changed.",
        ) from error
    except (exc.DBAPIError, psycopg.Error) as error:
        raise _refused(error.orig if isinstance(error, exc.DBAPIError) else error, dsn) from None


def _refused(error: BaseException | None, dsn: str) -> LedgerUnreachable:
    import psycopg

    from ledger.store.dsn import scrub

    said = scrub(str(error), dsn).strip().splitlines()
    if isinstance(error, psycopg.OperationalError):
        return LedgerUnreachable(
            f"The database could not be migrated: {said[0]}",
            hint="Check that Postgres is up and that no other migration is running.",
        )
    return LedgerUnreachable(
        f"The database refused the migration: {said[0]}",
        hint="Nothing was changed. Migrate once as a role that may create roles and schemas: "
        "ROLLOUT_DSN=… rollout init",
    )


def check(revision: str | None) -> None:
    """Raise unless ``revision``, the database's migration, is the one this program was written for."""
    if revision is None:
        raise SchemaMissing("This database holds no ledger yet.", hint="Run: rollout init")
    if revision > HEAD:
        raise SchemaNewer(
            f"The ledger is at migration {revision}, newer than this program's {HEAD}.",
            hint="Upgrade rollout-ledger; nothing was changed.",
        )
    if revision < HEAD:
        raise SchemaMissing(
            f"The ledger is at migration {revision}; this program needs {HEAD}.",
            hint="Run: rollout init",
        )
