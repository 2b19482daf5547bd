"""What each role may do to the log, and what nobody may (I1)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.abc import Query

from ledger.store.append import Appender
from ledger.store.connect import AUDITOR, OWNER, PROJECTOR, WRITER, open_connection
from ledger.store.guards import missing_guards
from ledger.store.postgres import PostgresStore
from tests.support.builders import an_event

REFUSED_BY_GRANT = "42501"
REFUSED_BY_TRIGGER = "LR001"

CHANGES: dict[str, LiteralString] = {
    "update": "UPDATE ledger.event SET type = 'Nothing' WHERE position = 1",
    "update of no row": "UPDATE ledger.event SET type = 'Nothing' WHERE false",
    "update of the chain": "UPDATE ledger.event SET chain = sha256('x')",
    "update from": "UPDATE ledger.event AS e SET body = '' FROM ledger.event AS o "
    "WHERE o.position = e.position",
    "delete": "DELETE FROM ledger.event WHERE position = 1",
    "delete all": "DELETE FROM ledger.event",
    "delete only": "DELETE FROM ONLY ledger.event",
    "delete in a CTE": "WITH gone AS (DELETE FROM ledger.event RETURNING *) SELECT count(*) FROM gone",
    "truncate": "TRUNCATE ledger.event",
    "truncate cascade": "TRUNCATE ledger.event, ledger.blob CASCADE",
    "upsert": "INSERT INTO ledger.event SELECT * FROM ledger.event ON CONFLICT (position) "
    "DO UPDATE SET body = ''",
    "merge": "MERGE INTO ledger.event AS e USING (VALUES (1)) AS v (n) ON e.position = v.n "
    "WHEN MATCHED THEN DELETE",
    "update a blob": "UPDATE ledger.blob SET bytes = ''",
    "delete a blob": "DELETE FROM ledger.blob",
    "truncate blobs": "TRUNCATE ledger.blob",
}
WAYS_IN: dict[str, LiteralString] = {
    "insert": "INSERT INTO ledger.event SELECT 1, 2, 2, 1, gen_random_uuid(), now(), now(), body_hash, "
    "stream, type, chain, body FROM ledger.event",
    "insert nothing": "INSERT INTO ledger.event SELECT * FROM ledger.event WHERE false",
    "insert a blob": "INSERT INTO ledger.blob VALUES (sha256('x'), 'x')",
}
TAMPERING: dict[str, LiteralString] = {
    "drop the trigger": "DROP TRIGGER event_append_only ON ledger.event",
    "disable the trigger": "ALTER TABLE ledger.event DISABLE TRIGGER ALL",
    "another trigger": "CREATE TRIGGER mine BEFORE INSERT ON ledger.event "
    "FOR EACH ROW EXECUTE FUNCTION ledger.refuse_mutation()",
    "a rule": "CREATE RULE mine AS ON INSERT TO ledger.event DO INSTEAD NOTHING",
    "drop the table": "DROP TABLE ledger.event",
    "rename the table": "ALTER TABLE ledger.event RENAME TO other",
    "drop a constraint": "ALTER TABLE ledger.event DROP CONSTRAINT event_id_uq",
    "another column type": "ALTER TABLE ledger.event ALTER COLUMN body TYPE text",
    "replace append": "CREATE OR REPLACE FUNCTION ledger.leaf(x integer) RETURNS bytea LANGUAGE sql "
    "AS $$ SELECT NULL::bytea $$",
    "drop append": "DROP FUNCTION ledger.put_blob(bytea)",
    "own append": "ALTER FUNCTION ledger.put_blob(bytea) OWNER TO CURRENT_USER",
    "change append": "ALTER FUNCTION ledger.put_blob(bytea) RESET ALL",
    "drop the schema": "DROP SCHEMA ledger CASCADE",
    "create in the schema": "CREATE TABLE ledger.mine (n integer)",
    "inherit": "CREATE TABLE pg_temp.child () INHERITS (ledger.event)",
    "grant": "GRANT UPDATE ON ledger.event TO CURRENT_USER",
    "migration table": "UPDATE ledger.alembic_version SET version_num = '9999'",
    "replication role": "SET session_replication_role = replica",
}
# As the server says it: a GRANT without the right to it is only a warning, so it is checked by its effect.
ONLY_A_WARNING = {"grant"}


@pytest.fixture
def recorded(dsn: str) -> str:
    """A log with one event and one blob in it."""
    store = PostgresStore(dsn)
    store.append([an_event()])
    store.put_blob(b"content")
    store.close()
    return dsn


def attempt(connection: Connection[Any], statement: Query) -> psycopg.Error | None:
    """Run ``statement``; return the error it met."""
    try:
        connection.execute(statement)
    except psycopg.Error as error:
        return error
    return None


def fingerprint(dsn: str) -> list[tuple[Any, ...]]:
    """Return everything that the log and the blobs hold."""
    with psycopg.connect(dsn) as connection:
        return [
            *connection.execute("SELECT * FROM ledger.event ORDER BY position").fetchall(),
            *connection.execute("SELECT * FROM ledger.blob ORDER BY sha256").fetchall(),
        ]


@pytest.mark.parametrize("role", [WRITER, AUDITOR, PROJECTOR])
def test_no_role_may_change_the_log_or_its_guards(recorded: str, role: str) -> None:
    """I1: neither what is in it, nor what guards it, nor by another way in."""
    before = fingerprint(recorded)
    with open_connection(recorded, role=role) as connection:
        for name, statement in (CHANGES | WAYS_IN | TAMPERING).items():
            error = attempt(connection, statement)
            if name in ONLY_A_WARNING:
                assert error is None or error.sqlstate == REFUSED_BY_GRANT, name
                continue
            assert error is not None, f"{name} was allowed"
            assert error.sqlstate == REFUSED_BY_GRANT, f"{name}: {error}"
    assert fingerprint(recorded) == before


@pytest.mark.parametrize("table", ["event", "blob"])
@pytest.mark.parametrize("role", [WRITER, AUDITOR, PROJECTOR])
def test_copy_needs_the_right_to_insert(recorded: str, role: str, table: str) -> None:
    """I1: COPY is an INSERT by another name."""
    with (
        open_connection(recorded, role=role) as connection,
        connection.cursor() as cursor,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        cursor.copy(sql.SQL("COPY ledger.{} FROM STDIN").format(sql.Identifier(table))),
    ):
        pass


@pytest.mark.parametrize("role", [OWNER, None], ids=["owner", "superuser"])
@pytest.mark.parametrize("replica", [False, True], ids=["", "replica"])
def test_the_owner_and_a_superuser_are_stopped_too(
    recorded: str, role: str | None, replica: bool
) -> None:
    """I1: by triggers that fire for everybody, even while replicating, and that say why."""
    before = fingerprint(recorded)
    with psycopg.connect(recorded, autocommit=True) as connection:
        if replica:
            connection.execute("SET session_replication_role = replica")
        if role is not None:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        for name, statement in CHANGES.items():
            error = attempt(connection, statement)
            assert error is not None, f"{name} was allowed"
            assert error.sqlstate == REFUSED_BY_TRIGGER, f"{name}: {error}"
            assert "the ledger is append-only" in str(error), name
            assert "new event" in (error.diag.message_hint or ""), name
    assert fingerprint(recorded) == before


def test_a_view_is_no_way_round(recorded: str) -> None:
    """I1: an updatable view changes the table below it, and is refused as the table is."""
    with psycopg.connect(recorded, autocommit=True) as connection:
        connection.execute("CREATE VIEW public.v AS SELECT * FROM ledger.event")
        for statement in ("UPDATE public.v SET type = 'x'", "DELETE FROM public.v"):
            error = attempt(connection, statement)
            assert error is not None
            assert error.sqlstate == REFUSED_BY_TRIGGER


def test_the_writer_reads_and_appends(recorded: str) -> None:
    """The least that the program needs is what it has."""
    with open_connection(recorded) as connection:
        appender = Appender(connection)
        (answer,) = appender.append([an_event()])
        assert (answer.outcome, answer.position) == ("appended", 2)
        assert connection.execute("SELECT count(*) FROM ledger.event").fetchone() == (2,)
        assert connection.execute("SELECT version_num FROM ledger.alembic_version").fetchone()


@pytest.mark.parametrize("role", [AUDITOR, PROJECTOR])
def test_readers_read_and_do_not_append(recorded: str, role: str) -> None:
    """The auditor and the projector see everything and may record nothing."""
    with open_connection(recorded, role=role) as connection:
        appender = Appender(connection)
        assert connection.execute("SELECT count(*) FROM ledger.event").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM ledger.blob").fetchone() == (1,)
        for name in (
            "put_blob(bytea)",
            "append(uuid[],text[],bigint[],text[],integer[],timestamptz[],bytea[],boolean)",
        ):
            allowed = connection.execute(
                "SELECT has_function_privilege(%s, 'EXECUTE')", [f"ledger.{name}"]
            ).fetchone()
            assert allowed == (False,), name
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            appender.append([an_event()])


def test_the_projector_owns_its_read_models_and_others_may_read_them(recorded: str) -> None:
    """I7: what is disposable can be dropped by its own role, without any right to the log."""
    with open_connection(recorded, role=PROJECTOR) as projector:
        projector.execute("CREATE TABLE readmodel.seen (n integer)")
        projector.execute("INSERT INTO readmodel.seen VALUES (1)")
        for role in (WRITER, AUDITOR):
            with open_connection(recorded, role=role) as reader:
                assert reader.execute("SELECT n FROM readmodel.seen").fetchone() == (1,)
                error = attempt(reader, "DELETE FROM readmodel.seen")
                assert error is not None
                assert error.sqlstate == REFUSED_BY_GRANT
        projector.execute("DROP TABLE readmodel.seen")


@contextmanager
def login(dsn: str, *roles: str) -> Iterator[tuple[Connection[Any], str]]:
    """A connection of an ordinary login that is a member of ``roles``."""
    name = f"login_{uuid4().hex[:8]}"
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        for role in roles:
            admin.execute(
                sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(name))
            )
        try:
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(
                    sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(name))
                )
                yield connection, name
        finally:
            admin.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_a_stranger_sees_nothing(recorded: str) -> None:
    """A login that was given no role does not even read."""
    with login(recorded) as (connection, _):
        for statement in (
            "SELECT * FROM ledger.event",
            "SELECT ledger.put_blob('x')",
            "SELECT * FROM readmodel.seen",
        ):
            error = attempt(connection, statement)
            assert error is not None
            assert error.sqlstate == REFUSED_BY_GRANT


def test_a_writer_can_not_become_the_owner(recorded: str) -> None:
    """Membership of one role is not a ladder to another."""
    with login(recorded, WRITER) as (connection, name):
        connection.execute("SET ROLE ledger_writer")
        for statement in (
            "SET ROLE ledger_owner",
            "SET ROLE ledger_projector",
            "GRANT ledger_owner TO {}",
            "ALTER ROLE {} SUPERUSER",
        ):
            error = attempt(connection, sql.SQL(statement).format(sql.Identifier(name)))
            assert error is not None, statement
            assert error.sqlstate == REFUSED_BY_GRANT


def test_names_of_the_caller_do_not_reach_into_the_functions(recorded: str) -> None:
    """The functions run as the owner: a caller's own functions, operators, types and tables of the
    same names must not be what they find."""
    with login(recorded, WRITER) as (connection, name):
        with psycopg.connect(recorded, autocommit=True) as admin:
            admin.execute(
                sql.SQL("CREATE SCHEMA evil AUTHORIZATION {}").format(sql.Identifier(name))
            )
        connection.execute(
            """
            CREATE FUNCTION evil.mark() RETURNS boolean LANGUAGE plpgsql AS
                $$ BEGIN PERFORM set_config('evil.user', current_user, false); RETURN true; END $$;
            CREATE FUNCTION evil.sha256(bytea) RETURNS bytea LANGUAGE sql AS
                $$ SELECT 'forged'::pg_catalog.bytea FROM evil.mark() $$;
            CREATE FUNCTION evil.append(bytea, bytea) RETURNS bytea LANGUAGE sql AS
                $$ SELECT evil.sha256($1) $$;
            CREATE OPERATOR evil.|| (FUNCTION = evil.append, LEFTARG = bytea, RIGHTARG = bytea);
            CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
                $$ SELECT '1970-01-01'::timestamptz FROM evil.mark() $$;
            CREATE DOMAIN pg_temp.bytea AS pg_catalog.bytea CHECK (evil.mark());
            CREATE DOMAIN pg_temp.uuid AS pg_catalog.uuid CHECK (evil.mark());
            CREATE DOMAIN pg_temp.record AS pg_catalog.text CHECK (evil.mark());
            CREATE TEMP TABLE event (position bigint);
            CREATE TEMP TABLE pg_proc (oid integer);
            SET search_path = evil, pg_temp, pg_catalog, ledger;
            """
        )
        appender = Appender(connection)
        batches = [[an_event()], [an_event(), an_event()], [an_event(expected=9), an_event()]]
        for batch in batches:
            appender.append(batch)
        connection.execute("SELECT ledger.put_blob('x'::pg_catalog.bytea)")
        reached = connection.execute(
            "SELECT pg_catalog.current_setting('evil.user', true)"
        ).fetchone()
        assert reached in {(None,), ("",)}
        recount = "SELECT * FROM ledger.first_bad_position(1, 5, pg_catalog.decode(repeat('00', 32), 'hex'))"
        assert connection.execute(recount).fetchall() == []
    with psycopg.connect(recorded) as connection:
        assert connection.execute(
            "SELECT count(*), min(recorded_at) > '2020-01-01' FROM ledger.event"
        ).fetchone() == (5, True)


def test_every_function_pins_its_search_path(dsn: str) -> None:
    """What runs with the owner's rights, or is called by what does, looks names up in one place."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT proname, proconfig, prosqlbody IS NOT NULL FROM pg_proc "
            "WHERE pronamespace = 'ledger'::regnamespace"
        ).fetchall()
    assert {"append", "put_blob", "leaf", "refuse_mutation"} <= {row[0] for row in rows}
    for name, settings, parsed_when_made in rows:
        assert parsed_when_made or "search_path=pg_catalog, pg_temp" in (settings or []), name


def test_a_fresh_ledger_is_guarded(dsn: str) -> None:
    """I32: what `doctor` and `verify` look at is as the migrations made it, whoever looks."""
    for role in (WRITER, AUDITOR, PROJECTOR):
        with open_connection(dsn, role=role) as connection:
            assert missing_guards(connection) == []
