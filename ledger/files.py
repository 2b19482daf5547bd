"""Durable files: replaced as a whole or not at all, read within bounds, locked while one works.

A reader sees the old content or the new one, never a mixture and never a gap: the new content goes
to a temporary file in the same folder, is flushed to the disk, and takes the name in one rename.

A temporary file is locked by its writer for as long as that lives. One whose lock is free was left
by a killed process, and the next write to the same target removes it: no guess by age or process
id, which containers that share a folder would get wrong.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from ledger.clock import SystemClock
from ledger.domain.clock import Clock
from ledger.domain.errors import FileNotRead, FileNotWritten, OperationInProgress
from ledger.interrupts import interrupts_held

NEW_FILE_MODE: Final = 0o644
_TEMPORARY_SUFFIX: Final = ".rollout-tmp"
_TEMPORARY_STEM_BYTES_MAX: Final = 150
_LOCK_POLL_SECONDS: Final = 0.02
_HOLDER_BYTES_MAX: Final = 1024
_SYSTEM_CLOCK: Final = SystemClock()

_NEXT_STEPS: Final = {
    errno.ENOSPC: "free some space on that disk, then repeat the command",
    errno.EDQUOT: "free some space within your quota, then repeat the command",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f), then repeat the command",
    errno.EACCES: "repeat it as a user who may write to that folder",
    errno.EPERM: "repeat it as the owner of that file, or as root",
    errno.EROFS: "the disk is mounted read-only: mount it writable, then repeat the command",
    errno.ENOENT: "make the folder, or correct the path",
    errno.ENOTDIR: "a part of the path is a file: correct the path",
    errno.EISDIR: "a folder is in its place: correct the path",
    errno.ELOOP: "a link points to itself: correct it",
    errno.EBUSY: "it is mounted by itself: mount its folder instead, so that it can be replaced",
}


def write_atomically(
    path: Path,
    content: bytes,
    *,
    create_folder: bool = False,
    new_file_mode: int = NEW_FILE_MODE,
) -> None:
    """Replace ``path`` by ``content``, durably, as a whole or not at all.

    Mode and owner of a file in place are kept; a new one gets ``new_file_mode``, whatever the
    umask. A symbolic link stays, and what it points to is replaced. ``create_folder`` makes missing
    ones. The folder is listed, for what a killed writer left: don't keep thousands of files in it.

    Raises:
        FileNotWritten: what is in place is untouched. No temporary file stays behind.
    """
    files = {path: content}
    write_all_atomically(files, create_folder=create_folder, new_file_mode=new_file_mode)


def write_all_atomically(
    files: Mapping[Path, bytes],
    *,
    create_folder: bool = False,
    new_file_mode: int = NEW_FILE_MODE,
) -> None:
    """Replace several files. All are on the disk before the first takes its place.

    So a full disk or a missing right is met before anything changed. The renames are not atomic
    together: after a crash between two of them, repeat the call.

    Raises:
        FileNotWritten: nothing changed, or the sentence says which files were replaced.
    """
    with ExitStack() as stack:
        staged: list[_Staged] = []
        for path, content in files.items():
            with told_as_not_written(path):
                target = _real_target(path)
                if create_folder:
                    _make_folder(target.parent)
                staged.append(_stage(stack, target, content, new_file_mode))
        replaced: list[Path] = []
        for file in staged:
            with told_as_not_written(file.target, replaced):
                _ = file.temporary.replace(file.target)
                replaced.append(file.target)
        for folder in {file.target.parent for file in staged}:
            with told_as_not_written(folder, replaced):
                sync_folder(folder)


@contextmanager
def open_atomically(path: Path) -> Generator[BinaryIO]:
    """Open a file to write, of any size, which takes the name ``path`` when the block ends without an error.

    Mode and owner of a file in place are kept; a new one is as open to others as the umask has it.

    Raises:
        FileNotWritten: what is in place is untouched. No temporary file stays behind.
    """
    with told_as_not_written(path), ExitStack() as stack:
        target = _real_target(path)
        staged = _open_temporary(stack, target)
        with open(staged.descriptor, "wb", closefd=False) as file:
            yield file
        _set_owner_and_mode(staged, 0o666 & ~_umask())
        os.fsync(staged.descriptor)
        _ = staged.temporary.replace(target)
        sync_folder(target.parent)


def read_bounded(path: Path, *, bytes_max: int) -> bytes | None:
    """Return the content of a regular file, or ``None`` if there is no such file.

    Raises:
        FileNotRead: it is larger than ``bytes_max``, no regular file, or can't be read.
    """
    try:
        # Not blocking, because opening a pipe to read would wait for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FileNotRead(f"{path} is no regular file", hint="correct the path")
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read(bytes_max + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileNotRead(
            f"{path} can't be read: {_fault(error)}", hint="check the path and its permissions"
        ) from error
    if len(content) > bytes_max:
        raise FileNotRead(
            f"{path} is larger than {bytes_max} bytes", hint="move it away, or correct the path"
        )
    return content


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex.

    Raises:
        FileNotRead: it can't be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FileNotRead(
            f"{path} can't be read: {(error.strerror or 'it failed').lower()}.",
            hint="Check the path, its permissions and the disk.",
        ) from None


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, so that a rename in it survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems (network ones, mostly) can't flush a folder, and need not.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(descriptor)


@contextmanager
def exclusive_lock(
    path: Path, *, timeout_seconds: float, what: str = "", clock: Clock = _SYSTEM_CLOCK
) -> Generator[int]:
    """Hold a lock between processes; the kernel frees it when the holder ends, however it ends.

    The file stays (removing it would let two in). It says who holds it: a process id and ``what``,
    which must hold no secret. The lock is not re-entrant, also not within one process. It yields a
    descriptor: a program that inherits it holds the lock too, should we be killed.

    Raises:
        OperationInProgress: another holds it for longer than ``timeout_seconds``; says who.
        FileNotWritten: the lock file can't be made.
    """
    with told_as_not_written(path):
        _make_folder(path.parent)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
    try:
        deadline = clock.monotonic() + timeout_seconds
        while not _try_lock(descriptor):
            remaining_seconds = deadline - clock.monotonic()
            if remaining_seconds <= 0:
                raise OperationInProgress(
                    f"{_holder(descriptor)} has held {path} for more than {timeout_seconds:g} s",
                    hint="wait for it to finish, then repeat the command",
                )
            clock.sleep(min(_LOCK_POLL_SECONDS, remaining_seconds))
        # Who holds it is a courtesy to the reader of an error: a full disk must not deny the lock.
        with suppress(OSError):
            name_holder(descriptor, os.getpid(), what)
        try:
            yield descriptor
        finally:
            with suppress(OSError):
                os.ftruncate(descriptor, 0)
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # for whoever inherited it as well
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class _Staged:
    """New content on the disk, under a temporary name; the open descriptor holds its lock."""

    target: Path
    temporary: Path
    descriptor: int

    def discard(self) -> None:
        """Let go of the temporary file. After the rename there is none, and only the lock ends."""
        with suppress(OSError):
            self.temporary.unlink()
        os.close(self.descriptor)


def _real_target(path: Path) -> Path:
    """Follow links to the file that is meant, and require that it is one, if it is there."""
    target = Path(os.path.realpath(path))
    with suppress(FileNotFoundError):
        kind = target.stat().st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(kind):
            raise FileNotWritten(
                f"{path} can't be written: it is no regular file", hint="correct the path"
            )
    return target


def _make_folder(folder: Path) -> None:
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir(exist_ok=True)
        sync_folder(parent.parent)


def _stage(stack: ExitStack, target: Path, content: bytes, new_file_mode: int) -> _Staged:
    staged = _open_temporary(stack, target)
    remaining = memoryview(content)
    while remaining:
        remaining = remaining[os.write(staged.descriptor, remaining) :]
    _set_owner_and_mode(staged, new_file_mode)
    os.fsync(staged.descriptor)
    return staged


def _set_owner_and_mode(staged: _Staged, new_file_mode: int) -> None:
    try:
        in_place = staged.target.stat()
    except FileNotFoundError:
        os.fchmod(staged.descriptor, new_file_mode)
    else:
        # Owner first: a change of owner takes the set-id bits away. An owner that can't be kept
        # is an error, since the system might no longer be able to read its own file.
        os.fchown(staged.descriptor, in_place.st_uid, in_place.st_gid)
        os.fchmod(staged.descriptor, stat.S_IMODE(in_place.st_mode))


def _umask() -> int:
    """Return the umask, which can only be read by setting it: to a strict one, in between."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _temporary_prefix(target: Path) -> str:
    return f".{os.fsdecode(os.fsencode(target.name)[:_TEMPORARY_STEM_BYTES_MAX])}."


def _open_temporary(stack: ExitStack, target: Path) -> _Staged:
    """Make a temporary file beside ``target``, which is gone when ``stack`` ends."""
    _remove_leftovers(target)
    with interrupts_held():
        staged = _make_temporary(target)
        _ = stack.callback(staged.discard)
    return staged


def _make_temporary(target: Path) -> _Staged:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    while True:
        name = f"{_temporary_prefix(target)}{os.urandom(8).hex()}{_TEMPORARY_SUFFIX}"
        temporary = target.with_name(name)
        descriptor = os.open(temporary, flags, 0o600)
        with suppress(OSError):  # where there are no locks, nobody takes our file for a leftover
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Another writer may have taken the file for a leftover before it was locked. Then again.
        if os.fstat(descriptor).st_nlink > 0:
            return _Staged(target, temporary, descriptor)
        os.close(descriptor)


def _remove_leftovers(target: Path) -> None:
    prefix = _temporary_prefix(target)
    # Tidying up must not stand in the way of the write itself, so each failure is let go.
    with suppress(OSError):
        for name in os.listdir(target.parent):  # noqa: PTH208 -- plain names, no paths for each
            if name.startswith(prefix) and name.endswith(_TEMPORARY_SUFFIX):
                with suppress(OSError):
                    _remove_if_abandoned(target.with_name(name))


def _remove_if_abandoned(temporary: Path) -> None:
    descriptor = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if _try_lock(descriptor):
            temporary.unlink()
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def name_holder(descriptor: int, pid: int, what: str) -> None:
    """Say in a lock file who holds the lock.

    Raises:
        OSError: it can't be written.
    """
    os.ftruncate(descriptor, 0)
    holder = json.dumps({"pid": pid, "what": what})
    _ = os.pwrite(descriptor, holder.encode()[:_HOLDER_BYTES_MAX], 0)


def _holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, _HOLDER_BYTES_MAX, 0))
        return f"process {holder['pid']} ({holder['what']})".removesuffix(" ()")
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _fault(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


@contextmanager
def told_as_not_written(path: Path, replaced: list[Path] | None = None) -> Generator[None]:
    """Turn an `OSError` into one sentence with the path and the next step."""
    try:
        yield
    except OSError as error:
        aside = (
            f"; already replaced: {', '.join(map(str, replaced))}"
            if replaced
            else "; what was there is untouched"
        )
        raise FileNotWritten(
            f"{path} can't be written: {_fault(error)}{aside}",
            hint=_NEXT_STEPS.get(error.errno or 0, "check the disk, then repeat the command"),
        ) from error
