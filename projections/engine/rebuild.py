"""Folding the whole log into a new schema: two processes share the streams, each in one transaction."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Final, LiteralString

from psycopg import sql

from ledger import fail_points
from projections.core import log
from projections.core.base import Db, Part
from projections.engine import checkpoint
from projections.engine.apply import Applier
from projections.models.registry import PROJECTIONS

PART: Final = 40_000
"""Positions a piece: large enough to be fast, small enough to be held in memory."""
WORTH_A_PROCESS: Final = 150_000
"""Positions from which on a second process gains more time than its start takes."""

Connect = Callable[[], Db]
"""Opens a connection that acts as ledger_projector. To be sent to a process: a partial, no lambda."""


def make_schema(db: Db, name: LiteralString) -> None:
    """Make the empty tables of a model in schema ``name``; what a killed process left there is dropped."""
    db.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))
    db.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    use_schema(db, name)
    db.execute(checkpoint.DEFINITION)
    for projection in PROJECTIONS:
        db.execute(projection.definition)
    checkpoint.begin(db)


def use_schema(db: Db, name: LiteralString) -> None:
    """Let tables named without a schema be those of ``name``, until the transaction ends."""
    db.execute(sql.SQL("SET LOCAL search_path = {}, pg_catalog").format(sql.Identifier(name)))


def fold(
    connect: Connect, schema: LiteralString, up_to: int, progress: Callable[[int], None]
) -> None:
    """Fill the tables of ``schema`` from positions 1 to ``up_to``. Checkpoints are left to the caller.

    A system's events lie in one stream, so streams can be shared out. ``progress`` is given the
    position that the half done here has come to; the other half is about as far.

    Raises:
        IntegrityFailure: a position is missing from the log, or an event can't be applied.
    """
    if up_to < WORTH_A_PROCESS or (os.cpu_count() or 1) < 2:
        _fold_shard(connect, schema, up_to, 0, 1, progress)
        return
    # Spawned, not forked: a fork would share connections and the locks of other threads.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        other = pool.submit(_fold_shard, connect, schema, up_to, 1, 2, None, os.getpid())
        _fold_shard(connect, schema, up_to, 0, 2, progress)
        other.result()


def _fold_shard(
    connect: Connect,
    schema: LiteralString,
    up_to: int,
    shard: int,
    shards: int,
    progress: Callable[[int], None] | None,
    parent: int | None = None,
) -> None:
    applier = Applier()
    with connect() as db, _no_cycle_collection(), db.transaction():
        use_schema(db, schema)
        for after in range(0, up_to, PART):
            if parent is not None and os.getppid() != parent:
                raise SystemExit(1)  # whoever wanted this was killed; don't hold up the next one
            last = min(after + PART, up_to)
            part = Part(after, last, last=last == up_to, shard=shard, shards=shards)
            applier.apply(db, part, log.read(db, part))
            if progress is not None:
                progress(last)
                fail_points.reach("rebuild.after_batch")


@contextmanager
def _no_cycle_collection() -> Generator[None]:
    """Leave the cycle collector off while millions of small things are made, none of them in a cycle."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
