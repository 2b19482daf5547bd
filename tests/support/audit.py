"""A replica to look into, and a log that holds a little of everything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from ledger.domain.log.envelope import NewEvent
from ledger.domain.log.ids import orders_stream
from projections.audit import replica, shut_in, verify
from projections.audit.ask import Parameters, Questioner
from tests.support.builders import NOON
from tests.support.histories import FINGERPRINTS, happened, metrics

BLUE, GREEN, RED = FINGERPRINTS
ANN = {"id": "ann@desk", "name": "ann", "kind": "human"}
RULE = {"id": "platt_ece", "name": "platt_ece", "kind": "rule"}
COLUMNS = (
    "format, position, revision, schema_version, event_id, occurred_at, recorded_at, body_hash, stream, "
    "type, chain, body"
)
OPERATION = "0190ffff-0000-7000-8000-00000000000"


@contextmanager
def asking(home: Path, *, timeout_seconds: float = 30) -> Iterator[Questioner]:
    """Yield somebody who asks the replica in ``home``."""
    with shut_in.open_for_reading(replica.replica_path(home)) as connection:
        yield Questioner(connection, timeout_seconds=timeout_seconds)


def ask(home: Path, text: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
    """Return the rows of one question."""
    with asking(home) as asked:
        (statement,) = asked.statements(text)
        return list(asked.ask(statement, parameters).rows)


def records(home: Path, text: str, parameters: Parameters | None = None) -> list[dict[str, Any]]:
    """Return the rows of one question, by column."""
    with asking(home) as asked:
        (statement,) = asked.statements(text)
        answer = asked.ask(statement, parameters)
        return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


@contextmanager
def tampering(dsn: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """Yield the connection of a superuser who takes the triggers away, which no right can prevent."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ALTER TABLE ledger.event DISABLE TRIGGER ALL")
        yield connection


def minutes(count: float) -> datetime:
    """Return a time that many minutes after noon."""
    return NOON + timedelta(minutes=count)


def a_day() -> list[NewEvent]:
    """Return what happened to a bot on one day, and a little of another's."""

    def bot(type_: str, at: float, **data: Any) -> NewEvent:
        envelope: dict[str, Any] = {"actor": ANN, **data.pop("envelope", {})}
        return happened("bot", type_, data, at=minutes(at), **envelope)

    def changed(at: float, to: str, previous: str, old: str, new: str, cause: str) -> NewEvent:
        changes = [{"key": "risk.max", "old": old, "new": new}]
        if cause == "apply" and to == BLUE:
            changes = [{"key": "risk.max", "new": new}, {"key": "venue", "new": '"poly"'}]
        return bot(
            "ConfigApplied", at, fingerprint=to, snapshot="1" * 64, previous=previous, cause=cause,
            changes=changes, envelope={"reason": f"to {new}"},
        )  # fmt: skip

    def operation(number: int, **more: Any) -> dict[str, Any]:
        return {"operation": f"{OPERATION}{number}", **more}

    return [
        bot("SystemRegistered", 0, environment="production", description="", actuators={}),
        bot("ModeSwitched", 1, from_mode="paused", to_mode="mock", carried_by="control_file", took_ms=7),
        bot("ConfigRegistered", 1, fingerprint=BLUE, snapshot="1" * 64, files=[]),
        changed(2, BLUE, GREEN, "", "0.5", "apply"),
        bot("FingerprintMarkedStable", 2, fingerprint=BLUE),
        bot("FingerprintTagged", 2, fingerprint=BLUE, tag="v1"),
        bot(
            "ModeSwitched", 10, from_mode="mock", to_mode="real", carried_by="http_admin", took_ms=9,
            envelope={"reason": "go live"},
        ),
        metrics("bot", minutes(15), latency="10", fills="1.5"),
        changed(20, RED, BLUE, "0.5", "5", "apply"),
        metrics("bot", minutes(25), latency="90", fills="NaN"),
        bot("AlertFired", 26, alert="latency", severity="critical", message="p95 over 50", labels={"a": "b"}),
        bot("IncidentOpened", 26, incident="INC-1", title="slow fills", severity="critical", alert="latency"),
        bot("AlertAcknowledged", 28, alert="latency", envelope={"actor": RULE}),
        bot(
            "RollbackRequested", 30, from_fingerprint=RED, to_fingerprint=BLUE, snapshot="1" * 64,
            selector="--last-stable", files=[], envelope=operation(1, reason="latency"),
        ),
        bot(
            "RollbackStepCompleted", 30, step=1, name="c", path="/srv/c", outcome="written",
            envelope=operation(1),
        ),
        changed(30.5, BLUE, RED, "5", "0.5", "rollback"),
        bot(
            "RollbackCompleted", 30.5, from_fingerprint=RED, to_fingerprint=BLUE, envelope=operation(1)
        ),
        bot("AlertResolved", 33, alert="latency", how="condition_cleared", envelope={"actor": RULE}),
        bot("IncidentMitigated", 31, incident="INC-1", action="rolled back"),
        bot("IncidentResolved", 40, incident="INC-1", resolution="the new limit was wrong"),
        bot("AlertFired", 50, alert="latency", severity="critical", message="again"),
        bot(
            "RollbackRequested", 55, from_fingerprint=BLUE, to_fingerprint=GREEN, snapshot="1" * 64,
            selector="#3", files=[], envelope=operation(2),
        ),
        # Paused at 12:45 while Postgres was down; recorded after what followed.
        bot("ModeSwitched", 60, from_mode="paused", to_mode="mock", carried_by="control_file"),
        bot(
            "ModeSwitched", 45, from_mode="real", to_mode="paused", to_kind="halt", carried_by="control_file",
            envelope={"spooled": True, "reason": "no ledger"},
        ),
        bot("DriftDetected", 61, subject="mode", expected="mock", found="real"),
        happened(
            "bot", "OrderActivityRecorded",
            {"kind": "order_intent", "fields": {"market": '"m1"', "size": "12.50"}},
            at=minutes(16), stream=orders_stream("bot"),
        ),
        happened("other", "ModeSwitched", {"from_mode": "mock", "to_mode": "paused"}, at=minutes(3)),
    ]  # fmt: skip


def of_the_log(dsn: str) -> list[tuple[Any, ...]]:
    """Return the log's rows as Postgres has them, times in UTC and naive."""
    with psycopg.connect(dsn, options="-c TimeZone=UTC") as connection:
        query = sql.SQL("SELECT {} FROM ledger.event ORDER BY position").format(sql.SQL(COLUMNS))
        rows = connection.execute(query, binary=True).fetchall()
    return [
        tuple(value.replace(tzinfo=None) if isinstance(value, datetime) else value for value in row)
        for row in rows
    ]


def of_the_replica(home: Path) -> list[tuple[Any, ...]]:
    """Return the same rows as the replica has them."""
    return ask(home, f"SELECT {COLUMNS} FROM log.event ORDER BY position")


def bad(home: Path, **arguments: Any) -> verify.BadPosition | None:
    """Return what the third verifier finds."""
    with shut_in.open_for_reading(replica.replica_path(home)) as connection:
        return verify.first_bad_position(connection, **arguments)
