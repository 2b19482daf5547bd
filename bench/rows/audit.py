"""Audit questions over the whole log, asked of the DuckDB replica and of PostgreSQL.

The same questions with the same answers, which is checked. PostgreSQL is asked about the log as it keeps
it; and, for whoever would keep a second copy to be asked, about one with bodies as jsonb and indexes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from statistics import median
from time import perf_counter
from typing import Any, Final, LiteralString, cast

import psycopg

from bench.context import Bench
from bench.measure import Bar, Row, geometric_mean, in_turns
from projections.audit.ask import Questioner
from projections.audit.replica import replica_path
from projections.audit.shut_in import open_for_reading
from projections.audit.sync import sync

LOG: Final = "the log in PostgreSQL"
INDEXED: Final = "a copy of it as jsonb, indexed"
LOGS: Final[Mapping[str, str]] = {
    LOG: "ledger.event CROSS JOIN LATERAL "  # OFFSET 0: each body is parsed once, where it is needed
    "(SELECT convert_from(ledger.event.body, 'UTF8')::jsonb AS doc OFFSET 0) AS parsed",
    INDEXED: "public.log",
}
COPY: Final = """
    CREATE TABLE public.log AS
        SELECT position, stream, type, occurred_at, convert_from(body, 'UTF8')::jsonb AS doc
            FROM ledger.event;
    ALTER TABLE public.log ADD PRIMARY KEY (position);
    CREATE INDEX ON public.log (type);
    CREATE INDEX ON public.log (stream);
    VACUUM ANALYZE public.log"""
# question -> (of the replica, of PostgreSQL)
QUESTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "changes per key and actor": (
        "SELECT key, actor, count(*) FROM config_changes GROUP BY ALL",
        """SELECT c ->> 'key', doc -> 'actor' ->> 'name', count(*)
            FROM {log}, jsonb_array_elements(doc -> 'data' -> 'changes') AS c
            WHERE type = 'ConfigApplied' GROUP BY 1, 2""",
    ),
    "seconds in each mode per system": (
        """SELECT system, mode, round(sum(seconds)) FROM mode_intervals
            WHERE until IS NOT NULL GROUP BY ALL""",
        """SELECT system, mode, round(sum(extract(epoch FROM until - since))) FROM (
                SELECT doc ->> 'system' AS system, doc -> 'data' ->> 'to_mode' AS mode, occurred_at AS since,
                       lead(occurred_at) OVER (PARTITION BY doc ->> 'system' ORDER BY position) AS until
                    FROM {log} WHERE type = 'ModeSwitched') AS interval
            WHERE until IS NOT NULL GROUP BY 1, 2""",
    ),
    "alerts per severity per day": (
        "SELECT severity, date_trunc('day', fired_at)::DATE, count(*) FROM alerts GROUP BY ALL",
        """SELECT doc -> 'data' ->> 'severity', occurred_at::date, count(*)
            FROM {log} WHERE type = 'AlertFired' GROUP BY 1, 2""",
    ),
    "average of each metric per system": (
        "SELECT system, metric, round(avg(value), 6) FROM metrics GROUP BY ALL",
        """SELECT doc ->> 'system', s ->> 'metric', round(avg((s ->> 'value')::float8)::numeric, 6)
            FROM {log}, jsonb_array_elements(doc -> 'data' -> 'samples') AS s
            WHERE type = 'MetricsRecorded' GROUP BY 1, 2""",
    ),
    "who did what how often": (
        "SELECT actor, type, count(*) FROM events GROUP BY ALL",
        """SELECT doc -> 'actor' ->> 'name', type, count(*)
            FROM {log} GROUP BY 1, 2""",
    ),
    "one key of one system, every change": (
        """SELECT occurred_at, old, new, actor, reason FROM config_changes
            WHERE system = 'bot-042' AND key = 'risk.max' ORDER BY position""",
        """SELECT occurred_at AT TIME ZONE 'UTC', c ->> 'old', c ->> 'new', doc -> 'actor' ->> 'name',
                doc ->> 'reason'
            FROM {log}, jsonb_array_elements(doc -> 'data' -> 'changes') AS c
            WHERE stream = 'system:bot-042' AND type = 'ConfigApplied' AND c ->> 'key' = 'risk.max'
            ORDER BY position""",
    ),
}  # fmt: skip


def measure(bench: Bench) -> Iterator[Row]:
    """Ask every question of all, in turns, in warm connections; take the ratios' geometric mean."""
    home = bench.server.folder / "audit"
    home.mkdir()
    sync(bench.log, home)
    connection = bench.closing(psycopg.connect(bench.log, autocommit=True))
    for statement in COPY.split(";"):
        connection.execute(statement)
    replica = bench.cleanup.enter_context(open_for_reading(replica_path(home)))
    questioner = Questioner(replica, timeout_seconds=600)
    figures: dict[str, dict[str, list[float]]] = {}
    for question, (for_replica, for_postgres) in QUESTIONS.items():
        (statement,) = questioner.statements(for_replica)
        ask: dict[str, Callable[[], Iterable[tuple[Any, ...]]]] = {
            "ours": lambda s=statement: list(questioner.ask(s).rows)
        }
        for name, log in LOGS.items():
            query = cast("LiteralString", for_postgres.format(log=log))
            ask[name] = lambda q=query: connection.execute(q).fetchall()
        answers = {name: _plain(run()) for name, run in ask.items()}
        if not answers["ours"] or any(answer != answers["ours"] for answer in answers.values()):
            raise RuntimeError(f"{question}: not the same answer: {answers}")
        contenders = {name: _timed(run) for name, run in ask.items()}
        figures[question] = in_turns(contenders, bench.size(9, 3), warm_up=False)
    with connection.transaction():
        connection.execute("DROP TABLE public.log")
    yield _row(bench, figures)


def _row(bench: Bench, figures: Mapping[str, Mapping[str, Sequence[float]]]) -> Row:
    times = {
        name: {question: median(found[name]) for question, found in figures.items()}
        for name in ("ours", *LOGS)
    }
    ratios = {
        name: geometric_mean(
            [
                median([t / o for o, t in zip(found["ours"], found[name], strict=True)])
                for found in figures.values()
            ]
        )
        for name in LOGS
    }
    said = [
        f"{question} {times[LOG][question] / ours:.1f} × ({ours:.0f} ms)"
        for question, ours in times["ours"].items()
    ]
    return Row(
        f"audit SQL, {bench.events:,} events", Bar(10), "ms",
        geometric_mean(list(times["ours"].values())), LOG, geometric_mean(list(times[LOG].values())),
        ratios[LOG],
        note=f"geometric means of {len(figures)} questions: {', '.join(said)}. "
        f"Of {INDEXED}: {ratios[INDEXED]:.1f} ×",
        samples={
            f"{question}: {name}": values
            for question, found in figures.items()
            for name, values in found.items()
        },
    )  # fmt: skip


def _timed(work: Callable[[], object]) -> Callable[[], float]:
    def run() -> float:
        began = perf_counter()
        work()
        return (perf_counter() - began) * 1000

    return run


def _plain(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return rows in one order, without the difference between PostgreSQL's exact numbers and floats."""
    plain = (
        tuple(round(float(v), 3) if isinstance(v, float | Decimal) else v for v in row)
        for row in rows
    )
    return sorted(plain, key=repr)
