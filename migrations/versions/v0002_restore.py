"""Restore: events put back into an empty ledger as they were recorded, by the owner only."""

from __future__ import annotations

from contextlib import closing

from alembic import op

from migrations.sql import load

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OBJECTS = (
    "tables/restoring.sql",
    "functions/refuse_while_restoring.sql",
    "triggers/event_restoring.sql",
    "functions/begin_restore.sql",
    "functions/restore.sql",
    "grants/restore.sql",
)


def upgrade() -> None:
    """Make the functions that restore, and the table that says how far one is."""
    with closing(op.get_bind().connection.cursor()) as cursor:
        for name in OBJECTS:
            cursor.execute(load(name))


def downgrade() -> None:
    """Refuse."""
    raise RuntimeError("The ledger is append-only: there is no way back from a migration.")
