"""The home folder: where the embedded Postgres, the spool and the cache are kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ledger.domain.errors import BadInput, LedgerUnreachable

FOLDER_NAME: Final = "rollout-ledger"
SYSTEM_HOME: Final = Path("/var/lib") / FOLDER_NAME


def default_home(env: Mapping[str, str]) -> Path:
    """Return the home folder of whoever runs this, for when ROLLOUT_HOME names none.

    Root's lies outside every home directory, since Postgres runs as another user and has to get in.
    """
    if os.geteuid() == 0:
        return SYSTEM_HOME
    chosen = env.get("XDG_DATA_HOME", "")
    if chosen.startswith("/"):  # A relative one is to be ignored, says the XDG specification.
        return Path(chosen) / FOLDER_NAME
    user = Path(env.get("HOME") or Path("~").expanduser())
    if sys.platform == "darwin":
        return user / "Library" / "Application Support" / FOLDER_NAME
    return user / ".local" / "share" / FOLDER_NAME


def real_home(home: Path) -> Path:
    """Return ``home`` absolute and free of symlinks, so that one folder has one name.

    Raises:
        BadInput: the path holds a control character, which Postgres' own files can't hold.
    """
    if any(ord(character) < 32 for character in str(home)):
        raise BadInput(
            f"The home folder {str(home)!r} holds a control character.",
            hint="Set ROLLOUT_HOME to a plain path.",
        )
    return Path(os.path.realpath(home))


def ensure_home(home: Path) -> None:
    """Make ``home`` and the folders above it that are missing; leave those that exist as they are.

    What root makes can be entered, though not listed, by the user whom Postgres runs as.

    Raises:
        LedgerUnreachable: a folder can't be made.
    """
    if home.is_dir():
        return
    mode = 0o711 if os.geteuid() == 0 else 0o700
    missing = [folder for folder in (home, *home.parents) if not folder.exists()]
    for folder in reversed(missing):
        try:
            folder.mkdir(mode)
            folder.chmod(mode)  # The umask may have taken bits away.
        except FileExistsError:
            continue  # Another command was quicker, or it is a file: the next mkdir tells.
        except OSError as error:
            raise LedgerUnreachable(
                f"The folder {folder} can't be made: {error.strerror}.",
                hint="Set ROLLOUT_HOME to a folder that you can write to.",
            ) from None
    if not home.is_dir():
        raise LedgerUnreachable(
            f"{home} is not a folder.", hint="Set ROLLOUT_HOME to a folder that you can write to."
        )
