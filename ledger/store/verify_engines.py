"""Two of the three ways to recompute the chain: Python over the rows' own bytes, and the database's function.

Both divide the log into stretches that are worked on at once. Each begins with the chain value that is
stored before it, and the stretch before it shows that this value is right: if all hold, the whole log does.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, Final

import psycopg

from ledger.domain.errors import LedgerError, LedgerUnreachable
from ledger.store.chain_scan import Scan, Stretch, scan
from ledger.store.connect import open_connection
from ledger.store.postgres import translated

WORKERS: Final = 2
WORTH_A_PROCESS: Final = 50_000
"""Below so many events the work is done before a second process has started."""
EVENTS_AT_ONCE: Final = 100_000
_COUNT: Final = 0
_RESULT: Final = 1
_FAILURE: Final = 2

Tell = Callable[[int], None]
"""Is told how many events have been gone over."""


@dataclass(slots=True)
class Recomputed:
    """What an engine found over all stretches."""

    bad: int | None = None
    begins: dict[str, int] = field(default_factory=dict[str, int])
    """Stream -> its first revision; the one before it must be in the log before the first stretch."""
    broken: tuple[str, int] | None = None
    """A stream and its revision that does not follow the one before, in the stretch before."""


def by_python(dsn: str, role: str, stretches: Sequence[Stretch], tell: Tell) -> Recomputed:
    """Recompute the chain in this language, in a process for each stretch.

    Raises:
        LedgerError: the log could not be read to the end.
    """
    try:
        if len(stretches) == 1:
            scans = [scan(dsn, role, stretches[0], tell)]
        else:
            scans = _in_processes(dsn, role, stretches, tell)
    except psycopg.Error as error:
        raise translated(error) from error
    return _joined(scans)


def _joined(scans: Sequence[Scan]) -> Recomputed:
    """Put the stretches together: a stream must go on in one where it stood in those before."""
    outcome = Recomputed()
    stands: dict[bytes, int] = {}
    for result in scans:
        for stream, revision in result.begins.items():
            name = stream.decode(errors="replace")
            if stream not in stands:
                outcome.begins[name] = revision
            elif revision != stands[stream] + 1 and outcome.broken is None:
                outcome.broken = (name, revision)
        stands.update(result.ends)
        if result.bad is not None:
            outcome.bad = result.bad
            break  # what comes after it has nothing to stand on
        if outcome.broken is not None:
            break
    return outcome


def _in_processes(dsn: str, role: str, stretches: Sequence[Stretch], tell: Tell) -> list[Scan]:
    # A fork starts at once; with other threads about, only a fresh interpreter is safe.
    alone = threading.active_count() == 1 and "fork" in multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("fork" if alone else "spawn")
    ends: dict[Connection, int] = {}
    processes: list[Any] = []
    for number, stretch in enumerate(stretches):
        mine, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(theirs, dsn, role, stretch), daemon=True)
        process.start()
        theirs.close()
        ends[mine] = number
        processes.append(process)
    try:
        return _collected(ends, len(stretches), tell)
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _collected(ends: dict[Connection, int], count: int, tell: Tell) -> list[Scan]:
    """Gather counts and results until every stretch is done, or one before all that are not is bad."""
    counts = [0] * count
    results: dict[int, Scan] = {}
    while ends:
        for end in [end for end in wait(list(ends)) if isinstance(end, Connection)]:
            number = ends[end]
            try:
                kind, content = end.recv()
            except EOFError:
                raise LedgerUnreachable(
                    "A process of the verification was killed.", hint="Run: rollout verify"
                ) from None
            if kind == _FAILURE:
                raise content
            if kind == _COUNT:
                counts[number] = content
                tell(sum(counts))
                continue
            results[number] = content
            del ends[end]
        done = [results[number] for number in range(count) if number in results]
        if any(result.bad is not None for result in done) and len(done) == max(results) + 1:
            break
    return [results[number] for number in sorted(results)]


def _work(end: Connection, dsn: str, role: str, stretch: Stretch) -> None:
    try:
        result = scan(dsn, role, stretch, lambda count: end.send((_COUNT, count)))
    except psycopg.Error as error:
        end.send((_FAILURE, translated(error)))
    except LedgerError as error:
        end.send((_FAILURE, error))
    else:
        end.send((_RESULT, result))


def by_database(dsn: str, role: str, stretches: Sequence[Stretch], tell: Tell) -> Recomputed:
    """Recompute the chain by ledger.first_bad_position, over a connection for each stretch.

    Raises:
        LedgerError: the log could not be read to the end.
    """
    counts = [0] * len(stretches)
    telling = threading.Lock()

    def work(number: int) -> int | None:
        stretch = stretches[number]
        before = stretch.before
        with closing(open_connection(dsn, role=role)) as connection:
            for first in range(stretch.first, stretch.last + 1, EVENTS_AT_ONCE):
                last = min(first + EVENTS_AT_ONCE - 1, stretch.last)
                query = "SELECT position FROM ledger.first_bad_position(%s, %s, %s)"
                bad = connection.execute(query, [first, last, before]).fetchone()
                if bad is not None:
                    return int(bad[0])
                row = connection.execute(
                    "SELECT chain FROM ledger.event WHERE position = %s", [last]
                ).fetchone()
                if row is None:
                    end = "SELECT coalesce(max(position), %s) + 1 FROM ledger.event WHERE position < %s"
                    beyond = connection.execute(end, [first - 1, last]).fetchone()
                    return int(beyond[0]) if beyond else first
                before = bytes(row[0])
                with telling:
                    counts[number] += last - first + 1
                    tell(sum(counts))
        return None

    try:
        with ThreadPoolExecutor(len(stretches)) as pool:
            bads = list(pool.map(work, range(len(stretches))))
    except psycopg.Error as error:
        raise translated(error) from error
    return Recomputed(bad=next((bad for bad in bads if bad is not None), None))
