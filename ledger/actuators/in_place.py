"""Writing over a file where it stands: for a pause, when its file can't be replaced as a whole."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

_OLD_BYTES_MAX: Final = 64 * 1024


def overwrite(path: Path, content: bytes) -> bool:
    """Write ``content`` over the regular file at ``path``; tell whether it holds that now.

    It is written before it is cut to length, so that a full disk is asked for no more than the
    difference. Where even that can't be, the old content is put back.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        standing = os.fstat(descriptor)
        if not stat.S_ISREG(standing.st_mode) or standing.st_size > _OLD_BYTES_MAX:
            return False
        old = os.pread(descriptor, _OLD_BYTES_MAX, 0)
        written = _put(descriptor, content)
        if not written:
            _put(descriptor, old)
    except OSError:
        return False
    else:
        return written
    finally:
        os.close(descriptor)


def _put(descriptor: int, content: bytes) -> bool:
    try:
        done = 0
        while done < len(content):
            done += os.pwrite(descriptor, content[done:], done)
        os.ftruncate(descriptor, len(content))
    except OSError:
        return False
    with suppress(OSError):  # it can be read back, which is what the system does
        os.fsync(descriptor)
    return True
