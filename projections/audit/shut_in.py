"""A connection on which SQL can read the replica and nothing else (I15), and the check before it is run.

Two walls, each of which is enough. The engine's: the file is open read-only, DuckDB may touch no other
file, no network and no extension, takes no variable of this program for a table, and its settings are
locked. And ours: one kind of statement, and no function or table that tells about the machine rather
than about the log; what is not known to be harmless is refused.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from ledger.clock import SystemClock
from ledger.domain.clock import Clock
from ledger.domain.errors import BadInput, FileNotRead
from projections.audit import replica
from projections.audit.replica import ReplicaInUse

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, Statement

MEMORY: Final = "2GB"
SPILL_MAX: Final = "8GB"
WAIT_SECONDS_MAX: Final = 60.0
_POLL_SECONDS: Final = 0.1

_CONFIG: Final[dict[str, Any]] = {
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    "allow_unsigned_extensions": False,
    "allow_persistent_secrets": False,
    "python_enable_replacements": False,
    "memory_limit": MEMORY,
    "max_temp_directory_size": SPILL_MAX,
}

READABLE_FUNCTIONS: Final = frozenset(
    {
        "generate_series", "histogram", "histogram_values", "icu_calendar_names", "json_each", "json_tree",
        "pg_timezone_names", "range", "repeat", "repeat_row", "summary", "unnest",
    }
)  # fmt: skip
"""Functions that may stand where a table may; any other is refused, also one of a later DuckDB."""

_TELLING_FUNCTIONS: Final = frozenset({"current_setting", "getenv", "getvariable", "write_log"})
_EXPLAIN: Final = re.compile(r"\A\s*EXPLAIN\s+(ANALYZE\s+)?(\([^)]*\)\s*)?", re.IGNORECASE)
_HINT: Final = (
    "Audit SQL reads the replica: SELECT, WITH, DESCRIBE, SHOW TABLES, SUMMARIZE, EXPLAIN."
)

Json = Mapping[str, Any]


@contextmanager
def open_for_reading(
    path: Path,
    *,
    may_write: Path | None = None,
    wait_seconds: float = WAIT_SECONDS_MAX,
    clock: Clock | None = None,
) -> Generator[DuckDBPyConnection]:
    """Open the replica so that SQL can do nothing but read it; waits while another process writes it.

    ``may_write`` is the one file that may be made, for results that the engine writes itself.

    Raises:
        ReplicaInUse: another process has been writing it all the while.
        FileNotRead: there is none, or it is broken.
    """
    import duckdb

    if not path.exists():
        raise FileNotRead(
            "There is no audit replica yet.",
            hint="It is made when Postgres can be reached: rollout sql",
        )
    # A folder of its own: what spills from memory is as private as the log, and gone afterwards.
    with tempfile.TemporaryDirectory(prefix="rollout-audit-") as scratch:
        connection = _connect(path, {**_CONFIG, "temp_directory": scratch}, wait_seconds, clock)
        try:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET show_behavior = 'table'")
            if may_write is not None:
                connection.execute("SET allowed_paths = $1", [[str(may_write)]])
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            yield connection
        finally:
            # An engine that has not heard its interrupt yet can't be closed; the process ends it.
            with suppress(duckdb.Error):
                connection.close()


def _connect(
    path: Path, config: dict[str, Any], wait_seconds: float, clock: Clock | None
) -> DuckDBPyConnection:
    clock = clock or SystemClock()
    deadline = clock.monotonic() + wait_seconds
    while True:
        try:
            return replica.connect(path, read_only=True, config=config)
        except ReplicaInUse:
            if clock.monotonic() >= deadline:
                raise
        clock.sleep(_POLL_SECONDS)


def checked(connection: DuckDBPyConnection, text: str) -> list[Statement]:
    """Return the statements of ``text``, each of which only reads the replica.

    Raises:
        BadInput: there is none, one does something else, or names what isn't the log's.
        duckdb.Error: DuckDB can't parse it.
    """
    statements = connection.extract_statements(text)
    if not statements:
        raise BadInput("There is no SQL to run.", hint=_HINT)
    for statement in statements:
        _check(connection, statement)
    return statements


def _check(connection: DuckDBPyConnection, statement: Statement) -> None:
    from duckdb import StatementType

    text = statement.query.strip()
    if statement.type == StatementType.EXPLAIN:
        # EXPLAIN ANALYZE runs what it explains, so that is what counts.
        inner = connection.extract_statements(_EXPLAIN.sub("", text, count=1))
        if len(inner) == 1 and inner[0].type == StatementType.SELECT:
            _check(connection, inner[0])
            return
    elif statement.type == StatementType.SELECT:
        _check_tree(connection, text)
        return
    elif text[:5].upper() == "PIVOT":
        raise BadInput(
            "A PIVOT has to name its values here, since it may make no type of its own.",
            hint="PIVOT … ON mode IN ('mock', 'real') …",
        )
    kind = str(statement.type).rpartition(".")[2]
    raise BadInput(f"{kind} is no reading statement.", hint=_HINT)


def _check_tree(connection: DuckDBPyConnection, text: str) -> None:
    row = connection.execute("SELECT json_serialize_sql($1::VARCHAR)", [text]).fetchone()
    tree = json.loads(row[0]) if row else {"error": True}
    if tree["error"]:
        raise BadInput("This statement can't be checked, so it is not run.", hint=_HINT)
    foreign = _system_views(connection)
    for node in _nodes(tree):
        kind = node.get("type")
        if kind == "TABLE_FUNCTION":
            name = str(node["function"]["function_name"]).lower()
            if name not in READABLE_FUNCTIONS:
                raise _refused(f"{name}()")
        elif kind == "FUNCTION":
            name = str(node.get("function_name", "")).lower()
            if name in _TELLING_FUNCTIONS or name.startswith("duckdb_"):
                raise _refused(f"{name}()")
        elif kind == "BASE_TABLE":
            path = [str(part).lower() for part in node["qualified_name"]["path"]]
            is_engine = path[-1] in foreign or path[0] in {"system", "pg_catalog"}
            if is_engine and "information_schema" not in path:
                raise _refused(".".join(path))


def _nodes(tree: Json) -> Iterator[Json]:
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield cast("Json", node)
            waiting += cast("Json", node).values()
        elif isinstance(node, list):
            waiting += cast("list[Any]", node)


def _refused(name: str) -> BadInput:
    return BadInput(
        f"{name} is not part of the audit data.", hint=f"{_HINT} SHOW TABLES names them."
    )


def _system_views(connection: DuckDBPyConnection) -> frozenset[str]:
    """Return the engine's own views, but for those of the information schema."""
    rows = connection.execute(
        "SELECT lower(view_name) FROM duckdb_views() WHERE internal AND schema_name <> 'information_schema'"
    ).fetchall()
    return frozenset(name for (name,) in rows)
