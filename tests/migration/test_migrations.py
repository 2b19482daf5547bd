"""Migrations: one line of them, safe to repeat, safe at once, never waiting for ever, never back."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import create_engine, pool

import migrations
from ledger.domain.errors import LedgerUnreachable, SchemaMissing, SchemaNewer
from ledger.store import migrate
from ledger.store.postgres import PostgresStore
from tests.support.builders import an_event, events
from tests.support.postgres import PostgresServer

FOLDER = Path(migrations.__path__[0])


@contextmanager
def alembic(dsn: str) -> Iterator[Config]:
    """Alembic's configuration over a connection to ``dsn``, as `migrate.upgrade` makes it."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=pool.NullPool
    )
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        yield config


def objects(dsn: str) -> list[tuple[str, ...]]:
    """Return every table, function, trigger and grant of the ledger, with its definition."""
    with psycopg.connect(dsn) as connection:
        return [
            *connection.execute(
                "SELECT oid::regclass::text, relkind::text, relacl::text FROM pg_class "
                "WHERE relnamespace = 'ledger'::regnamespace ORDER BY 1"
            ),
            *connection.execute(
                "SELECT pg_get_functiondef(oid), proacl::text, proowner::regrole::text FROM pg_proc "
                "WHERE pronamespace = 'ledger'::regnamespace ORDER BY 1"
            ),
            *connection.execute(
                "SELECT pg_get_triggerdef(oid), tgenabled::text FROM pg_trigger "
                "WHERE tgrelid = 'ledger.event'::regclass ORDER BY 1"
            ),
        ]


def migrate_at_once(*conninfos: str) -> None:
    """Migrate in as many processes as there are ``conninfos``."""
    program = "import sys; from ledger.store.migrate import upgrade; upgrade(sys.argv[1])"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, conninfo], stderr=subprocess.PIPE, text=True
        )
        for conninfo in conninfos
    ]
    for process in processes:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said


def test_there_is_one_head_and_the_program_knows_it() -> None:
    """Two heads are two branches that nobody merged; a HEAD behind refuses its own ledger."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [migrate.HEAD]
    assert len(script.get_bases()) == 1


def test_every_sql_file_is_in_a_migration() -> None:
    """A file that no migration loads is a change that never happens."""
    versions = "".join(path.read_text() for path in (FOLDER / "versions").glob("*.py"))
    for path in (FOLDER / "sql").rglob("*.sql"):
        assert path.relative_to(FOLDER / "sql").as_posix() in versions


def test_alembic_check_is_clean(dsn: str) -> None:
    """What the migrations make is what `ledger.store.tables` says."""
    with alembic(dsn) as config:
        command.check(config)


def test_there_is_no_way_back(dsn: str) -> None:
    """I1: a downgrade would drop the log."""
    with alembic(dsn) as config, pytest.raises(RuntimeError, match="append-only"):
        command.downgrade(config, "base")
    store = PostgresStore(dsn)
    assert store.append([an_event()])[0].position == 1
    store.close()


def test_upgrading_again_changes_nothing(dsn: str) -> None:
    """`rollout init` may be run any number of times, with data present."""
    store = PostgresStore(dsn)
    store.append(events(10))
    before, log = objects(dsn), list(store.read())
    migrate.upgrade(dsn)
    migrate.upgrade(dsn)
    assert objects(dsn) == before
    assert list(store.read()) == log
    assert store.schema_revision() == migrate.HEAD
    assert store.append([an_event()])[0].position == 11
    store.close()


def test_two_migrations_at_once(empty_dsn: str) -> None:
    """Two commands that start at once on a new ledger: one migrates, the other finds it done."""
    migrate_at_once(*[empty_dsn] * 4)
    store = PostgresStore(empty_dsn)
    assert store.schema_revision() == migrate.HEAD
    assert store.append([an_event()])[0].position == 1
    store.close()


def test_two_ledgers_of_one_server_at_once(postgres_server: PostgresServer) -> None:
    """Roles belong to the whole server: migrations of two databases must not trip over them."""
    with postgres_server.new_database() as one, postgres_server.new_database() as two:
        migrate_at_once(one, two)
        assert objects(one) == objects(two)


def test_a_migration_does_not_wait_for_ever(empty_dsn: str) -> None:
    """A migration that hangs elsewhere is told about after a bounded time."""
    with psycopg.connect(empty_dsn, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [migrate.MIGRATION_LOCK])
        started = time.monotonic()
        with pytest.raises(LedgerUnreachable, match="lock timeout") as told:
            migrate.upgrade(empty_dsn, lock_timeout="200ms")
        assert time.monotonic() - started < 5
        assert "no other migration" in (told.value.hint or "")
    migrate.upgrade(empty_dsn)


def test_a_migration_that_fails_leaves_nothing(empty_dsn: str) -> None:
    """I12: each is one transaction; whoever has a table of that name keeps it, and gets no half ledger."""
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA ledger; CREATE TABLE ledger.blob (mine integer)")
        with pytest.raises(LedgerUnreachable, match='"blob" already exists'):
            migrate.upgrade(empty_dsn)
        tables = "SELECT relname FROM pg_class WHERE relnamespace = 'ledger'::regnamespace AND relkind = 'r'"
        left = {row[0] for row in connection.execute(tables)}
        assert "event" not in left
        assert connection.execute("SELECT mine FROM ledger.blob").fetchall() == []
        connection.execute("DROP TABLE ledger.blob")
    migrate.upgrade(empty_dsn)


def test_a_database_in_another_encoding_is_refused(postgres_server: PostgresServer) -> None:
    """Names are hashed as UTF-8; a database that can't hold them all is no place for a ledger."""
    name = f"test_{uuid4().hex[:8]}"
    with psycopg.connect(postgres_server.admin_dsn, autocommit=True) as admin:
        admin.execute(
            sql.SQL(
                "CREATE DATABASE {} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
            ).format(sql.Identifier(name))
        )
        try:
            with pytest.raises(LedgerUnreachable, match="needs a database in UTF8"):
                migrate.upgrade(postgres_server.database(name))
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_an_empty_database_holds_no_ledger(empty_dsn: str) -> None:
    """Bad input: no schema is one sentence with the next step, from every verb of the store."""
    store = PostgresStore(empty_dsn)
    assert store.schema_revision() is None
    with pytest.raises(SchemaMissing) as told:
        migrate.check(store.schema_revision())
    assert "rollout init" in (told.value.hint or "")
    for verb in (
        store.head,
        lambda: store.append([an_event()]),
        lambda: list(store.read(0, 9)),
        lambda: store.put_blob(b""),
    ):
        with pytest.raises(SchemaMissing):
            verb()
    store.close()


def test_a_server_without_our_roles_holds_no_ledger(dsn: str) -> None:
    """On a server that never saw a ledger not even the role is there."""
    store = PostgresStore(dsn, role="ledger_of_nobody")
    assert store.schema_revision() is None
    with pytest.raises(SchemaMissing):
        store.head()


def test_a_newer_ledger_is_left_alone(dsn: str) -> None:
    """An older program neither migrates nor uses what a newer one has made."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("UPDATE ledger.alembic_version SET version_num = '9999'")
    before = objects(dsn)
    store = PostgresStore(dsn)
    with pytest.raises(SchemaNewer, match="9999"):
        migrate.check(store.schema_revision())
    with pytest.raises(SchemaNewer):
        migrate.upgrade(dsn)
    assert objects(dsn) == before
    store.close()


def test_an_older_ledger_is_told_about() -> None:
    """The next step is the migration."""
    with pytest.raises(SchemaMissing, match="0000"):
        migrate.check("0000")
    migrate.check(migrate.HEAD)


@contextmanager
def ordinary_owner(server: PostgresServer, *, member: bool) -> Iterator[str]:
    """A database of a login that is no superuser, as a managed Postgres gives one."""
    login, database = f"dba_{uuid4().hex[:8]}", f"test_{uuid4().hex[:8]}"
    server.template()  # so that the roles are there
    with psycopg.connect(server.admin_dsn, autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD 'x'").format(sql.Identifier(login))
        )
        if member:
            admin.execute(
                sql.SQL(
                    "GRANT ledger_owner, ledger_writer, ledger_auditor, ledger_projector TO {}"
                ).format(sql.Identifier(login))
            )
        admin.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(*map(sql.Identifier, (database, login)))
        )
        try:
            # The session acts as the login from its first statement on.
            yield make_conninfo(
                server.database(database), options=f"-c session_authorization={login}"
            )
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))
            admin.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(login)))
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))


def test_an_ordinary_database_owner_can_migrate(postgres_server: PostgresServer) -> None:
    """No superuser is needed: owning the database and being in the ledger's roles is enough."""
    with ordinary_owner(postgres_server, member=True) as conninfo:
        migrate.upgrade(conninfo)
        with postgres_server.fresh_ledger() as other:
            assert [row[0] for row in objects(conninfo)] == [row[0] for row in objects(other)]
