"""How Alembic runs our migrations: one at a time, each in its own transaction, never waiting for ever."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, create_engine, pool, text

from ledger.store.migrate import MIGRATION_LOCK
from ledger.store.tables import metadata

config = context.config
LOCK_TIMEOUT = config.attributes.get("lock_timeout", "10s")


def run(connection: Connection) -> None:
    """Run the migrations, one process at a time, with limits on locks and statements."""
    connection.execute(
        text("SELECT set_config('lock_timeout', :limit, false)"), {"limit": LOCK_TIMEOUT}
    )
    connection.execute(text("SET statement_timeout = '10min'"))
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS ledger"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table_schema="ledger",
        include_schemas=True,
        include_name=lambda name, kind, _parents: kind != "schema" or name == "ledger",
        transaction_per_migration=True,
    )
    try:
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
        connection.commit()


given = config.attributes.get("connection")
if given is not None:
    run(given)
else:
    from ledger.store.connect import sqlalchemy_url

    engine = create_engine(sqlalchemy_url(), poolclass=pool.NullPool)
    with engine.connect() as opened:
        run(opened)
