"""The audit replica: the log, verbatim, wherever a sync was cut; and what people ask it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ledger.domain.errors import FileNotRead, IntegrityFailure, OperationInProgress
from ledger.domain.evolve import fold
from ledger.domain.state import SystemState
from ledger.store.postgres import PostgresStore
from projections.audit import log_reader, replica, shut_in, verify
from projections.audit.replica import ReplicaInUse, replica_path
from projections.audit.sync import sync
from tests.support.audit import ask, bad, minutes, of_the_log, of_the_replica, tampering
from tests.support.builders import an_event, events
from tests.support.histories import happened, history, metrics

ROOT = Path(__file__).parents[2]
VECTORS: list[dict[str, Any]] = json.loads((ROOT / "tests/vectors/chain.json").read_bytes())
# What COPY escapes, what JSON is not, what text is not.
STREAMS = [
    "a\\b", "a\\\nb", "tab\there", "\\N", "\\x41", "", "quote\"'", "行情 🚀", "cr\rlf\n", "\b\f\v", "\\\\n",
]  # fmt: skip
BODIES = [
    b"", b"{}", b"not json", b"\xff\xfe\x00", b'{"data":', b'"text"', b"[1]", b'{"system":{"a":1},"actor":7}',
]  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of seven events, so that a short log takes many."""
    monkeypatch.setattr(log_reader, "BATCH_EVENTS", 7)


@pytest.fixture
def store(dsn: str) -> Iterator[PostgresStore]:
    made = PostgresStore(dsn)
    yield made
    made.close()


# --- verbatim ---


@pytest.mark.usefixtures("small")
def test_the_replica_is_the_log_verbatim(dsn: str, store: PostgresStore, home: Path) -> None:
    """I3: whatever bytes were recorded, whichever way they have to be escaped on the way."""
    store.append([an_event(stream) for stream in STREAMS])
    store.append([an_event(body=body) for body in BODIES])
    store.append([an_event(type_=name) for name in STREAMS])
    done = sync(dsn, home)
    assert (done.position, done.added) == (len(STREAMS) * 2 + len(BODIES),) * 2
    assert of_the_replica(home) == of_the_log(dsn)
    assert bad(home) is None


def test_long_bodies_come_in_whole(dsn: str, store: PostgresStore, home: Path) -> None:
    """A body of 20 MB is one line of 40 MB on the way, and several make several files."""
    large = [an_event(note="x" * 20_000_000 + str(number)) for number in range(2)]
    store.append([an_event(), *large, an_event()])
    sync(dsn, home)
    assert of_the_replica(home) == of_the_log(dsn)
    assert bad(home) is None


def test_files_end_where_they_are_large_enough(
    dsn: str, store: PostgresStore, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large events make more files, each its own transaction, without a gap."""
    monkeypatch.setattr(log_reader, "FILE_BYTES_MAX", 3000)
    monkeypatch.setattr(log_reader, "LINES_AT_ONCE", 2)
    store.append(events(50))
    reached: list[tuple[int, int]] = []
    sync(dsn, home, progress=lambda *where: reached.append(where))
    assert len(reached) > 5
    assert reached[-1] == (50, 50)
    assert of_the_replica(home) == of_the_log(dsn)


@pytest.mark.usefixtures("small")
def test_a_sync_goes_on_where_the_last_one_ended(
    dsn: str, store: PostgresStore, home: Path
) -> None:
    """Only what is new is copied, and a sync with nothing new adds nothing."""
    assert sync(dsn, home).position == 0
    for count in (1, 6, 7, 8, 30):
        store.append(events(count))
        assert sync(dsn, home).added == count
        assert sync(dsn, home).added == 0
    assert of_the_replica(home) == of_the_log(dsn)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_history_in_any_split(embedded_dsn: str, tmp_path: Path, data: st.DataObject) -> None:
    """I3, I7: verbatim, verified, and with the modes that the fold of the same events has (I13)."""
    number = data.draw(st.integers(0, 10**9))
    systems = [f"bot-{number}", f"other-{number}"]
    happenings = data.draw(history(systems, least=5, most=40))
    cut = data.draw(st.integers(0, len(happenings)))
    store = PostgresStore(embedded_dsn)
    for part in (happenings[:cut], happenings[cut:]):
        if part:
            store.append(part)
        sync(embedded_dsn, tmp_path)
    assert of_the_replica(tmp_path) == of_the_log(embedded_dsn)
    assert bad(tmp_path) is None
    for system in systems:
        folded = fold(store.read_stream(f"system:{system}"), SystemState(system))
        present = ask(
            tmp_path,
            "SELECT mode, kind FROM mode_intervals WHERE system = $system AND until IS NULL",
            {"system": system},
        )
        assert present == ([] if folded.mode is None else [(folded.mode, folded.pause_kind)])
    store.close()


# --- what must not be taken over silently ---


@pytest.mark.usefixtures("small")
def test_a_hole_stops_the_sync_before_it(dsn: str, store: PostgresStore, home: Path) -> None:
    """I2: a hole is corruption; what stands before its file is kept."""
    store.append(events(30))
    with tampering(dsn) as connection:
        connection.execute("DELETE FROM ledger.event WHERE position = 17")
    with pytest.raises(IntegrityFailure, match=r"Position 17 is missing.* found is 18"):
        sync(dsn, home)
    assert ask(home, "SELECT count(*) FROM log.event") == [(14,)]
    with pytest.raises(IntegrityFailure, match="Position 17 is missing"):
        sync(dsn, home)


def test_a_log_that_was_changed_behind_is_told_and_the_evidence_kept(
    dsn: str, store: PostgresStore, home: Path
) -> None:
    """I3: the replica is a second record; where the log no longer agrees, neither is overwritten."""
    store.append(events(10))
    sync(dsn, home)
    with tampering(dsn) as connection:
        connection.execute("UPDATE ledger.event SET chain = sha256(chain) WHERE position = 10")
    with pytest.raises(IntegrityFailure, match="event 10 is not the one") as told:
        sync(dsn, home)
    assert "rollout sql --rebuild" in (told.value.hint or "")
    assert ask(home, "SELECT count(*) FROM log.event") == [(10,)]
    before = of_the_replica(home)
    done = sync(dsn, home, rebuild=True)
    assert done.rebuilt
    assert done.set_aside is not None
    assert of_the_replica(home) == of_the_log(dsn) != before
    done.set_aside.rename(replica_path(home))
    assert of_the_replica(home) == before


def test_a_log_that_was_cut_is_told(dsn: str, store: PostgresStore, home: Path) -> None:
    """I3: a log put back to an older state is not a continuation of what was copied."""
    store.append(events(10))
    sync(dsn, home)
    with tampering(dsn) as connection:
        connection.execute("DELETE FROM ledger.event WHERE position > 8")
    with pytest.raises(
        IntegrityFailure, match="ends at position 8, but the audit replica holds 10"
    ):
        sync(dsn, home)


def test_a_rebuild_of_a_sound_replica_keeps_nothing(
    dsn: str, store: PostgresStore, home: Path
) -> None:
    """I7: disposable; the same log gives the same rows."""
    store.append(events(10))
    sync(dsn, home)
    before = of_the_replica(home)
    done = sync(dsn, home, rebuild=True)
    assert (done.rebuilt, done.set_aside) == (True, None)
    assert of_the_replica(home) == before
    assert sorted(path.name for path in home.iterdir()) == ["audit.duckdb", "audit.lock"]


def test_a_replica_of_another_version_is_built_anew(
    dsn: str, store: PostgresStore, home: Path
) -> None:
    """I7: nobody has to know that the layout of the replica changed."""
    store.append(events(3))
    sync(dsn, home)
    with replica.open_for_writing(replica_path(home), scratch=home) as connection:
        connection.execute("UPDATE log.layout SET sha256 = 'older'; DROP VIEW events")
    assert sync(dsn, home).rebuilt
    assert ask(home, "SELECT count(*) FROM events") == [(3,)]
    assert not sync(dsn, home).rebuilt


def test_a_file_that_is_no_replica_is_told_and_can_be_replaced(
    dsn: str, store: PostgresStore, home: Path
) -> None:
    """One clear line, and the way out."""
    store.append(events(3))
    replica_path(home).write_bytes(b"something else" * 1000)
    with pytest.raises(FileNotRead, match="can't be read") as told:
        sync(dsn, home)
    assert "--rebuild" in (told.value.hint or "")
    assert sync(dsn, home, rebuild=True).position == 3
    assert ask(home, "SELECT count(*) FROM events") == [(3,)]


def test_only_its_owner_can_read_the_replica(dsn: str, store: PostgresStore, home: Path) -> None:
    """The log is not for everybody on the machine, so its copy isn't either."""
    store.append(events(3))
    sync(dsn, home)
    sync(dsn, home, rebuild=True)
    assert {path.stat().st_mode & 0o077 for path in home.iterdir()} == {0}


# --- together ---


def test_two_syncs_at_once(dsn: str, store: PostgresStore, home: Path) -> None:
    """One copies, the other waits; both end with the whole log."""
    store.append(events(400))
    reached: list[int] = []
    threads = [
        threading.Thread(target=lambda: reached.append(sync(dsn, home).position)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reached == [400] * 4
    assert of_the_replica(home) == of_the_log(dsn)


def test_a_sync_does_not_wait_for_ever_for_another(dsn: str, home: Path) -> None:
    """It says who holds the lock."""
    from ledger import files

    lock = files.exclusive_lock(home / "audit.lock", timeout_seconds=1, what="somebody's sync")
    with lock, pytest.raises(OperationInProgress, match="somebody's sync"):
        sync(dsn, home, lock_timeout_seconds=0.1)


def test_the_log_grows_while_it_is_copied(dsn: str, store: PostgresStore, home: Path) -> None:
    """I2: dense at every moment, so a sync beside writers holds a prefix of the log."""
    stop = threading.Event()

    def write() -> None:
        writer = PostgresStore(dsn)
        while not stop.is_set():
            writer.append(events(20))
        writer.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(5):
            sync(dsn, home)
    finally:
        stop.set()
        thread.join()
    held = of_the_replica(home)
    assert held == of_the_log(dsn)[: len(held)]
    assert bad(home) is None


def test_a_broken_body_says_nothing_and_hides_nothing(
    dsn: str, store: PostgresStore, home: Path
) -> None:
    """Somebody who breaks a body must not thereby take other rows out of an audit."""
    odd = happened(
        "bot", "ConfigApplied", {"fingerprint": "sha256:no", "changes": [{"key": "a"}, 5, None]}
    )
    store.append(
        [metrics("bot", minutes(1), latency="5", other="1e400"), an_event(), an_event(), odd]
    )
    with tampering(dsn) as connection:
        connection.execute("UPDATE ledger.event SET body = '\\xff7b' WHERE position = 2")
    sync(dsn, home)
    assert ask(home, "SELECT position, actor, data IS NULL FROM events ORDER BY position") == [
        (1, "li.wei", False),
        (2, None, True),
        (3, "Ann", False),
        (4, "li.wei", False),
    ]
    assert ask(home, "SELECT key, fingerprint FROM config_changes WHERE key = 'a'") == [("a", None)]
    assert ask(home, "SELECT metric, value FROM metrics")[0] == ("latency", 5.0)
    assert bad(home) == verify.BadPosition(2, "the body is not the one that was recorded")


def test_there_is_no_replica_yet(home: Path) -> None:
    """Reading makes none."""
    with pytest.raises(FileNotRead, match="no audit replica yet"):
        ask(home, "SELECT 1")
    assert list(home.iterdir()) == []


def test_recorded_at_is_told_in_utc(dsn: str, store: PostgresStore, home: Path) -> None:
    """I13: the database's time, aware."""
    store.append(events(1))
    done = sync(dsn, home)
    head = store.head()
    assert done.recorded_at == head.recorded_at
    assert done.recorded_at is not None
    assert done.recorded_at.astimezone(UTC) == head.recorded_at
    with shut_in.open_for_reading(replica_path(home)) as connection:
        assert replica.head(connection) == log_reader.Head(
            head.position, head.chain, head.recorded_at
        )


def test_a_replica_that_is_read_is_not_written(dsn: str, store: PostgresStore, home: Path) -> None:
    """A reader in another process keeps its state; the sync says so at once."""

    store.append(events(3))
    sync(dsn, home)
    store.append(events(1))
    reader = (
        "import sys; from pathlib import Path; from projections.audit import shut_in\n"
        f"with shut_in.open_for_reading(Path({str(replica_path(home))!r})):\n"
        "    print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", reader], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        with pytest.raises(ReplicaInUse, match="in use by another process"):
            sync(dsn, home)
        assert ask(home, "SELECT count(*) FROM events") == [(3,)]
        process.stdin.close()
    assert sync(dsn, home).added == 1


@pytest.mark.parametrize("limit_bytes", [4_000, 200_000, 600_000])
def test_a_full_disk_is_told_and_nothing_is_lost(
    limit_bytes: int, embedded_dsn: str, tmp_path: Path
) -> None:
    """I12: too little room for the copied file, or for the replica itself; with room it goes on."""
    store = PostgresStore(embedded_dsn)
    store.append(events(2000))
    store.close()
    sync_within = (
        "import resource, sys; from pathlib import Path; from projections.audit.sync import sync\n"
        "from ledger.domain.errors import LedgerError; from projections.audit import log_reader\n"
        "log_reader.BATCH_EVENTS = 20\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit_bytes}, {limit_bytes}))\n"
        "try: sync(sys.argv[1], Path(sys.argv[2]))\n"
        "except LedgerError as error: sys.exit(error.message)"
    )
    told = subprocess.run(
        [sys.executable, "-c", sync_within, embedded_dsn, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 1, told
    assert "Traceback" not in told.stderr, told
    assert str(tmp_path) in told.stderr or "could not be copied" in told.stderr, told
    assert sync(embedded_dsn, tmp_path).position == 2000
    assert of_the_replica(tmp_path) == of_the_log(embedded_dsn)


def test_a_reader_waits_for_a_writer(dsn: str, store: PostgresStore, home: Path) -> None:
    """Whoever asks while another process synchronises gets an answer, a little later."""
    store.append(events(3))
    sync(dsn, home)
    writer = (
        "import time; from pathlib import Path; from projections.audit import replica\n"
        f"with replica.open_for_writing(Path({str(replica_path(home))!r}), scratch=Path({str(home)!r})):\n"
        "    print('open', flush=True); time.sleep(1)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", writer], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        path = replica_path(home)
        with pytest.raises(ReplicaInUse), shut_in.open_for_reading(path, wait_seconds=0.1):
            pass
        assert ask(home, "SELECT count(*) FROM events") == [(3,)]
