"""Databases with a fresh ledger, lent to one test after the other.

To clone a template copies three hundred files and waits for a checkpoint; to empty the log takes a
twentieth of that. What a test did to anything but rows (a trigger, an owner, a right, a function) is found by
comparing the catalog with what it was, and such a database is dropped.
"""

from __future__ import annotations

import time
import uuid
from typing import Final, LiteralString

import psycopg
from psycopg import Connection, sql

LENT_MAX: Final = 40
"""How often one is lent: its catalog grows with each set of read models that was made and dropped."""
LOOKS_MAX: Final = 15
_EMPTY: Final[tuple[LiteralString, ...]] = (
    "DROP SCHEMA IF EXISTS readmodel, readmodel_next, readmodel_verify CASCADE",
    "CREATE SCHEMA readmodel AUTHORIZATION ledger_projector",
    "GRANT USAGE ON SCHEMA readmodel TO ledger_writer, ledger_auditor",
    "ALTER TABLE ledger.event DISABLE TRIGGER event_append_only",
    "ALTER TABLE ledger.blob DISABLE TRIGGER blob_append_only",
    "TRUNCATE ledger.event, ledger.blob, ledger.restoring",
    "ALTER TABLE ledger.event ENABLE ALWAYS TRIGGER event_append_only",
    "ALTER TABLE ledger.blob ENABLE ALWAYS TRIGGER blob_append_only",
)
_OTHERS: Final[LiteralString] = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_CATALOG: Final[LiteralString] = """
    SELECT md5(string_agg(what, E'\\n' ORDER BY what)) FROM (
        SELECT concat_ws(' ', 'schema', nspname, nspowner,
                         array(SELECT unnest(nspacl)::text ORDER BY 1)) AS what
            FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'
        UNION ALL
        SELECT concat_ws(' ', 'relation', relnamespace::regnamespace, relname, relkind, relowner, relacl,
                         relhasrules, relrowsecurity, relforcerowsecurity, relnatts)
            FROM pg_class WHERE relnamespace NOT IN ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace)
        UNION ALL
        SELECT concat_ws(' ', 'column', attrelid::regclass, attname, atttypid, attnotnull, attacl)
            FROM pg_attribute WHERE attnum > 0 AND attrelid >= 16384
            AND attrelid NOT IN (SELECT oid FROM pg_class WHERE relnamespace = 'pg_toast'::regnamespace)
        UNION ALL
        SELECT concat_ws(' ', 'function', oid::regprocedure, md5(prosrc), proowner, proacl, prosecdef,
                         proconfig)
            FROM pg_proc WHERE oid >= 16384
        UNION ALL
        SELECT concat_ws(' ', 'trigger', tgrelid::regclass, tgname, tgenabled, tgfoid::regprocedure)
            FROM pg_trigger
        UNION ALL
        SELECT concat_ws(' ', 'constraint', conrelid::regclass, pg_get_constraintdef(oid), convalidated)
            FROM pg_constraint WHERE conrelid >= 16384
        UNION ALL
        SELECT concat_ws(' ', 'rights', defaclrole, defaclnamespace, defaclobjtype, defaclacl)
            FROM pg_default_acl
        UNION ALL
        SELECT concat_ws(' ', 'database', datacl, datallowconn, datconnlimit) FROM pg_database
            WHERE datname = current_database()
        UNION ALL
        SELECT concat_ws(' ', 'setting', setrole, setconfig) FROM pg_db_role_setting
            WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
        UNION ALL
        SELECT concat_ws(' ', 'migration', version_num) FROM ledger.alembic_version
    ) AS c
"""


class CleanDatabases:
    """Those of one server that are not lent, in one process of the run."""

    def __init__(self, admin_dsn: str, template: str) -> None:
        self._admin_dsn: Final = admin_dsn
        self._template: Final = template
        self._lent: dict[str, int] = {}
        self._free: list[str] = []
        self._catalog: str | None = None

    def lend(self) -> str:
        """Return the name of a database with a fresh ledger."""
        if self._free:
            name = self._free.pop()
        else:
            name = f"test_{uuid.uuid4().hex[:12]}"
            # As files, not through the WAL: a quarter of the work, and there is no crash to survive.
            self._do("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, self._template)
            self._do("GRANT CREATE ON DATABASE {} TO ledger_projector", name)
            self._lent[name] = 0
        self._lent[name] += 1
        return name

    def take_back(self, name: str) -> None:
        """Empty a database for the next test, or drop it if it is not what it was."""
        if self._lent[name] < LENT_MAX and self._is_emptied(name):
            self._free.append(name)
        else:
            self._do("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _is_emptied(self, name: str) -> bool:
        try:
            with psycopg.connect(self._admin_dsn, dbname=name, autocommit=True) as connection:
                if not _is_left_alone(connection):
                    return False
                for statement in _EMPTY:
                    connection.execute(statement)
                return self._catalog_of(connection) == self._expected()
        except psycopg.Error:  # whatever the test did: the database is gone, or its guards are
            return False

    def _expected(self) -> str:
        if self._catalog is None:
            name = f"test_{uuid.uuid4().hex[:12]}"
            self._do("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, self._template)
            self._do("GRANT CREATE ON DATABASE {} TO ledger_projector", name)
            with psycopg.connect(self._admin_dsn, dbname=name, autocommit=True) as connection:
                self._catalog = self._catalog_of(connection)
            self._lent[name] = 0
            self._free.append(name)
        return self._catalog

    @staticmethod
    def _catalog_of(connection: Connection[tuple[object, ...]]) -> str:
        row = connection.execute(_CATALOG).fetchone()
        assert row is not None
        return str(row[0])

    def _do(self, statement: LiteralString, *names: str) -> None:
        with psycopg.connect(self._admin_dsn, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _is_left_alone(connection: Connection[tuple[object, ...]]) -> bool:
    """Wait a moment for servers whose clients are gone. One that is still there would disturb the next."""
    for _ in range(LOOKS_MAX):
        if connection.execute(_OTHERS).fetchone() == (0,):
            return True
        time.sleep(0.02)
    return False
