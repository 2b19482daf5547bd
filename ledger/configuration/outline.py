"""Where things stand in the text of a file whose reader keeps no positions: leaves, comments, room for more.

What a text *means* is decided by the format's own reader alone. An outline that is wrong costs a refusal,
never a wrong value: whatever is edited by it is read again and compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from ledger.configuration.patterns import Span

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Room:
    """Where a mapping has room for one more entry."""

    start: int
    """Behind the opening brace; where the mapping begins, if it has none."""
    first: int | None
    """Where the first entry begins; None: the mapping is empty."""
    end: int
    """Where the last value ends."""
    braces: bool


@dataclass(slots=True)
class Outline:
    """The places of a text."""

    leaves: dict[Path, Span] = field(default_factory=dict)
    """Each leaf as it is written, quotes and line ends within it included."""
    comments: list[Span] = field(default_factory=list)
    rooms: dict[Path, Room] = field(default_factory=dict)
    repeated: list[tuple[int, int, Path]] = field(default_factory=list)
    """Keys that one mapping has twice: where first, where again, and the path."""
