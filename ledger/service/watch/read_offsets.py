"""How far a watch has read the files that grow, kept on this machine for the one that comes after it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from ledger import files
from ledger.domain.errors import LedgerError
from ledger.metrics.tailing import Place

BYTES_MAX = 2**20


def recall(home: Path, system: str) -> dict[str, Place]:
    """Return, by metric source, how far it was read; nothing where that is not known."""
    try:
        content = files.read_bounded(_file(home, system), bytes_max=BYTES_MAX)
        kept: dict[str, Any] = orjson.loads(content) if content is not None else {}
        return {name: place for name, one in kept.items() if (place := _place(one))}
    except (LedgerError, ValueError, TypeError, AttributeError, LookupError):
        return {}  # then the end of each file is read again


def keep(home: Path, system: str, places: Mapping[str, Place]) -> None:
    """Keep ``places``.

    Raises:
        FileNotWritten: they could not be kept.
    """
    content = orjson.dumps({name: _written(place) for name, place in places.items()})
    files.write_atomically(_file(home, system), content, create_folder=True)


def _place(kept: Any) -> Place | None:
    """Return a place as it was kept; an earlier version kept no more than inode and offset."""
    if not kept:
        return None
    if len(kept) == 2:
        return Place(int(kept[0]), int(kept[1]))
    inode, offset, head, previous = kept
    return Place(int(inode), int(offset), str(head), _place(previous))


def _written(place: Place) -> list[Any]:
    previous = _written(place.previous) if place.previous is not None else None
    return [place.inode, place.offset, place.head, previous]


def _file(home: Path, system: str) -> Path:
    return home / "watch" / f"{system.replace('/', '%2F')}.read.json"
