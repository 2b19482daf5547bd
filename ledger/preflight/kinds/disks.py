"""Room on a disk, and whether one may write there."""

from __future__ import annotations

import os
import shutil
import tempfile
from decimal import Decimal
from pathlib import Path

from ledger.preflight.context import CheckContext
from ledger.preflight.fields import parse_size
from ledger.preflight.finding import CheckError, Outcome, Result, passed
from ledger.preflight.specs import DiskSpace, Writable


def disk_space(check: DiskSpace, context: CheckContext) -> Outcome:
    """Compare what is free for this user with ``min_free``."""
    path = context.base / check.path
    try:
        usage = shutil.disk_usage(path)
    except OSError as error:
        raise CheckError(f"the disk of {path} can't be asked: {error.strerror}") from error
    share = 100 * usage.free / usage.total if usage.total else 0.0
    threshold = f"at least {check.min_free} free"
    result = Result.PASS
    if check.warn_free is not None:
        threshold += f", warn below {check.warn_free}"
        result = result if _is_free(check.warn_free, usage.free, share) else Result.WARN
    if not _is_free(check.min_free, usage.free, share):
        result = Result.FAIL
    return Outcome(result, f"{size_text(usage.free)} free ({share:.1f}%)", threshold)


def writable(check: Writable, context: CheckContext) -> Outcome:
    """Write a file into each folder, and remove it; open each file to write, and change nothing."""
    problems: list[str] = []
    for name in check.paths:
        problem = _problem_writing(context.base / name)
        if problem:
            problems.append(f"{name}: {problem}")
    count = len(check.paths)
    return Outcome(
        passed(not problems),
        f"{count - len(problems)} of {count} writable",
        "all writable",
        "\n".join(problems),
    )


def size_text(size_bytes: int) -> str:
    """Return ``5.2 GiB``."""
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.1f} {unit}" if unit != "B" else f"{size_bytes} B"
        size /= 1024
    return f"{size:.1f} TiB"


def _is_free(wanted: str, free_bytes: int, share: float) -> bool:
    amount, is_share = parse_size(wanted)
    return (Decimal(str(share)) if is_share else free_bytes) >= amount


def _problem_writing(path: Path) -> str | None:
    try:
        if path.is_dir():
            with tempfile.TemporaryFile(dir=path) as file:
                _ = file.write(b"x")
                file.flush()
        else:
            # Not blocking: opening a pipe to write would wait for a reader for ever.
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return (error.strerror or type(error).__name__).lower()
    return None
