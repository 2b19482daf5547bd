"""Where the embedded Postgres' socket lies: in a folder that only its user (and root) can enter."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

from ledger.domain.errors import LedgerUnreachable
from ledger.store.server_files import PORT, ServerFiles
from ledger.store.server_programs import RunAs

SOCKET_PATH_BYTES_MAX: Final = 107
FOLDERS_MAX: Final = 10


def socket_folder(files: ServerFiles, run_as: RunAs) -> Path:
    """Return a folder for the socket that only the server's user can enter.

    The server's own, unless its path is too long for a socket or holds what libpq takes for
    something else (a comma parts hosts). Then one in the runtime or temporary folder, named after
    the data folder.

    Raises:
        LedgerUnreachable: there is none.
    """
    if _fits_a_socket(files.folder):
        return files.folder
    bases = ["/run"] if run_as.uid != os.geteuid() else [os.environ.get("XDG_RUNTIME_DIR", "")]
    bases += [tempfile.gettempdir(), "/tmp"]  # noqa: S108  # A name taken there is passed over.
    identity = hashlib.sha256(os.fsencode(files.data)).hexdigest()[:12]
    for base in bases:
        for number in range(FOLDERS_MAX):
            folder = Path(base) / f"rollout-ledger-{identity}-{number}"
            if base.startswith("/") and _fits_a_socket(folder) and _is_private(folder, run_as):
                return folder
    raise LedgerUnreachable(
        f"No folder is fit for PostgreSQL's socket: {files.folder} is too long a path, and"
        f" neither {' nor '.join(base for base in bases if base)} can be used.",
        hint="Set ROLLOUT_HOME to a shorter path.",
    )


def clear_socket(folder: Path) -> None:
    """Remove the socket of a dead server; Postgres balks at it when the pid is in use again."""
    for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
        (folder / name).unlink(missing_ok=True)


def _fits_a_socket(folder: Path) -> bool:
    name = os.fsencode(folder / f".s.PGSQL.{PORT}")
    return len(name) <= SOCKET_PATH_BYTES_MAX and not set(name) & set(b',"')


def _is_private(folder: Path, run_as: RunAs) -> bool:
    """Return whether ``folder`` is the user's alone, having made it if there was none."""
    try:
        folder.mkdir(0o700)
        if run_as.step_down:
            os.chown(folder, run_as.uid, run_as.gid, follow_symlinks=False)
    except FileExistsError:
        pass  # Ours from the last start, or somebody else's: the owner tells.
    except OSError:
        return False
    status = folder.lstat()
    private = status.st_uid == run_as.uid and status.st_mode & 0o170077 == 0o040000
    return private and (not run_as.step_down or run_as.closed_folder(folder) is None)
