"""The present state of a system, as the read model has it: a head start for whoever folds it.

Apart from the read model itself, because a pause looks here, and must not wait for the rest to load.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from psycopg import Connection, errors

from ledger.domain.state import SystemState, decode
from ledger.fold_version import fold_version


def cached_state(db: Connection[tuple[Any, ...]], system: str) -> SystemState | None:
    """Return the state of ``system`` as the read model has it, perhaps behind the log, or None.

    None too where another fold has made the model, or it is of another log than this one (one that was
    restored from an older backup, say), or can't be read: then the state has to be folded from the first
    event.
    """
    try:
        row = db.execute(
            "SELECT s.state FROM readmodel.system_state AS s "
            "JOIN readmodel.checkpoint AS c ON c.projection = 'system_state' AND c.version = %s "
            "JOIN ledger.event AS e ON e.position = s.position AND e.revision = s.revision "
            "AND e.stream = 'system:' || s.system "
            "JOIN ledger.event AS k ON k.position = c.position AND k.chain = c.chain "
            "WHERE s.system = %s",
            (fold_version(), system),
        ).fetchone()
    except (errors.UndefinedTable, errors.InvalidSchemaName, errors.UndefinedColumn):
        return None
    with suppress(ValueError):  # somebody has written into it: this program folds it anew
        return decode(row[0]) if row is not None else None
    return None
