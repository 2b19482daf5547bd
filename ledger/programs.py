"""Other programs: why one can't be started."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping


def start_fault(program: str, error: Exception, environment: Mapping[str, str]) -> str:
    """Return in a few words why ``program`` did not start in ``environment``.

    A folder of the search path that may not be entered makes the system say "permission denied" of
    each program that is nowhere else.
    """
    nowhere = os.sep not in program and not shutil.which(program, os.F_OK, environment.get("PATH"))
    if isinstance(error, PermissionError) and nowhere:
        return os.strerror(errno.ENOENT).lower()
    return (getattr(error, "strerror", None) or str(error)).lower()
