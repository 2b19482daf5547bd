"""Whether what guards the log stands: triggers, owners, rights and the functions' own text (I1, I32).

The chain tells whether the log is what was recorded; this tells whether it would still be defended. Whoever
owns the database can take a guard away without leaving a mark in the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final, LiteralString

from psycopg import Connection

from ledger.domain.errors import IntegrityFailure
from ledger.store.connect import PROJECTOR, open_connection

OWNER: Final = "ledger_owner"
UNGUARDED: Final = (
    "Find out who took it away, put it back as an administrator (migrations/sql has it), and compare the log "
    "with a checkpoint or an archive kept elsewhere."
)
_TRIGGERS: Final = ("event.event_append_only", "blob.blob_append_only")
_FUNCTIONS: Final = {
    "append(uuid[], text[], bigint[], text[], integer[], timestamptz[], bytea[], boolean)": "append",
    "append(uuid, text, bigint, text, integer, timestamptz, bytea)": "append_one",
    "put_blob(bytea)": "put_blob",
    "refuse_mutation()": "refuse_mutation",
}
"""Signature -> the file that holds its text. Who could change these could let anything in."""
_OWNED: Final[LiteralString] = """
    SELECT 'the schema ' || nspname, nspowner::regrole::text FROM pg_namespace WHERE nspname = 'ledger'
    UNION ALL SELECT 'ledger.' || relname, relowner::regrole::text FROM pg_class
        WHERE relnamespace = 'ledger'::regnamespace AND relkind IN ('r', 'v', 'm', 'p')
        AND relname <> 'alembic_version'
    UNION ALL SELECT 'ledger.' || proname || '()', proowner::regrole::text FROM pg_proc
        WHERE pronamespace = 'ledger'::regnamespace
"""
_WRITABLE: Final[LiteralString] = """
    SELECT grantee::regrole::text, c.relname, privilege_type
        FROM pg_class AS c, aclexplode(c.relacl)
        WHERE c.relnamespace = 'ledger'::regnamespace AND c.relname IN ('event', 'blob', 'restoring')
        AND privilege_type <> 'SELECT' AND grantee <> c.relowner
"""
_NO_TABLES: Final[LiteralString] = """
    SELECT c.relname,
           CASE WHEN c.relkind NOT IN ('r', 'i', 't') THEN 'is no plain table'
                WHEN c.relhasrules OR c.relrowsecurity THEN 'has rules'
                WHEN c.relhastriggers THEN 'has triggers'
                ELSE 'belongs to ' || c.relowner::regrole END
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = 'readmodel' AND (c.relkind NOT IN ('r', 'i', 't') OR c.relhasrules
            OR c.relrowsecurity OR c.relhastriggers OR c.relowner <> to_regrole('ledger_projector'))
        ORDER BY c.relname
"""

_FOREIGN: Final[LiteralString] = """
    WITH relation AS (
        SELECT c.oid, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE n.nspname = 'readmodel'
    ), part AS (
        SELECT 'pg_class'::regclass AS kind, oid, relname FROM relation
        UNION ALL SELECT 'pg_constraint'::regclass, k.oid, r.relname
            FROM pg_constraint AS k JOIN relation AS r ON r.oid = k.conrelid
        UNION ALL SELECT 'pg_attrdef'::regclass, a.oid, r.relname
            FROM pg_attrdef AS a JOIN relation AS r ON r.oid = a.adrelid
    )
    SELECT DISTINCT part.relname FROM part JOIN pg_depend AS d ON d.classid = part.kind AND d.objid = part.oid
        WHERE d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass,
                               'pg_opclass'::regclass)
        ORDER BY part.relname
"""
"""What PostgreSQL itself brings is pinned, and on nothing pinned is a dependency recorded."""


def missing_guards(connection: Connection[tuple[Any, ...]]) -> list[str]:
    """Return as sentences what does not guard the log as it was made to; nothing where all does."""
    return [
        *_triggers(connection),
        *_owners(connection),
        *_rights(connection),
        *_texts(connection),
        *strange_read_models(connection),
    ]


def strange_read_models(connection: Connection[tuple[Any, ...]]) -> list[str]:
    """Return as sentences what stands in the place of a read model and is no plain table of its role's.

    A view in its place, or a function in a constraint, would run with the rights of whoever comes by.
    """
    strange = [f"readmodel.{name} {why}" for name, why in connection.execute(_NO_TABLES).fetchall()]
    calling = connection.execute(_FOREIGN).fetchall()
    return [
        *strange,
        *(f"readmodel.{name} calls what is not PostgreSQL's own" for (name,) in calling),
    ]


def open_read_models(dsn: str) -> Connection[tuple[Any, ...]]:
    """Open the read models as the role that keeps them.

    Raises:
        IntegrityFailure: something else stands in their place: nothing of it is read.
        LedgerUnreachable, RightMissing: see `open_connection`.
    """
    connection = open_connection(dsn, role=PROJECTOR)
    try:
        require_plain_read_models(connection)
    except IntegrityFailure:
        connection.close()
        raise
    return connection


def require_plain_read_models(connection: Connection[tuple[Any, ...]]) -> None:
    """Raise unless the read models are plain tables: nothing else is read, by whatever right.

    Raises:
        IntegrityFailure: something else stands in their place.
    """
    if strange := strange_read_models(connection):
        raise IntegrityFailure(
            f"The read models are not what this program made: {'; '.join(strange)}.",
            hint="Find out who did that. As an administrator: DROP SCHEMA readmodel CASCADE, then the next "
            "command builds them anew.",
        )


def _triggers(connection: Connection[tuple[Any, ...]]) -> Iterator[str]:
    rows = connection.execute(
        "SELECT c.relname || '.' || t.tgname, t.tgenabled::text, p.proname FROM pg_trigger AS t "
        "JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_proc AS p ON p.oid = t.tgfoid "
        "WHERE c.relnamespace = to_regnamespace('ledger')"
    ).fetchall()
    standing = {name: (enabled, function) for name, enabled, function in rows}
    for name in _TRIGGERS:
        match standing.get(name):
            case None:
                yield f"the trigger ledger.{name} is missing: rows can be changed"
            case ("A", "refuse_mutation"):
                pass
            case _:
                yield f"the trigger ledger.{name} is switched off, or another: rows can be changed"


def _owners(connection: Connection[tuple[Any, ...]]) -> Iterator[str]:
    for name, owner in connection.execute(_OWNED).fetchall():
        if owner != OWNER:
            yield f"{name} belongs to {owner}, not to {OWNER}"


def _rights(connection: Connection[tuple[Any, ...]]) -> Iterator[str]:
    for role, table, right in connection.execute(_WRITABLE).fetchall():
        yield f"{'everybody' if role == '-' else role} has the right to {right} ledger.{table}"
    for signature, name in _FUNCTIONS.items():
        row = connection.execute(
            "SELECT has_function_privilege('public', to_regprocedure(%s), 'EXECUTE')",
            (f"ledger.{signature}",),
        ).fetchone()
        if name != "refuse_mutation" and row is not None and row[0]:
            yield f"everybody may call ledger.{signature}"


def _texts(connection: Connection[tuple[Any, ...]]) -> Iterator[str]:
    for signature, name in _FUNCTIONS.items():
        row = connection.execute(
            "SELECT prosrc, prosecdef, proconfig FROM pg_proc WHERE oid = to_regprocedure(%s)",
            (f"ledger.{signature}",),
        ).fetchone()
        if row is None:
            yield f"the function ledger.{signature} is missing"
            continue
        source = files("migrations.sql").joinpath(f"functions/{name}.sql").read_text("utf-8")
        definer = "SECURITY DEFINER" in source
        path = ["search_path=pg_catalog, pg_temp"] if "SET search_path" in source else None
        if row[0].strip() != source.split("$$")[1].strip() or (row[1], row[2]) != (definer, path):
            yield f"the function ledger.{signature} is not the one that this program brought"
