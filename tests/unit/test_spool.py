"""The spool keeps what was done while the ledger was away, through crashes and full disks."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from ledger import files
from ledger.domain.errors import InvariantViolated, OperationInProgress
from ledger.store.spool import Spool
from tests.support.fakes import FrozenClock

ONE, TWO, THREE = (json.dumps({"event": number}).encode() for number in (1, 2, 3))


def start_python(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def spool_file(spool: Spool) -> Path:
    return spool.folder / "spool.jsonl"


def test_an_unused_spool_is_empty_and_leaves_no_trace(spool: Spool) -> None:
    """Every command looks; looking must cost nothing and make nothing."""
    assert spool.read().records == ()
    assert not spool.folder.exists()


def test_records_come_back_in_order_from_another_process_view(spool: Spool) -> None:
    """I5: what was done without the ledger is there for whoever comes next."""
    spool.append([ONE, TWO])
    spool.append([THREE])
    assert Spool(spool.folder).read().records == (ONE, TWO, THREE)
    assert stat.S_IMODE(spool.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(spool_file(spool).stat().st_mode) == 0o600


def test_settling_forgets_what_was_appended_and_keeps_the_rest(spool: Spool) -> None:
    spool.append([ONE, TWO])
    read = spool.read().records
    spool.append([THREE])
    assert spool.settle(read) == 1
    assert spool.read().records == (THREE,)
    assert spool.settle(read) == 1, "settling twice is no error"
    assert spool.settle([THREE]) == 0
    assert spool.read().records == ()
    assert not spool_file(spool).exists()


@pytest.mark.parametrize("tail", [b'{"event": 4', b"\0" * 64, b"{}", b"\xff"])
def test_half_a_line_is_set_aside_and_told_and_costs_no_other_record(
    spool: Spool, tail: bytes
) -> None:
    """I12: a crash in the middle of a write loses nothing that was ever acknowledged."""
    spool.append([ONE])
    with spool_file(spool).open("ab") as file:
        file.write(tail)
    spool.append([TWO])
    spooled = spool.read()
    assert spooled.records == (ONE, TWO)
    assert [path.read_bytes() for path in spooled.set_aside] == [tail]
    assert spool.read() == spooled, "it is told until somebody removes it"
    spooled.set_aside[0].unlink()
    assert spool.read().set_aside == ()


def test_a_broken_line_in_the_middle_is_set_aside(spool: Spool) -> None:
    spool.append([ONE])
    with spool_file(spool).open("ab") as file:
        file.write(b"\n\0\0\0\n" + TWO + b"\n")
    spooled = spool.read()
    assert spooled.records == (ONE, TWO)
    assert [path.read_bytes() for path in spooled.set_aside] == [b"\0\0\0"]


@pytest.mark.parametrize("record", [b"", b"{", b'{"a":\n1}', b"{}\n{}"])
def test_what_is_not_one_line_of_json_is_not_taken(spool: Spool, record: bytes) -> None:
    with pytest.raises(InvariantViolated, match="one line of JSON"):
        spool.append([ONE, record])
    assert spool.read().records == ()


FULL_DISK = """
    import json, resource, sys
    from pathlib import Path
    from ledger.domain.errors import FileNotWritten
    from ledger.store.spool import Spool
    spool = Spool(Path(sys.argv[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
    try:
        spool.append([b'{"event": 2}', json.dumps("x" * 500).encode()])
    except FileNotWritten as error:
        print(error.message)
"""


def test_a_full_disk_is_told_and_keeps_none_of_the_batch(spool: Spool) -> None:
    spool.append([ONE])
    process = start_python(FULL_DISK, spool.folder)
    said, _ = process.communicate(timeout=30)
    assert "spool.jsonl can't be written: file too large" in said
    assert spool.read().records == (ONE,)
    assert spool.read().set_aside == ()


def test_a_spool_that_another_holds_is_waited_for_and_then_told(tmp_path: Path) -> None:
    clock = FrozenClock()
    spool = Spool(tmp_path, clock=clock)
    with (
        files.exclusive_lock(tmp_path / "spool.lock", timeout_seconds=0, what="spool"),
        pytest.raises(OperationInProgress, match=f"process {os.getpid()}"),
    ):
        spool.append([ONE])
    assert clock.monotonic() == pytest.approx(5)


APPENDER = """
    import json, sys
    from pathlib import Path
    from ledger.store.spool import Spool
    spool = Spool(Path(sys.argv[1]))
    for number in range(int(sys.argv[3])):
        spool.append([json.dumps({"by": sys.argv[2], "number": number}).encode()])
        print(number, flush=True)
"""


def test_kill_9_while_appending_loses_nothing_that_was_acknowledged(spool: Spool) -> None:
    """I12: an acknowledged record is on the disk."""
    acknowledged: set[tuple[str, int]] = set()
    for round_number in range(5):
        name = f"round {round_number}"
        process = start_python(APPENDER, spool.folder, name, 10_000)
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        time.sleep(0.02 + 0.007 * round_number)
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        numbers = [0, *(int(line) for line in rest.splitlines(keepends=True) if line[-1] == "\n")]
        acknowledged |= {(name, number) for number in numbers}
    kept = {(record["by"], record["number"]) for record in map(json.loads, spool.read().records)}
    assert acknowledged <= kept
    assert len(kept - acknowledged) <= 5, "at most the one that each kill interrupted"


def test_appending_and_settling_at_once_hands_over_each_record_once(spool: Spool) -> None:
    """I4, I5: another process may add to the spool while what was read is being settled."""
    writers = [start_python(APPENDER, spool.folder, name, 60) for name in ("a", "b")]
    handed_over: list[bytes] = []
    while any(writer.poll() is None for writer in writers) or spool.read().records:
        records = spool.read().records
        handed_over.extend(records)
        spool.settle(records)
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    seen = sorted((record["by"], record["number"]) for record in map(json.loads, handed_over))
    assert seen == [(name, number) for name in ("a", "b") for number in range(60)]
