"""The ledger's tables as SQLAlchemy sees them, so that `alembic check` can tell when they drift apart.

The program itself speaks SQL through psycopg (see `ledger.store.postgres`); nothing on a command's hot
path imports this module.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    true,
)

metadata = MetaData(schema="ledger")

event = Table(
    "event",
    metadata,
    Column("format", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("body_hash", LargeBinary, nullable=False),
    Column("stream", Text(collation="C"), nullable=False),
    Column("type", Text(collation="C"), nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("position", name="event_pk"),
    UniqueConstraint("stream", "revision", name="event_stream_revision_uq"),
    UniqueConstraint("event_id", name="event_id_uq"),
    comment="Append-only, hash-chained log of everything that was decided and seen. "
    "ledger.append() is the only way in.",
)

blob = Table(
    "blob",
    metadata,
    Column("sha256", LargeBinary, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
    PrimaryKeyConstraint("sha256", name="blob_pk"),
    CheckConstraint("sha256 = pg_catalog.sha256(bytes)", name="blob_is_its_hash"),
    comment="Append-only bytes by content hash. ledger.put_blob() is the only way in.",
)

restoring = Table(
    "restoring",
    metadata,
    Column("one", Boolean, nullable=False, server_default=true()),
    Column("position", BigInteger, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("transaction", BigInteger),
    PrimaryKeyConstraint("one", name="restoring_pk"),
    CheckConstraint("one", name="restoring_is_one"),
    comment="The end that a restore under way has to come to; empty as a rule.",
)
