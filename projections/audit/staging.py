"""Copied events on their way into DuckDB: `staging.incoming` while they are loaded, then `staging.fresh`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from projections.audit.log_reader import Copied
from projections.audit.texts import sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def prepare_staging(connection: DuckDBPyConnection) -> None:
    """Make the place for events that are loaded."""
    connection.execute(sql("macros.sql"))
    connection.execute("ATTACH ':memory:' AS staging")


def load(connection: DuckDBPyConnection, copied: Copied) -> None:
    """Load a file into `staging.incoming`, and remove it."""
    connection.execute("SET VARIABLE file = $1", [str(copied.path)])
    connection.execute("SET VARIABLE longest = $1", [copied.longest + 1])
    connection.execute(sql("load.sql"))
    copied.path.unlink()


def take_loaded(connection: DuckDBPyConnection) -> None:
    """Let `staging.fresh` hold what was loaded last."""
    connection.execute("DROP TABLE IF EXISTS staging.fresh")
    connection.execute("ALTER TABLE staging.incoming RENAME TO fresh")
