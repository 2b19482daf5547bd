"""`make bench` runs: every row that needs no registry, at a small size. No time is asserted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.postgres import PostgresServer

ROOT = Path(__file__).parents[2]
WITHOUT_PEERS = "verify rebuild replica audit as_of pause switch".split()


def _bench(folder: Path, *arguments: str, **environment: str) -> tuple[dict[str, Any], str]:
    """Run the bench; return result.json and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--folder", str(folder), *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return result, done.stdout


def test_every_row_without_a_peer_is_measured(
    tmp_path: Path, embedded_server: PostgresServer
) -> None:
    """The table and the file have a figure for each, and the server has no database more than before."""
    before = _databases(embedded_server)
    only = [word for row in WITHOUT_PEERS for word in ("--only", row)]
    result, printed = _bench(
        tmp_path, *only, "--events", "2000", "--dsn", embedded_server.admin_dsn
    )
    rows = result["rows"]
    assert len(rows) == len(WITHOUT_PEERS) + 1  # a rebuild has two: its speed and its memory
    assert {row["verdict"] for row in rows} <= {"PASS", "BELOW"}
    assert all(row["ours"] > 0 and all(row["samples"].values()) for row in rows)
    for row in rows:
        assert row["work"].strip() in printed
    assert _databases(embedded_server) == before


def test_a_peer_that_can_not_be_had_is_told_and_does_not_pass(
    tmp_path: Path, embedded_server: PostgresServer
) -> None:
    """I8: no evidence is not a pass."""
    python = Path(sys.executable).parent
    result, printed = _bench(
        tmp_path, "--only", "append", "--dsn", embedded_server.admin_dsn,
        PATH=str(python), PIP_NO_INDEX="1", PIP_CONFIG_FILE=os.devnull, PIP_FIND_LINKS="",
    )  # fmt: skip
    assert [row["verdict"] for row in result["rows"]] == ["MISSING", "MISSING"]
    assert all(row["ours"] > 0 and row["value"] is None for row in result["rows"])
    assert printed.count("peer missing: ") == 2
    assert "Not measured: one append, one connection" in printed


def _databases(server: PostgresServer) -> set[str]:
    import psycopg

    with psycopg.connect(server.admin_dsn) as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'bench%'")
        return {row[0] for row in rows}
