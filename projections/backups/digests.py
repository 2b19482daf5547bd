"""Every table of the read models as a number, which the order of its rows has no part in."""

from __future__ import annotations

from psycopg import sql

from ledger.domain.log.records import TableDigest
from projections.core.base import Db
from projections.engine import checkpoint
from projections.models.registry import tables


def digests(db: Db) -> tuple[int, tuple[TableDigest, ...]]:
    """Return the position that the live read models stand at, and what is in their tables there.

    One snapshot: whoever catches up meanwhile is not seen.
    """
    with db.transaction():
        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        position = checkpoint.reached_in(db)
        tables_held: list[TableDigest] = []
        for projection, table in tables():
            # A sum does not depend on the order of the rows, and sorting a million of them takes long.
            query = sql.SQL(
                "SELECT count(*), coalesce(sum(('x' || left(encode(sha256(convert_to(t::text, 'UTF8')), "
                "'hex'), 16))::bit(64)::bigint::numeric), 0)::text FROM {} AS t"
            ).format(sql.Identifier("readmodel", table))
            rows, digest = db.execute(query).fetchone() or (0, "0")
            tables_held.append(
                TableDigest(
                    projection=projection.name, version=projection.version, table=table,
                    rows=rows, digest=digest,
                )
            )  # fmt: skip
    return position, tuple(tables_held)
