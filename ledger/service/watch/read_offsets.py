"""How far a watch has read the files that grow, kept on this machine for the one that comes after it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson

from ledger import files
from ledger.domain.errors import LedgerError
from ledger.metrics.tailing import Place

BYTES_MAX = 2**20


def recall(home: Path, system: str) -> dict[str, Place]:
    """Return, by metric source, how far it was read; nothing where that is not known."""
    try:
        content = files.read_bounded(_file(home, system), bytes_max=BYTES_MAX)
        known = orjson.loads(content) if content is not None else {}
        return {name: Place(int(one[0]), int(one[1])) for name, one in known.items()}
    except (LedgerError, ValueError, TypeError, AttributeError, LookupError):
        return {}  # then the end of each file is read again


def keep(home: Path, system: str, places: Mapping[str, Place]) -> None:
    """Keep ``places``.

    Raises:
        FileNotWritten: they could not be kept.
    """
    content = orjson.dumps({name: (place.inode, place.offset) for name, place in places.items()})
    files.write_atomically(_file(home, system), content, create_folder=True)


def _file(home: Path, system: str) -> Path:
    return home / "watch" / f"{system.replace('/', '%2F')}.read.json"
