"""Keeping the read model up to the log, and building it anew beside the live one."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final, LiteralString

from psycopg import errors

from ledger import fail_points
from ledger.domain.clock import Clock
from ledger.domain.errors import OperationInProgress
from projections.core import log
from projections.core.base import Db, Part
from projections.engine import checkpoint, rebuild as fresh
from projections.engine.apply import Applier
from projections.engine.rebuild import Connect
from projections.models.registry import PROJECTIONS

LIVE_PART: Final = 10_000
"""Positions a transaction while catching up."""
ANEW_FROM: Final = 200_000
"""Positions behind from which on two processes that begin at 1 are there earlier."""
LIVE: Final = "readmodel"
NEXT: Final = "readmodel_next"

Report = Callable[[str], None]
"""Tells a person how it goes."""


class Projector:
    """The read model of one ledger, over one connection that is opened when it is first needed."""

    def __init__(self, connect: Connect, clock: Clock, report: Report = lambda _: None) -> None:
        self._connect = connect
        self._clock = clock
        self._report = report
        self._db: Db | None = None

    @property
    def db(self) -> Db:
        """The connection. Queries may use it too, between two calls."""
        if self._db is None or self._db.closed:
            self._db = self._connect()
        return self._db

    def close(self) -> None:
        """Close the connection if there is one."""
        if self._db is not None:
            self._db.close()

    def catch_up(self) -> int:
        """Apply what was appended since the last time; return the position that readers will see.

        A model that is missing, of another version or of another log is built anew, and that is told.

        Raises:
            IntegrityFailure: a position is missing from the log, or an event can't be applied.
            OperationInProgress: another process has been at it for over ten seconds.
        """
        while True:
            problem = self._problem()
            if problem is not None:
                if problem != checkpoint.NOT_THERE:
                    self._report(f"The read model is built anew, because {problem}.")
                self.rebuild(unless=lambda: self._problem() is None)
            position, done = self._advance()
            if done:
                return position

    def _problem(self) -> str | None:
        """Return why the live model has to be built anew, or None."""
        stands = checkpoint.standing(self.db)
        behind = log.head(self.db) - stands.position
        if stands.problem is None and behind > ANEW_FROM and behind > stands.position // 2:
            return f"it is {behind:,} events behind, and that is faster"
        return stands.problem

    def _advance(self) -> tuple[int, bool]:
        """Apply one part. Return the position reached, and whether that was the end of the log."""
        with self.db.transaction():
            _lock(self.db, checkpoint.CATCH_UP_LOCK)
            stands = checkpoint.standing(self.db)
            head = log.head(self.db)
            if stands.problem is not None or stands.position >= head:
                return stands.position, stands.problem is None
            up_to = min(head, stands.position + LIVE_PART)
            fresh.use_schema(self.db, LIVE)
            apply_last(self.db, stands.position, up_to)
        fail_points.reach("catch_up.after_batch")
        return up_to, up_to == head

    def rebuild(self, *, unless: Callable[[], bool] = lambda: False) -> int:
        """Build a new model from position 1 beside the live one, then swap them; return its position.

        Readers see the live model until the new one has caught up, and never none. What a killed
        rebuild leaves is a schema that nobody reads; the next one drops it. ``unless`` is asked
        under the lock: another process may have done it meanwhile.

        Raises:
            IntegrityFailure: a position is missing from the log, or an event can't be applied.
            OperationInProgress: another process is rebuilding or verifying.
        """
        began = self._clock.monotonic()
        with self.alone():
            if unless():
                return checkpoint.standing(self.db).position
            with self.built(NEXT, log.head) as position:
                self.db.execute(
                    "DO $$ BEGIN IF to_regnamespace('readmodel') IS NOT NULL THEN "
                    "ALTER SCHEMA readmodel RENAME TO readmodel_old; END IF; END $$"
                )
                self.db.execute("ALTER SCHEMA readmodel_next RENAME TO readmodel")
                fail_points.reach("rebuild.before_swap")
            fail_points.reach("rebuild.after_swap")
            # Dropping waits for whoever still reads the old tables; the new ones are in use by now.
            self.db.execute("DROP SCHEMA IF EXISTS readmodel_old CASCADE")
        self._tell("rebuilt", position, position, began)
        return position

    @contextmanager
    def alone(self) -> Generator[None]:
        """Keep every other rebuild and verification of this ledger out.

        Raises:
            OperationInProgress: another process is rebuilding or verifying.
        """
        _lock(self.db, checkpoint.REBUILD_LOCK, session=True)
        try:
            # Left by a process that was killed between the swap and the end.
            self.db.execute("DROP SCHEMA IF EXISTS readmodel_old CASCADE")
            yield
        finally:
            if not self.db.closed:
                self.db.execute("SELECT pg_advisory_unlock(%s)", (checkpoint.REBUILD_LOCK,))

    @contextmanager
    def built(self, schema: LiteralString, target: Callable[[Db], int]) -> Generator[int]:
        """Build a model in ``schema`` up to ``target``; yield its position, inside a transaction.

        In it, live models don't move: ``target`` is asked there again, for what came meanwhile.

        Raises:
            IntegrityFailure: a position is missing from the log, or an event can't be applied.
            OperationInProgress: another process has been catching up for over ten seconds.
        """
        began, up_to = self._clock.monotonic(), target(self.db)
        with self.db.transaction():
            fresh.make_schema(self.db, schema)
        fresh.fold(
            self._connect, schema, up_to, lambda done: self._tell("applied", done, up_to, began)
        )
        with self.db.transaction():
            fresh.use_schema(self.db, schema)
            for projection in PROJECTIONS:
                if projection.indexes:
                    self.db.execute(projection.indexes)
            if up_to > 0:
                checkpoint.advance(self.db, Part(0, up_to, last=True))
            _lock(self.db, checkpoint.CATCH_UP_LOCK)
            position = target(self.db)
            apply_last(self.db, up_to, position)
            yield position

    def _tell(self, verb: str, done: int, of: int, began: float) -> None:
        seconds = max(self._clock.monotonic() - began, 1e-6)
        if of >= fresh.PART:
            self._report(f"{verb} {done:,} of {of:,} events, {done / seconds:,.0f} a second")


def apply_last(db: Db, after: int, up_to: int) -> None:
    """Apply the rest of what a transaction is to apply, settle, and move the checkpoints."""
    applier, part = Applier(), Part(after, up_to, last=True)
    if up_to > after:
        applier.apply(db, part, log.read(db, part))
        checkpoint.advance(db, part)
    applier.settle(db, up_to)


def _lock(db: Db, key: int, *, session: bool = False) -> None:
    """Take an advisory lock, until the transaction or the session ends.

    Raises:
        OperationInProgress: another holds it for longer than the connection's lock_timeout.
    """
    take = "SELECT pg_advisory_lock(%s)" if session else "SELECT pg_advisory_xact_lock(%s)"
    try:
        db.execute(take, (key,))
    except errors.LockNotAvailable as error:
        raise OperationInProgress(
            "Another process is rebuilding, verifying or catching up the read models.",
            hint="Wait for it to finish, then repeat the command.",
        ) from error
