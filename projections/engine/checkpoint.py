"""How far the read model has come, and whether it is one that this program can go on with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from psycopg import sql

from ledger.domain.errors import InvariantViolated
from projections.core.base import Db, Part
from projections.core.log import head
from projections.models.registry import PROJECTIONS

CATCH_UP_LOCK: Final = 8243122740717776498  # 'readmodr' as a number
REBUILD_LOCK: Final = 8243122740717773410

NOT_THERE: Final = "there is no read model yet"

DEFINITION: Final = """
    CREATE TABLE checkpoint (
        projection  text     NOT NULL,
        version     integer  NOT NULL,
        position    bigint   NOT NULL,
        chain       bytea,
        CONSTRAINT checkpoint_pk PRIMARY KEY (projection)
    );
    COMMENT ON TABLE checkpoint IS 'The position that every projection has come to, and the chain value '
        'there, by which a log that was exchanged for another is told.';
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the model's checkpoint says. ``problem`` is a sentence when it has to be built anew."""

    position: int
    problem: str | None = None


def standing(db: Db) -> Standing:
    """Return how far the live model is, or why it can't be used."""
    # Asked first, and not tried: an error would end the transaction that this may be called in.
    exists = db.execute("SELECT to_regclass('readmodel.checkpoint') IS NOT NULL").fetchone()
    if exists is None or not exists[0]:
        return Standing(0, NOT_THERE)
    rows = db.execute(
        "SELECT c.projection, c.version, c.position, c.position = 0 OR e.chain = c.chain "
        "FROM readmodel.checkpoint AS c LEFT JOIN ledger.event AS e ON e.position = c.position"
    ).fetchall()
    versions = {name: version for name, version, _, _ in rows}
    for projection in PROJECTIONS:
        version = versions.pop(projection.name, None)
        if version is None:
            return Standing(0, f"the projection {projection.name} is new")
        if version != projection.version:
            return Standing(
                0,
                f"the projection {projection.name} is of version {projection.version} now, not {version}",
            )
    if versions:
        return Standing(0, f"there is no projection {min(versions)} any more")
    if len({position for _, _, position, _ in rows}) != 1:
        return Standing(0, "its projections are not at one position")
    position, same_log = rows[0][2:]
    if not same_log:
        return Standing(0, "the log is not the one that it was built from")
    return Standing(position)


def reached_in(db: Db) -> int:
    """Return the position that readers of ``db`` see."""
    return standing(db).position


def begin(db: Db) -> None:
    """Write the checkpoints of an empty model."""
    for projection in PROJECTIONS:
        db.execute(
            "INSERT INTO checkpoint VALUES (%s, %s, 0, NULL)", (projection.name, projection.version)
        )


def advance(db: Db, part: Part) -> None:
    """Move the checkpoints over ``part``, in the transaction that wrote its rows.

    Raises:
        InvariantViolated: they are not where the part begins; somebody else moved them.
    """
    moved = db.execute(
        "UPDATE checkpoint SET position = %s, chain = (SELECT chain FROM ledger.event WHERE position = %s) "
        "WHERE position = %s",
        (part.up_to, part.up_to, part.after),
    ).rowcount
    if moved != len(PROJECTIONS):
        raise InvariantViolated(
            f"The read model's checkpoint moved away from {part.after} under the lock."
        )


def details(db: Db) -> list[dict[str, Any]]:
    """Return, for every projection, version, position, how far that is behind the log, rows and size."""
    stands, end = standing(db), head(db)
    rows_of_projections: list[dict[str, Any]] = []
    for projection in PROJECTIONS:
        rows, size = 0, 0
        if stands.problem is None:
            for table in projection.tables:
                name = sql.Identifier("readmodel", table)
                query = sql.SQL("SELECT count(*), pg_total_relation_size({}) FROM {}").format(
                    sql.Literal(f"readmodel.{table}"), name
                )
                counted, bytes_ = db.execute(query).fetchone() or (0, 0)
                rows, size = rows + counted, size + bytes_
        rows_of_projections.append(
            {
                "projection": projection.name,
                "version": projection.version,
                "position": stands.position,
                "behind": end - stands.position,
                "rows": rows,
                "size": size,
                "problem": stands.problem,
            }
        )
    return rows_of_projections
