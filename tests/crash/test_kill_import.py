"""kill -9 in the middle of an import; run again, it finishes, and every record is in the log once (I12)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ledger.fail_points import NAMES
from ledger.service.imports import importing
from ledger.service.imports.importing import Manner
from tests.support.commands import Rollout
from tests.support.imports import ANN, BOT, close, open_ledger, orders, register
from tests.support.pasts import Repository, audit_file, change_log, like_the_published_log

POINTS = sorted(name for name in NAMES if name.startswith("import."))


@pytest.fixture
def bot(tmp_path: Path, embedded_dsn: str) -> Rollout:
    rollout = Rollout(tmp_path / "home", embedded_dsn)
    rollout("system", "add", BOT)
    return rollout


def events(dsn: str, *types: str) -> list[tuple[str, dict[str, Any]]]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT type, convert_from(body, 'UTF8')::jsonb -> 'data' FROM ledger.event"
            " WHERE type = ANY (%s) ORDER BY position",
            (list(types),),
        ).fetchall()
    return [(type_, data) for type_, data in rows]


def test_every_place_to_die_in_is_here() -> None:
    """I12: a new place in an import has to be tested."""
    assert POINTS == ["import.after_blobs", "import.before_summary", "import.between_batches"]


@pytest.mark.parametrize("point", ["import.after_blobs", "import.before_summary"])
@pytest.mark.parametrize("kind", ["config-changes", "git"])
def test_an_import_of_configurations_killed_anywhere(
    point: str, kind: str, bot: Rollout, tmp_path: Path, embedded_dsn: str
) -> None:
    """I12: before the one append there is nothing, after it everything, the summary too."""
    if kind == "git":
        repository = Repository(tmp_path / "repository")
        for level in range(3):
            repository.commit({"config.yaml": b"levels: %d\n" % level})
        repository.close()
        command = ["import", "git", BOT, repository.path, "config.yaml"]
    else:
        log = change_log(tmp_path / "changes.jsonl", like_the_published_log())
        command = ["import", "config-changes", BOT, log]
    bot(*command, fail_at=point)
    assert events(embedded_dsn, "ConfigApplied", "HistoryImported") == []
    assert bot(*command, "-o", "json").json["outcome"] == "imported"
    applied = events(embedded_dsn, "ConfigApplied")
    assert len(applied) == {"git": 3, "config-changes": 6}[kind]
    assert len(events(embedded_dsn, "HistoryImported")) == 1
    assert bot(*command).out.startswith("skipped (already imported)")
    bot("verify")


@pytest.mark.parametrize(
    ("point", "left"), [("import.between_batches", 1000), ("import.before_summary", 3000)]
)
def test_an_import_of_orders_killed_anywhere(
    point: str, left: int, bot: Rollout, tmp_path: Path, embedded_dsn: str
) -> None:
    """I12: what was appended stays, what was not is added, and then it is said that it is whole."""
    daily = audit_file(tmp_path / "orders.jsonl", 3500)
    bot("import", "jsonl", BOT, daily, fail_at=point)
    assert len(events(embedded_dsn, "OrderActivityRecorded")) == left
    assert events(embedded_dsn, "HistoryImported") == []
    told = bot("import", "jsonl", BOT, daily, "-o", "json").json
    assert (told["imported"], told["already_known"]) == (3500 - left, left)
    stored = [
        data["fields"]["client_order_id"]
        for _, data in events(embedded_dsn, "OrderActivityRecorded")
    ]
    assert stored == [f'"gd-{n:06d}"' for n in range(3500)]
    ((_, summary),) = events(embedded_dsn, "HistoryImported")
    assert (summary["records"], summary["imported"]) == (3500, 3500 - left)
    assert bot("import", "jsonl", BOT, daily).out.startswith("skipped (already imported)")


def test_an_import_killed_at_any_moment(bot: Rollout, tmp_path: Path, embedded_dsn: str) -> None:
    """I12: wherever the kills fall, the lines end up in the log once, in their order."""
    daily = audit_file(tmp_path / "orders.jsonl", 20_000)
    command = [sys.executable, "-m", "cli.main", "import", "jsonl", BOT, str(daily)]
    environment = os.environ | {"ROLLOUT_HOME": str(bot.home), "ROLLOUT_DSN": embedded_dsn}
    for milliseconds in (700, 900, 1100):
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        timer = threading.Timer(milliseconds / 1000, process.send_signal, [signal.SIGKILL])
        timer.start()
        process.wait()
        timer.cancel()
    bot("import", "jsonl", BOT, daily)
    stored = [
        data["fields"]["client_order_id"]
        for _, data in events(embedded_dsn, "OrderActivityRecorded")
    ]
    assert stored == [f'"gd-{n:06d}"' for n in range(20_000)]
    assert len(events(embedded_dsn, "HistoryImported")) == 1


def test_an_import_whose_connection_breaks_goes_on(embedded_dsn: str, tmp_path: Path) -> None:
    """I4: what did get through before the connection broke answers with the position that it has."""
    daily = audit_file(tmp_path / "orders.jsonl", 12_000)
    ledger = open_ledger(embedded_dsn, tmp_path / "home")
    register(ledger)
    done = threading.Event()
    broken: list[int] = []

    def breaker() -> None:
        with psycopg.connect(embedded_dsn, autocommit=True) as connection:
            while not done.wait(0.3):
                rows = connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name = 'rollout'"
                ).fetchall()
                broken.append(len(rows))

    thread = threading.Thread(target=breaker)
    thread.start()
    try:
        (imported,) = importing.import_activity(ledger, BOT, [daily], "jsonl", ANN, Manner())
    finally:
        done.set()
        thread.join()
    assert sum(broken) > 0
    assert imported.records == 12_000
    assert len(orders(ledger)) == 12_000
    close(ledger)
