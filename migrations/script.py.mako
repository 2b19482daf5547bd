"""${message}"""

from __future__ import annotations

from alembic import op

from migrations.sql import load

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    raise RuntimeError("The ledger is append-only: there is no way back from a migration.")
