"""Durable files, on a real disk, with real processes, rights, limits and kills."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ledger import files
from ledger.domain.errors import FileNotRead, FileNotWritten, OperationInProgress
from tests.support.fakes import FrozenClock

pytestmark = pytest.mark.as_root
NOBODY = 65534


def run_python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def start_python(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Give up root's rights to files for a moment, where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that an ordinary user reaches too; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder


def others_in(folder: Path, *expected: str) -> set[str]:
    return {path.name for path in folder.iterdir()} - set(expected)


def test_a_new_file_has_the_content_and_the_mode_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        files.write_atomically(tmp_path / "a", b"one")
        files.write_atomically(tmp_path / "b", b"two", new_file_mode=0o600)
    finally:
        os.umask(before)
    assert (tmp_path / "a").read_bytes() == b"one"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600
    assert others_in(tmp_path, "a", "b") == set()


def test_mode_and_owner_of_the_file_in_place_are_kept(tmp_path: Path) -> None:
    target = tmp_path / "mode.json"
    target.write_bytes(b"old")
    target.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(target, 12345, 54321)
    before = target.stat()
    files.write_atomically(target, b"new")
    after = target.stat()
    assert target.read_bytes() == b"new"
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )
    assert after.st_ino != before.st_ino


def test_a_large_file_is_no_more_open_than_its_owner_wants(tmp_path: Path) -> None:
    """I6: an export holds configurations; a umask, or the mode of the file in place, keeps others out."""
    target = tmp_path / "export"
    before = os.umask(0o077)
    try:
        with files.open_atomically(target) as file:
            file.write(b"one")
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with files.open_atomically(target) as file:
        file.write(b"two")
    assert target.read_bytes() == b"two"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "mode.json").write_bytes(b"old")
    link = tmp_path / "mode.json"
    link.symlink_to("real/mode.json")
    files.write_atomically(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "real" / "mode.json").read_bytes() == b"new"
    assert others_in(tmp_path / "real", "mode.json") == set()


def test_a_link_to_nothing_yet_gets_its_target(tmp_path: Path) -> None:
    link = tmp_path / "mode.json"
    link.symlink_to("later.json")
    files.write_atomically(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "later.json").read_bytes() == b"new"


def test_a_missing_folder_is_made_only_when_asked(tmp_path: Path) -> None:
    target = tmp_path / "data" / "control" / "mode.json"
    with pytest.raises(FileNotWritten, match="no such file or directory") as refusal:
        files.write_atomically(target, b"x")
    assert refusal.value.hint == "make the folder, or correct the path"
    assert not (tmp_path / "data").exists()
    files.write_atomically(target, b"x", create_folder=True)
    assert target.read_bytes() == b"x"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (Path.mkdir, "is a directory"),
        (os.mkfifo, "no regular file"),
        (lambda path: path.symlink_to(path.name), "symbolic links"),
    ],
    ids=["folder", "pipe", "loop"],
)
def test_what_is_no_file_is_refused_by_name(tmp_path: Path, make: object, says: str) -> None:
    target = tmp_path / "mode.json"
    assert callable(make)
    make(target)
    with pytest.raises(FileNotWritten, match=says) as refusal:
        files.write_atomically(target, b"x")
    assert str(target) in refusal.value.message
    assert refusal.value.hint
    assert others_in(tmp_path, "mode.json") == set()


def test_a_folder_one_may_not_write_to_leaves_the_file_untouched(open_folder: Path) -> None:
    target = open_folder / "mode.json"
    target.write_bytes(b"old")
    open_folder.chmod(0o555)
    try:
        with (
            as_ordinary_user(),
            pytest.raises(FileNotWritten, match="permission denied; what was there is untouched"),
        ):
            files.write_atomically(target, b"new")
    finally:
        open_folder.chmod(0o777)
    assert target.read_bytes() == b"old"


def test_another_owner_is_kept_or_the_write_refused(open_folder: Path) -> None:
    """A system must never find a file of its own that it may no longer read."""
    target = open_folder / "mode.json"
    target.write_bytes(b"old")
    owner = target.stat().st_uid
    with as_ordinary_user():
        if os.geteuid() == owner:
            files.write_atomically(target, b"new")
        else:
            with pytest.raises(FileNotWritten, match="not permitted") as refusal:
                files.write_atomically(target, b"new")
            assert "owner" in (refusal.value.hint or "")
            assert target.read_bytes() == b"old"
    assert target.stat().st_uid == owner
    assert others_in(open_folder, "mode.json") == set()


LIMITED = """
    import resource, sys
    from pathlib import Path
    from ledger import files
    from ledger.domain.errors import FileNotWritten
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    first, second = Path(sys.argv[1]), Path(sys.argv[2])
    try:
        files.write_all_atomically({first: b"new", second: b"x" * 2000})
    except FileNotWritten as error:
        print(error.message, "|", error.hint)
    else:
        sys.exit("it was written")
"""


def test_a_disk_that_takes_no_more_changes_nothing(tmp_path: Path) -> None:
    """The limit on file sizes fails the write half-way, as a full disk does."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"old first")
    second.write_bytes(b"old second")
    run = run_python(LIMITED, first, second)
    assert run.returncode == 0, run.stderr
    assert f"{second} can't be written: file too large; what was there is untouched" in run.stdout
    assert "ulimit" in run.stdout
    assert first.read_bytes() == b"old first"
    assert second.read_bytes() == b"old second"
    assert others_in(tmp_path, "first", "second") == set()


def test_several_files_are_all_staged_before_one_is_replaced(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "missing" / "bad"
    good.write_bytes(b"old")
    with pytest.raises(FileNotWritten, match="missing/bad"):
        files.write_all_atomically({good: b"new", bad: b"new"})
    assert good.read_bytes() == b"old"
    assert others_in(tmp_path, "good") == set()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EBUSY])
def test_each_fault_of_a_disk_has_its_next_step(number: int) -> None:
    with (
        pytest.raises(FileNotWritten) as refusal,
        files.told_as_not_written(Path("/data/mode.json")),
    ):
        raise OSError(number, os.strerror(number))
    assert "/data/mode.json" in refusal.value.message
    assert refusal.value.hint == files._NEXT_STEPS[number]


def test_a_reader_never_sees_a_part(tmp_path: Path) -> None:
    """Old or new, at every moment, for a reader that looks all the time."""
    target = tmp_path / "mode.json"
    versions = {bytes([letter]) * 50_000 for letter in b"ab"}
    files.write_atomically(target, min(versions))
    done = threading.Event()
    seen: set[bytes] = set()

    def look() -> None:
        while not done.is_set():
            seen.add(target.read_bytes())

    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(30):
        for version in sorted(versions):
            files.write_atomically(target, version)
    done.set()
    reader.join()
    assert seen <= versions


ENDLESS_WRITER = """
    import sys
    from pathlib import Path
    from ledger import files
    print("ready", flush=True)
    while True:
        for letter in b"ab":
            files.write_atomically(Path(sys.argv[1]), bytes([letter]) * 200_000)
"""


def test_kill_9_leaves_the_old_file_or_the_new_and_the_next_write_tidies_up(tmp_path: Path) -> None:
    """I12: whatever a killed process left is finished by the next one."""
    target = tmp_path / "mode.json"
    whole = {bytes([letter]) * 200_000 for letter in b"abz"}
    files.write_atomically(target, b"z" * 200_000)
    for round_number in range(8):
        writer = start_python(ENDLESS_WRITER, target)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(0.01 + 0.003 * round_number)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        assert target.read_bytes() in whole
    (tmp_path / ".mode.json.0123456789abcdef.rollout-tmp").write_bytes(b"left behind")
    (tmp_path / ".mode.json.mine").write_bytes(b"of somebody else")
    files.write_atomically(target, b"last")
    assert others_in(tmp_path, "mode.json") == {".mode.json.mine"}


def test_the_temporary_file_of_a_living_writer_is_not_taken_for_a_leftover(tmp_path: Path) -> None:
    target = tmp_path / "mode.json"
    with contextlib.ExitStack() as stack:
        staged = files._stage(stack, target, b"slow", 0o644)
        files.write_atomically(target, b"quick")
        staged.temporary.replace(target)
    assert target.read_bytes() == b"slow"


def test_many_writers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "mode.json"
    contents = [bytes([letter]) * 20_000 for letter in b"abcdefgh"]

    def write_often(content: bytes) -> None:
        for _ in range(10):
            files.write_atomically(target, content)

    writers = [threading.Thread(target=write_often, args=[content]) for content in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert target.read_bytes() in contents
    assert others_in(tmp_path, "mode.json") == set()


def test_the_longest_name_that_a_file_can_have_is_written(tmp_path: Path) -> None:
    target = tmp_path / ("配" * 85)
    files.write_atomically(target, b"x")
    assert target.read_bytes() == b"x"


def test_reading_is_bounded_and_never_waits(tmp_path: Path) -> None:
    plain, pipe = tmp_path / "plain", tmp_path / "pipe"
    plain.write_bytes(b"12345")
    os.mkfifo(pipe)
    assert files.read_bounded(plain, bytes_max=5) == b"12345"
    assert files.read_bounded(tmp_path / "none", bytes_max=5) is None
    with pytest.raises(FileNotRead, match="larger than 4 bytes"):
        files.read_bounded(plain, bytes_max=4)
    with pytest.raises(FileNotRead, match="no regular file"):
        files.read_bounded(pipe, bytes_max=5)
    with pytest.raises(FileNotRead, match="no regular file"):
        files.read_bounded(tmp_path, bytes_max=5)


def test_a_file_one_may_not_read_is_told_from_one_that_is_missing(open_folder: Path) -> None:
    closed = open_folder / "closed"
    closed.write_bytes(b"x")
    closed.chmod(0)
    with as_ordinary_user(), pytest.raises(FileNotRead, match="permission denied"):
        files.read_bounded(closed, bytes_max=5)


HOLDER = """
    import sys, time
    from pathlib import Path
    from ledger import files
    with files.exclusive_lock(Path(sys.argv[1]), timeout_seconds=1, what="rollback of polyarb-x"):
        print("held", flush=True)
        time.sleep(60)
"""


def test_a_lock_keeps_others_out_says_who_holds_it_and_ends_with_its_holder(tmp_path: Path) -> None:
    """I12: a killed process must not lock the next one out."""
    path = tmp_path / "locks" / "polyarb-x.lock"
    holder = start_python(HOLDER, path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with (
        pytest.raises(OperationInProgress, match="rollback of polyarb-x") as refusal,
        files.exclusive_lock(path, timeout_seconds=0.05, what="pause"),
    ):
        pytest.fail("two hold the lock")
    assert f"process {holder.pid}" in refusal.value.message
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with files.exclusive_lock(path, timeout_seconds=5, what="pause"):
        assert b"pause" in path.read_bytes()
    assert path.read_bytes() == b""


def test_waiting_for_a_lock_ends_by_the_clock_it_was_given(tmp_path: Path) -> None:
    path, clock = tmp_path / "lock", FrozenClock()
    with (
        files.exclusive_lock(path, timeout_seconds=0),
        pytest.raises(OperationInProgress, match="more than 30 s"),
        files.exclusive_lock(path, timeout_seconds=30, clock=clock),
    ):
        pytest.fail("two hold the lock")
    assert clock.monotonic() == pytest.approx(30)
    with files.exclusive_lock(path, timeout_seconds=0):
        assert path.exists()
