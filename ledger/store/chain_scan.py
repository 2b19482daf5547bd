"""Recomputes a stretch of the chain from the bytes that a COPY sends. See docs/hash-layout.md.

Written for speed, since a log is verified from its first event on: a row's own bytes are its leaf's
preimage, so nothing is decoded that need not be, and each event costs three SHA-256 and little else.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

import psycopg

from ledger.domain.log.canonical import FORMAT
from ledger.store.connect import open_connection
from ledger.store.wire import DATA, DONE, ERROR, TRAILER_LENGTH, error_text, pieces

QUERY: Final = (
    "COPY (SELECT format, position, revision, schema_version, event_id, occurred_at, recorded_at, "
    "body_hash, stream, type, chain, body FROM ledger.event "
    "WHERE position BETWEEN {first} AND {last} ORDER BY position) TO STDOUT (FORMAT binary)"
)
TELL_EVERY: Final = 20_000

# One row's message: 'd', its length, the number of columns, then each column as length and bytes.
# The columns before the stream are of fixed width, so they stand at fixed places.
# Wanted of them: the length of the message, format, position, revision, length of the stream's name.
_PLACES: Final = struct.Struct("> x i 6x h 4x q 4x q 88x i")
_LEAF_BEGINS: Final = 7
_HASH_BEGINS: Final = 93
_HASH_ENDS: Final = 125
_STREAM_BEGINS: Final = 129
_CHAIN_LENGTH: Final = (32).to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Positions ``first`` … ``last``; ``before`` is the chain value that stands before them."""

    first: int
    last: int
    before: bytes


@dataclass(slots=True)
class Scan:
    """What came of a stretch."""

    bad: int | None = None
    """The first position that is not as it should be, or None."""
    chain: bytes = b""
    """The chain value after the last good position."""
    begins: dict[bytes, int] = field(default_factory=dict[bytes, int])
    """Stream -> its first revision in this stretch; whether the one before it is there is checked later."""
    ends: dict[bytes, int] = field(default_factory=dict[bytes, int])
    """Stream -> its last revision in this stretch."""


def scan(dsn: str, role: str, stretch: Stretch, tell: Callable[[int], None]) -> Scan:
    """Recompute ``stretch``, over a connection of its own. ``tell`` gets the number of events done so far.

    Raises:
        psycopg.Error, LedgerUnreachable: the log could not be read to the end.
    """
    with closing(open_connection(dsn, role=role)) as connection:
        query = QUERY.format(first=stretch.first, last=stretch.last)
        scanner = _Scanner(stretch, tell)
        for piece in pieces(connection, query):
            if scanner.take(piece):
                break
    return scanner.result


class _Scanner:
    """Holds the place in the log between two pieces."""

    def __init__(self, stretch: Stretch, tell: Callable[[int], None]) -> None:
        self.stretch = stretch
        self.tell = tell
        self.expected = stretch.first
        self.rest = b""
        self.result = Scan(chain=stretch.before)

    def take(self, piece: bytes) -> bool:
        """Go over the rows in ``piece``; return whether that was the end."""
        data = self.rest + piece if self.rest else piece
        before = self.expected
        at, good = self._rows(data)
        if self.expected // TELL_EVERY != before // TELL_EVERY:
            self.tell(self.expected - self.stretch.first)
        if not good:
            self.result.bad = self.expected
            return True
        return self._other_messages(data, at)

    def _rows(self, data: bytes) -> tuple[int, bool]:
        """Go over whole rows; return where they end and whether they were all good."""
        places, leaf_of, digest = _PLACES.unpack_from, sha256(b"\x00").copy, sha256
        begins, ends = self.result.begins, self.result.ends
        chain, expected = self.result.chain, self.expected
        at, good = 0, True
        end, full = len(data), len(data) - _STREAM_BEGINS
        while at < full and data[at] == DATA:
            length, format_, position, revision, stream_length = places(data, at)
            row_ends = at + length + 1
            if row_ends > end:
                break
            stream_ends = at + _STREAM_BEGINS + stream_length
            type_ends = stream_ends + 4 + int.from_bytes(data[stream_ends : stream_ends + 4], "big")
            leaf = leaf_of()
            leaf.update(data[at + _LEAF_BEGINS : type_ends])
            new_chain = digest(b"\x02" + chain + leaf.digest()).digest()
            stream = data[at + _STREAM_BEGINS : stream_ends]
            last_revision = ends.get(stream)
            is_new = last_revision is None
            if last_revision is None:
                last_revision = revision - 1
            # The lengths are compared too: bytes that wandered from one column to the next are a change.
            if (
                position != expected
                or data[type_ends : type_ends + 36] != _CHAIN_LENGTH + new_chain
                or digest(data[type_ends + 40 : row_ends]).digest()
                != data[at + _HASH_BEGINS : at + _HASH_ENDS]
                or revision != last_revision + 1
                or format_ != FORMAT
            ):
                good = False
                break
            if is_new:
                begins[stream] = revision
            ends[stream] = revision
            chain = new_chain
            expected += 1
            at = row_ends
        self.result.chain, self.expected = chain, expected
        return at, good

    def _other_messages(self, data: bytes, at: int) -> bool:
        """Go over what is no row; return whether the COPY has ended."""
        while len(data) - at >= 5:
            kind, length = data[at], int.from_bytes(data[at + 1 : at + 5], "big")
            if kind == DATA and length > TRAILER_LENGTH:
                break  # a row that is not here as a whole yet
            if len(data) - at <= length:
                break
            if kind == ERROR:
                raise psycopg.OperationalError(error_text(data[at + 5 : at + length + 1]))
            at += length + 1
            if kind == DONE:
                if self.expected <= self.stretch.last:
                    self.result.bad = self.expected
                return True
        self.rest = data[at:]
        return False
