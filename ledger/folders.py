"""Durable folders: a whole folder takes its name in one rename, or none does.

Until then its files lie in a temporary folder beside it, locked by its writer for as long as that
lives; one whose lock is free was left by a killed process, and the next write removes it.
"""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from ledger.domain.errors import BadInput
from ledger.files import sync_folder, told_as_not_written
from ledger.interrupts import interrupts_held

_SUFFIX: Final = ".rollout-tmp"
_RANDOM_BYTES: Final = 8
_NO_LINKS: Final = os.O_NOFOLLOW | os.O_CLOEXEC


def write_folder(folder: Path, files: Mapping[str, bytes], *, replace: bool = False) -> None:
    """Write ``files`` (name, perhaps with folders in it -> content) as ``folder``, durably.

    ``replace`` exchanges a folder that is there, if it holds nothing but files of these names.

    Raises:
        BadInput: something is there already that may not be replaced.
        FileNotWritten: what was there is untouched, and nothing half-written has the name.
    """
    check_free(folder, files, replace=replace)
    with staged_folder(folder, replace=replace) as temporary, told_as_not_written(folder):
        for name, content in files.items():
            _write(temporary / name, content)


def check_free(folder: Path, names: Mapping[str, object], *, replace: bool) -> None:
    """Raise `BadInput` where a folder of these files can't be written: to be asked before long work."""
    if not folder.exists() and not folder.is_symlink():
        return
    if folder.is_symlink() or not folder.is_dir():
        raise BadInput(f"{folder} is there and is no folder.", hint="Name another place: --out")
    there = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()
    )
    if there and not replace:
        raise BadInput(
            f"{folder} is there already.", hint="Name another place, or exchange it: --replace"
        )
    strange = next((name for name in there if name not in names), None)
    if strange is not None:
        raise BadInput(
            f"{folder} holds {strange}, which this would not write: it is not replaced.",
            hint="Name another place, or move that file away.",
        )


@contextmanager
def staged_folder(folder: Path, *, replace: bool = False) -> Generator[Path]:
    """Give a temporary folder to fill, whose files the caller flushes; it takes the name at the end.

    Where the block raises, nothing of it stays.

    Raises:
        FileNotWritten: what was there is untouched.
    """
    with ExitStack() as stack:
        with told_as_not_written(folder):
            folder = Path(os.path.abspath(folder))  # noqa: PTH100 -- a link to the folder stays one
            folder.parent.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(folder.parent.glob(f".{glob.escape(folder.name)}.*{_SUFFIX}"))
            temporary = _beside(folder)
            with interrupts_held():
                temporary.mkdir(mode=0o755)
                _ = stack.enter_context(_locked_until_removed(temporary))
        yield temporary
        with told_as_not_written(folder):
            for inner in [temporary, *(path for path in temporary.rglob("*") if path.is_dir())]:
                sync_folder(inner)
            _take_the_name(temporary, folder, replace=replace)


@contextmanager
def scratch_folder(name: str) -> Generator[Path]:
    """Give a folder, among the machine's temporary ones, for what is gone when the block ends.

    What killed processes left under the same ``name`` is removed first.

    Raises:
        FileNotWritten: there is no room for it.
    """
    root = Path(tempfile.gettempdir())
    _remove_abandoned(root.glob(f"{name}-*{_SUFFIX}"))
    with ExitStack() as stack:
        with told_as_not_written(root), interrupts_held():
            folder = stack.enter_context(_made_scratch(root, name))
        yield folder


@contextmanager
def _made_scratch(root: Path, name: str) -> Generator[Path]:
    while True:
        folder = Path(tempfile.mkdtemp(_SUFFIX, f"{name}-", root))
        with _locked_until_removed(folder):
            if folder.exists():  # not locked yet, it may have been taken for abandoned
                yield folder
                return


@contextmanager
def _locked_until_removed(folder: Path) -> Generator[None]:
    """Hold the lock of a new folder, and remove it at the end of the block, unless it has another name."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # where there are no locks, nobody takes ours for a leftover
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _take_the_name(temporary: Path, folder: Path, *, replace: bool) -> None:
    if replace and folder.exists():
        # Two renames: for a moment there is no folder of the name, and never a mixture of two.
        old = _beside(folder)
        folder.rename(old)
        try:
            temporary.rename(folder)
        except OSError:
            old.rename(folder)
            raise
        sync_folder(folder.parent)
        shutil.rmtree(old, ignore_errors=True)
        return
    temporary.rename(folder)  # takes the place of an empty folder, and of nothing else
    sync_folder(folder.parent)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _beside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.{os.urandom(_RANDOM_BYTES).hex()}{_SUFFIX}")


def _remove_abandoned(folders: Iterator[Path]) -> None:
    """Remove those of which the lock is free: whoever made them does not live any more."""
    with suppress(OSError):  # tidying up must not stand in the way of the write itself
        for path in folders:
            with suppress(OSError):
                descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _NO_LINKS)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)
                finally:
                    os.close(descriptor)
