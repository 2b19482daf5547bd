"""Bringing a database to this program's schema, and telling when it is not there."""

from __future__ import annotations

import logging
from importlib.resources import files
from typing import Final

from ledger.domain.errors import LedgerUnreachable, SchemaMissing, SchemaNewer

HEAD: Final = "0001"
"""The newest migration. A test holds it equal to Alembic's own head."""

# Not part of the migration: a grant on the database itself is lost by a dump and by CREATE DATABASE … TEMPLATE.
GRANT_ON_DATABASE: Final = """
    DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %%I TO ledger_projector', current_database()); END $$
"""


def upgrade(dsn: str) -> None:
    """Migrate the database at ``dsn`` (psycopg conninfo) to `HEAD`; a no-op when it is there.

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
            command.upgrade(config, "head")
            connection.exec_driver_sql(GRANT_ON_DATABASE)
            connection.commit()
    except CommandError as error:
        raise SchemaNewer(
            "The ledger was migrated by a newer version of rollout-ledger.",
            hint="Upgrade this program; nothing was changed.",
        ) from error
    except exc.OperationalError as error:
        from ledger.store.dsn import scrub

        raise LedgerUnreachable(
            f"The database could not be migrated: {scrub(str(error.orig), dsn).strip()}",
            hint="Check that Postgres is up and that no other migration is running.",
        ) from None
    except exc.ProgrammingError as error:
        from ledger.store.dsn import scrub

        raise LedgerUnreachable(
            f"The database refused the migration: {scrub(str(error.orig), dsn).strip()}",
            hint="Migrate once as a role that may create roles and schemas: ROLLOUT_DSN=… rollout init",
        ) from None


def check(found: str | None) -> None:
    """Raise unless ``found``, the database's migration, is the one this program was written for."""
    if found is None:
        raise SchemaMissing("This database holds no ledger yet.", hint="Run: rollout init")
    if found > HEAD:
        raise SchemaNewer(
            f"The ledger is at migration {found}, newer than this program's {HEAD}.",
            hint="Upgrade rollout-ledger; nothing was changed.",
        )
    if found < HEAD:
        raise SchemaMissing(
            f"The ledger is at migration {found}; this program needs {HEAD}.",
            hint="Run: rollout init",
        )
