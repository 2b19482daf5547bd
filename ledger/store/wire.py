"""The rows of a COPY as they come over the wire, in large pieces: for readers of a million rows a second.

psycopg hands over row by row, which costs more than hashing the row. So once a COPY is under way, the bytes
are taken from the connection's socket as they come. An encrypted connection goes through libpq.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import psycopg
from psycopg import Connection
from psycopg.pq import ExecStatus

PIECE_BYTES: Final = 256 * 1024
DATA: Final = ord("d")
DONE: Final = ord("c")
ERROR: Final = ord("E")
COPY_OUT: Final = ord("H")
HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
"""What a binary COPY begins with, in the first row's message."""
TRAILER_LENGTH: Final = 6
"""The length that stands in the message of the two bytes that end a binary COPY."""


def pieces(
    connection: Connection[Any], query: str, *, by_libpq: bool | None = None
) -> Iterator[bytes]:
    """Yield the answer to the binary COPY ``query``, as messages of the frontend/backend protocol.

    A message is cut wherever a piece ends. The first one is that of the first row: the file header is
    taken out. The one after the last row is CopyDone, or an error. The connection is of no use for anything
    else, and is to be closed afterwards. ``by_libpq``: default is to do so only if it is encrypted.

    Raises:
        psycopg.OperationalError: the connection broke.
    """
    if connection.pgconn.ssl_in_use if by_libpq is None else by_libpq:
        answer = _through_libpq(connection, query)
    else:
        answer = _from_socket(connection, query)
    head = b""
    for piece in answer:
        head += piece
        if len(head) >= 5 + len(HEADER):
            break
    if head[:1] == b"d" and head[5 : 5 + len(HEADER)] == HEADER:
        length = int.from_bytes(head[1:5], "big") - len(HEADER)
        head = b"d" + length.to_bytes(4, "big") + head[5 + len(HEADER) :]
    yield head
    yield from answer


def _through_libpq(connection: Connection[Any], query: str) -> Iterator[bytes]:
    pgconn = connection.pgconn
    result = pgconn.exec_(query.encode())
    if result.status != ExecStatus.COPY_OUT:
        raise psycopg.OperationalError(result.get_error_message())
    while True:
        length, data = pgconn.get_copy_data(0)
        if length < 0:
            break
        yield b"d" + (length + 4).to_bytes(4, "big") + bytes(data)
    end = pgconn.get_result()
    if end is not None and end.status == ExecStatus.FATAL_ERROR:
        raise psycopg.OperationalError(end.get_error_message())
    yield b"c" + (4).to_bytes(4, "big")


def _from_socket(connection: Connection[Any], query: str) -> Iterator[bytes]:
    pgconn = connection.pgconn
    pgconn.send_query(query.encode())
    while pgconn.flush():
        select.select([], [pgconn.socket], [])
    with closing(socket.socket(fileno=os.dup(pgconn.socket))) as wire:
        wire.setblocking(True)
        piece = b""
        while len(piece) < 5 or len(piece) <= int.from_bytes(piece[1:5], "big"):
            piece += _received(wire)
        if piece[0] == COPY_OUT:
            piece = piece[1 + int.from_bytes(piece[1:5], "big") :]
        while True:
            if piece:
                yield piece
            piece = _received(wire)


def _received(wire: socket.socket) -> bytes:
    piece = wire.recv(PIECE_BYTES)
    if not piece:
        raise psycopg.OperationalError("the server closed the connection")
    return piece


def error_text(message: bytes) -> str:
    """Return what an ErrorResponse says to a person."""
    for field in message.split(b"\x00"):
        if field[:1] == b"M":
            return field[1:].decode(errors="replace")
    return "the server reported an error"
