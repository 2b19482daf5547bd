"""The ledger: the log, the blobs, the one way in, the roles and the grants."""

from __future__ import annotations

from alembic import op

from migrations.sql import execute

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

OBJECTS = (
    "roles/roles.sql",
    "tables/event.sql",
    "tables/blob.sql",
    "functions/refuse_mutation.sql",
    "triggers/event_append_only.sql",
    "triggers/blob_append_only.sql",
    "functions/leaf.sql",
    "functions/decided.sql",
    "functions/append.sql",
    "functions/append_one.sql",
    "functions/put_blob.sql",
    "functions/first_bad_position.sql",
    "grants/grants.sql",
)


def upgrade() -> None:
    """Make the log, the functions that guard it, and the roles."""
    execute(op.get_bind(), OBJECTS)


def downgrade() -> None:
    """Refuse."""
    raise RuntimeError("The ledger is append-only: there is no way back from a migration.")
