"""The third verifier: DuckDB's SQL recomputes the chain (I3)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from projections.audit import replica, verify
from projections.audit.replica import replica_path
from projections.audit.sync import sync
from tests.support.audit import ask, bad, tampering

ROOT = Path(__file__).parents[2]
VECTORS: list[dict[str, Any]] = json.loads((ROOT / "tests/vectors/chain.json").read_bytes())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def vectors(embedded_dsn: str, home: Path) -> Path:
    """Return a home whose replica came from a log that holds the frozen vectors."""
    with tampering(embedded_dsn) as connection:
        for vector in VECTORS:
            connection.execute(
                "INSERT INTO ledger.event (format, position, revision, schema_version, event_id, occurred_at,"
                " recorded_at, body_hash, stream, type, chain, body)"
                " VALUES (1, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    vector["position"], vector["revision"], vector["schema_version"],
                    UUID(vector["event_id"]), vector["occurred_at"], vector["recorded_at"],
                    bytes.fromhex(vector["body_hash"]), vector["stream"], vector["type"],
                    bytes.fromhex(vector["chain"]), vector["body"].encode(),
                ],
            )  # fmt: skip
    sync(embedded_dsn, home)
    return home


def test_duckdb_agrees_with_the_vectors(vectors: Path) -> None:
    """I3: the third implementation of the hash layout, in DuckDB's SQL alone."""
    assert bad(vectors) is None
    stored = ask(
        vectors, "SELECT hex(body_hash), hex(chain), decode(body) FROM log.event ORDER BY position"
    )
    assert stored == [
        (vector["body_hash"].upper(), vector["chain"].upper(), vector["body"]) for vector in VECTORS
    ]
    half = len(VECTORS) // 2
    before = bytes.fromhex(VECTORS[half - 1]["chain"])
    assert bad(vectors, after=half, before=before) is None
    assert bad(vectors, after=half, before=bytes(32)) == verify.BadPosition(
        half + 1, "the hash does not follow from the row before"
    )
    missing = verify.BadPosition(len(VECTORS) + 1, "a row is missing")
    assert bad(vectors, up_to=len(VECTORS) + 3) == missing


CHANGES = {
    "body": ("body || '\\x20'::BLOB", "the body is not the one that was recorded"),
    "body_hash": ("sha256(body || 'x'::BLOB)::BLOB", "the body is not the one that was recorded"),
    "format": ("format + 1", None),
    "revision": ("revision + 1", None),
    "schema_version": ("schema_version - 1", None),
    "event_id": ("uuid()", None),
    "occurred_at": ("occurred_at + INTERVAL 1 MICROSECOND", None),
    "recorded_at": ("recorded_at - INTERVAL 1 MICROSECOND", None),
    "stream": ("stream || 'x'", None),
    "type": ("type || 'x'", None),
    "chain": ("unhex(sha256(chain))", None),
}


@pytest.mark.parametrize("column", CHANGES)
def test_duckdb_finds_any_changed_field(
    column: str, vectors: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I3: the first bad position is named, across batches too."""
    monkeypatch.setattr(verify, "BATCH_EVENTS", 3)
    expression, problem = CHANGES[column]
    with replica.open_for_writing(replica_path(vectors), scratch=vectors) as connection:
        connection.execute(f"UPDATE log.event SET {column} = {expression} WHERE position = 5")
    found = bad(vectors)
    assert found == verify.BadPosition(5, problem or "the hash does not follow from the row before")


def test_duckdb_finds_a_missing_row_and_two_that_changed_places(vectors: Path) -> None:
    """I3: as the database's own verifier does."""
    path = replica_path(vectors)
    with replica.open_for_writing(path, scratch=vectors) as connection:
        connection.execute("UPDATE log.event SET position = 9 - position WHERE position IN (4, 5)")
    assert bad(vectors) is not None
    with replica.open_for_writing(path, scratch=vectors) as connection:
        connection.execute("DELETE FROM log.event WHERE position = 3")
    assert bad(vectors) == verify.BadPosition(3, "a row is missing")
