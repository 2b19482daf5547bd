"""Restore: events put back into an empty ledger as they were recorded, by the owner only."""

from __future__ import annotations

from alembic import op

from migrations.sql import execute

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
    execute(op.get_bind(), OBJECTS)


def downgrade() -> None:
    """Refuse."""
    raise RuntimeError("The ledger is append-only: there is no way back from a migration.")
