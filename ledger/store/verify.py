"""Recomputes the hash chain, and names the first position that is not as it was recorded (I3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

import psycopg

from ledger.domain.errors import BadInput
from ledger.domain.log import canonical
from ledger.store.chain_scan import Stretch
from ledger.store.checkpoint import Checkpoint, ledger_id
from ledger.store.connect import AUDITOR
from ledger.store.diagnosis import Problem, diagnose
from ledger.store.postgres import PostgresStore, translated
from ledger.store.verify_engines import (
    WORKERS,
    WORTH_A_PROCESS,
    Recomputed,
    Tell,
    by_database,
    by_python,
)

Progress = Callable[[int, int], None]
Engine = Callable[[str, str, Sequence[Stretch], Tell], Recomputed]
ENGINES: Final[Mapping[str, Engine]] = {"python": by_python, "database": by_database}
NAMES_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class End:
    """Where the log ends."""

    position: int
    chain: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification went over, and what it found."""

    first: int
    """The first position that was recomputed; what lies before it was taken as given."""
    last: int
    chain: bytes
    """The chain value at ``last``, for keeping elsewhere."""
    blobs: int
    """How many of the configuration files and canonical forms that events name were hashed again."""
    problem: Problem | None
    to_come: int | None = None
    """The position that a restore under way has to come to; None: the log is not being restored."""

    @property
    def events(self) -> int:
        """How many events were recomputed."""
        return self.last - self.first + 1


def verify(
    dsn: str,
    *,
    role: str = AUDITOR,
    engine: Engine = by_python,
    checkpoint: Checkpoint | None = None,
    first: int = 1,
    blobs: bool = True,
    tell: Progress = lambda _count, _total: None,
) -> Report:
    """Recompute the chain up to the end that the log has now.

    From position ``first`` on, where the stored chain value before it is taken as given; or from
    ``checkpoint`` on, where the log must agree with it. ``tell`` gets the number of events gone over, and
    of all there are to go over.

    Raises:
        BadInput: there is no position ``first``.
        LedgerError: the log could not be read to the end.
    """
    with closing(PostgresStore(dsn, role=role)) as store:
        verification = _Verification(store, dsn, role, engine, blobs, tell)
        try:
            return replace(verification.run(checkpoint, first), to_come=_to_come(store))
        except psycopg.Error as error:
            raise translated(error) from error


def _to_come(store: PostgresStore) -> int | None:
    row = store.connection.execute("SELECT position FROM ledger.restoring").fetchone()
    return int(row[0]) if row else None


@dataclass(frozen=True, slots=True)
class _Verification:
    store: PostgresStore
    dsn: str
    role: str
    engine: Engine
    blobs: bool
    tell: Progress

    def run(self, checkpoint: Checkpoint | None, first: int) -> Report:
        head = self._head()
        if checkpoint is None:
            return self._from(first - 1, self._chain_before(first, head), head)
        against = self._against(checkpoint, head)
        if against is None:
            return self._from(checkpoint.position, checkpoint.chain, head)
        if against.kind == "other_ledger":
            return Report(1, 0, head.chain, 0, against)
        # The checkpoint shows that something is wrong before it. Where, a full verification may tell.
        whole = self._from(0, canonical.GENESIS, head)
        if whole.problem is not None and whole.problem.position <= against.position:
            return whole
        return Report(1, whole.last, whole.chain, whole.blobs, against)

    def _head(self) -> End:
        query = "SELECT position, chain FROM ledger.event ORDER BY position DESC LIMIT 1"
        row = self.store.connection.execute(query).fetchone()
        return End(row[0], bytes(row[1] or b"")) if row else End(0, canonical.GENESIS)

    def _chain_at(self, position: int) -> bytes | None:
        """Return the stored chain value, and nothing else: a changed row may hold what can't be read."""
        if position == 0:
            return canonical.GENESIS
        query = "SELECT chain FROM ledger.event WHERE position = %s"
        row = self.store.connection.execute(query, [position]).fetchone()
        return bytes(row[0] or b"") if row else None

    def _chain_before(self, first: int, head: End) -> bytes:
        before = self._chain_at(first - 1)
        if before is None:
            raise BadInput(
                f"There is no event at position {first - 1} to start after.",
                hint=f"The log ends at position {head.position}; rollout verify starts at 1.",
            )
        return before

    def _against(self, checkpoint: Checkpoint, head: End) -> Problem | None:
        """Return what is wrong with the log if ``checkpoint`` was made of it."""
        mine = ledger_id(self.store)
        if checkpoint.ledger is not None and mine is not None and mine != checkpoint.ledger:
            return Problem(
                1, "other_ledger",
                f"The checkpoint was made of the ledger {checkpoint.ledger}; this one is {mine}.",
            )  # fmt: skip
        if head.position < checkpoint.position:
            return Problem(
                head.position + 1, "cut_off",
                f"The log ends at position {head.position}; when the checkpoint was written, it went on to "
                f"{checkpoint.position}.",
            )  # fmt: skip
        if self._chain_at(checkpoint.position) != checkpoint.chain:
            return Problem(
                checkpoint.position, "rewritten",
                f"At position {checkpoint.position} the log is not what it was when the checkpoint was "
                "written, though it is consistent in itself: it was rewritten, somewhere up to there.",
            )  # fmt: skip
        return None

    def _from(self, after: int, before: bytes, head: End) -> Report:
        last = max(head.position, after)
        problem: Problem | None = None
        if last > after:
            stretches = self._stretches(after, last, before)
            outcome = self.engine(
                self.dsn, self.role, stretches, lambda count: self.tell(count, last - after)
            )
            bad = self._first_bad(outcome, after, last)
            if bad is not None:
                stored = self._chain_at(bad - 1) if bad - 1 > after else before
                problem = diagnose(self.store, bad, stored or before)
        blobs = 0
        if self.blobs:
            blobs, bad_blob = self._check_blobs(after, last)
            if bad_blob is not None and (problem is None or bad_blob.position < problem.position):
                problem = bad_blob
        return Report(after + 1, last, head.chain, blobs, problem)

    def _stretches(self, after: int, last: int, before: bytes) -> list[Stretch]:
        if last - after < WORTH_A_PROCESS:
            return [Stretch(after + 1, last, before)]
        stretches: list[Stretch] = []
        for number in range(1, WORKERS + 1):
            end = after + (last - after) * number // WORKERS
            begin = stretches[-1].last + 1 if stretches else after + 1
            stretches.append(Stretch(begin, end, before))
            stored = self._chain_at(end)
            if stored is None:  # a hole at the seam: nothing to start the next one from
                return [Stretch(after + 1, last, stretches[0].before)]
            before = stored
        return stretches

    # --- revisions ------------------------------------------------------------------------------

    def _first_bad(self, outcome: Recomputed, after: int, last: int) -> int | None:
        """Return the first bad position, revisions counted in."""
        bads = [outcome.bad] if outcome.bad is not None else []
        if outcome.broken is not None:
            bads.append(self._position_of(*outcome.broken))
        if self.engine is not by_python:
            bads += self._gap(after, last)
        elif after == 0:
            bads += [self._position_of(s, n) for s, n in outcome.begins.items() if n != 1]
        else:
            bads += [
                self._position_of(stream, revision)
                for stream, revision in outcome.begins.items()
                if revision != self._revision_at(stream, after) + 1
            ]
        return min(bads, default=None)

    def _position_of(self, stream: str, revision: int) -> int:
        query = "SELECT position FROM ledger.event WHERE stream = %s AND revision = %s"
        row = self.store.connection.execute(query, [stream, revision]).fetchone()
        return int(row[0]) if row else 1

    def _revision_at(self, stream: str, position: int) -> int:
        query = (
            "SELECT revision FROM ledger.event WHERE stream = %s AND position <= %s "
            "ORDER BY revision DESC LIMIT 1"
        )
        row = self.store.connection.execute(query, [stream, position]).fetchone()
        return int(row[0]) if row else 0

    def _gap(self, after: int, last: int) -> list[int]:
        """Return the first position whose revision does not follow; some engines look at hashes only."""
        query = """
            SELECT min(position) FROM (
                SELECT position, revision, coalesce(
                        lag(revision) OVER (PARTITION BY stream ORDER BY position),
                        (SELECT max(b.revision) FROM ledger.event AS b
                            WHERE b.stream = e.stream AND b.position <= %(after)s AND %(after)s > 0), 0
                    ) AS before
                    FROM ledger.event AS e WHERE position > %(after)s AND position <= %(last)s
            ) AS c WHERE revision <> before + 1
        """
        row = self.store.connection.execute(query, {"after": after, "last": last}).fetchone()
        return [int(row[0])] if row and row[0] is not None else []

    # --- blobs ----------------------------------------------------------------------------------

    def _check_blobs(self, after: int, last: int) -> tuple[int, Problem | None]:
        """Hash again what the events name. Return how many, and the first event that names a bad one."""
        named = dict[str, int]()
        for position, sha in self._named_blobs(after, last):
            named.setdefault(sha, position)
        bad: dict[int, str] = {}
        names = list(named)
        for begin in range(0, len(names), NAMES_AT_ONCE):
            some = names[begin : begin + NAMES_AT_ONCE]
            good = self._good_blobs(some)
            bad.update((named[name], name) for name in reversed(some) if name not in good)
        if not bad:
            return len(named), None
        position = min(bad)
        return len(named), Problem(
            position, "blob",
            f"The event at position {position} names the bytes {bad[position]}, which are missing or "
            "changed.",
        )  # fmt: skip

    def _named_blobs(self, after: int, last: int) -> Iterator[tuple[int, str]]:
        query = (
            "SELECT position, body FROM ledger.event WHERE position > %s AND position <= %s "
            "AND type = 'ConfigRegistered' ORDER BY position"
        )
        for position, body in self.store.connection.execute(query, [after, last]):
            for name in _blobs_in(bytes(body)):
                yield position, name

    def _good_blobs(self, names: Sequence[str]) -> set[str]:
        query = "SELECT encode(sha256, 'hex'), bytes FROM ledger.blob WHERE sha256 = ANY (%s)"
        keys = [bytes.fromhex(name) for name in names]
        rows = self.store.connection.execute(query, [keys], binary=True)
        return {name for name, content in rows if sha256(content).hexdigest() == name}


def _blobs_in(body: bytes) -> list[str]:
    """Return the hashes that a ConfigRegistered names; nothing of a body that was made unreadable."""
    try:
        data: Any = canonical.decode(body)["data"]
        return [
            data["fingerprint"].removeprefix("sha256:"), *(file["sha256"] for file in data["files"]),
        ]  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError):
        return []  # the chain says so
