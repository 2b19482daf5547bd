"""Whether the live read model is what the log gives: held against a fresh fold, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from psycopg import sql

from projections.core.base import Db
from projections.core.rows import Row, select
from projections.engine import checkpoint
from projections.engine.runner import Projector
from projections.models.incidents import export
from projections.models.registry import tables

FRESH: Final = "readmodel_verify"
SHOWN_MAX: Final = 3


@dataclass(frozen=True, slots=True)
class Difference:
    """A table that is not what the log gives, with the first rows that differ."""

    projection: str
    table: str
    only_live: list[Row]
    only_fresh: list[Row]


@dataclass(frozen=True, slots=True)
class Verification:
    """What a comparison came to."""

    position: int
    tables: int
    differences: list[Difference]
    incidents_json: bytes
    """As the log gives it."""


def verify(projector: Projector) -> Verification:
    """Fold the log afresh beside the live model and compare every table, both ways.

    Raises:
        IntegrityFailure: a position is missing from the log, or an event can't be applied.
        OperationInProgress: another process is rebuilding or verifying.
    """
    _ = projector.catch_up()
    with projector.alone(), projector.built(FRESH, checkpoint.reached_in) as position:
        compared = [
            Difference(
                projection.name,
                table,
                _only_in(projector.db, "readmodel", FRESH, table),
                _only_in(projector.db, FRESH, "readmodel", table),
            )
            for projection, table in tables()
        ]
        content = export(projector.db, FRESH)
        projector.db.execute("DROP SCHEMA readmodel_verify CASCADE")
    differences = [each for each in compared if each.only_live or each.only_fresh]
    return Verification(position, len(compared), differences, content)


def _only_in(db: Db, here: str, there: str, table: str) -> list[Row]:
    query = sql.SQL("SELECT * FROM {} EXCEPT ALL SELECT * FROM {} ORDER BY 1 LIMIT {}").format(
        sql.Identifier(here, table), sql.Identifier(there, table), SHOWN_MAX
    )
    return select(db, query)
