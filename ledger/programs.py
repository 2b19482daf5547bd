"""Other programs: why one can't be started."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path


def start_fault(program: str, error: Exception, environment: Mapping[str, str]) -> str:
    """Return in a few words why ``program`` did not start in ``environment``.

    A folder of the search path that may not be entered makes the system say "permission denied" of
    each program that is nowhere else.
    """
    nowhere = os.sep not in program and not shutil.which(program, os.F_OK, environment.get("PATH"))
    if isinstance(error, PermissionError) and nowhere:
        return os.strerror(errno.ENOENT).lower()
    return (getattr(error, "strerror", None) or str(error)).lower()


def of_our_own(program: str, environment: Mapping[str, str]) -> str | None:
    """Return where ``program`` lies if it is of the environment that we run in; None of any other.

    Whoever has activated that one gets its `python` for their own, without the packages of theirs.
    """
    place = shutil.which(program, path=environment.get("PATH"))
    is_virtual = sys.prefix != sys.base_prefix
    return place if place and is_virtual and Path(place).parent == Path(sys.prefix, "bin") else None
