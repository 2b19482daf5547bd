"""Opening connections: as the right role, in UTC, never waiting for ever, never telling a password."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from typing import Any, Final, TypeVar

import psycopg
from psycopg import Connection, errors as pg_errors
from psycopg.abc import PQGen

from ledger.domain.errors import LedgerUnreachable, RightMissing, SchemaMissing
from ledger.store.dsn import scrub

Result = TypeVar("Result")

WRITER: Final = "ledger_writer"
AUDITOR: Final = "ledger_auditor"
PROJECTOR: Final = "ledger_projector"
OWNER: Final = "ledger_owner"

# How times, bytes and numbers are written as text is no setting of a database or a login: the hash of a
# read model must not depend on where it was built, and not every form can be read back.
_TEXT: Final = (
    "-c TimeZone=UTC -c DateStyle=ISO,YMD -c IntervalStyle=postgres -c bytea_output=hex "
    "-c extra_float_digits=1"
)
# A writer stuck while it holds the append lock would block all others: nothing may wait without end.
# A machine that lost its power says no goodbye; its locks end when the server notices, within half a minute.
_PATIENT: Final = (
    f"{_TEXT} -c lock_timeout=10s -c statement_timeout=0 -c tcp_keepalives_idle=10 "
    "-c tcp_keepalives_interval=5 -c tcp_keepalives_count=4 "
    "-c idle_in_transaction_session_timeout=60s -c default_transaction_isolation=read\\ committed"
)
# A pause would rather act without the ledger than wait for one that hangs.
_HURRIED: Final = f"{_TEXT} -c lock_timeout=1s -c statement_timeout=3s"
_HURRIED_TIMEOUT_SECONDS: Final = 2
_HURRIED_LIFE_SECONDS: Final = 4.0


class NoAnswer(psycopg.OperationalError):
    """The server took a statement, and said nothing for too long: it hangs, or its disk does."""


class _Impatient(Connection[tuple[Any, ...]]):
    """A connection that is closed when the server does not answer a statement in time.

    A server that was stopped, or whose machine is gone, keeps none of the timeouts that it was given.
    """

    answer_seconds: float | None = None

    def wait(
        self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None
    ) -> Result:
        if timeout is not None or self.answer_seconds is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.answer_seconds)
        except pg_errors._WaitTimeout:  # type: ignore[reportPrivateUsage] -- it has no other name
            self.pgconn.finish()
            raise NoAnswer(f"it said nothing for {self.answer_seconds:g} seconds") from None


def open_connection(
    dsn: str,
    *,
    role: str | None = WRITER,
    timeout_seconds: int = 10,
    answer_seconds: float | None = None,
) -> Connection[tuple[Any, ...]]:
    """Open an autocommit connection to ``dsn`` that acts as ``role``, whatever login it came by.

    With a timeout of two seconds or less, statements and locks get little more than that too.
    ``answer_seconds`` is how long a statement may take (default: as long as it takes); then `NoAnswer` is
    raised, and the connection is closed.

    Raises:
        LedgerUnreachable: nobody answers, or the login is refused. The message holds no password.
        SchemaMissing: the database has no such role, so no ledger was ever made there.
    """
    settings = _HURRIED if timeout_seconds <= _HURRIED_TIMEOUT_SECONDS else _PATIENT
    options = settings if role is None else f"{settings} -c role={role}"
    try:
        connection = _Impatient.connect(
            dsn,
            autocommit=True,
            connect_timeout=timeout_seconds,
            options=options,
            client_encoding="utf8",
            application_name="rollout",
            keepalives_idle=10,
            tcp_user_timeout=timeout_seconds * 1000,
        )
    except psycopg.OperationalError as error:
        # libpq says what it tried, a line for each host, and adds advice on lines that are indented.
        lines = [
            line for line in scrub(str(error), dsn).splitlines() if line.strip() and line[0] != "\t"
        ]
        text = lines[0] if lines else type(error).__name__
        if role is not None and f'role "{role}" does not exist' in str(error):
            raise SchemaMissing(
                "This database holds no ledger yet.", hint="Run: rollout init"
            ) from None
        if role is not None and "permission denied to set role" in str(error):
            raise RightMissing(
                f"This login may not act as {role}.",
                hint=f"As an administrator: GRANT {role} TO <login>",
            ) from None
        raise LedgerUnreachable(
            f"Postgres can't be reached: {text}",
            hint="Check ROLLOUT_DSN, and that the server is up: rollout doctor",
        ) from None
    except psycopg.ProgrammingError as error:
        raise LedgerUnreachable(
            f"The DSN can't be read: {scrub(str(error), dsn).strip()}",
            hint="Give it as postgresql://user@host:5432/name or as host=… dbname=…",
        ) from None
    connection.answer_seconds = answer_seconds
    if settings is _HURRIED:
        _cut_after(connection, _HURRIED_LIFE_SECONDS)
    return connection


def _cut_after(connection: Connection[tuple[Any, ...]], seconds: float) -> None:
    """End ``connection`` after a while, whatever it waits for: a server that hangs keeps no timeout."""
    descriptor = os.dup(connection.fileno())

    def cut() -> None:
        with socket.socket(fileno=descriptor) as channel, suppress(OSError):
            channel.shutdown(socket.SHUT_RDWR)

    watchdog = threading.Timer(seconds, cut)
    watchdog.daemon = True
    watchdog.start()


def sqlalchemy_url() -> str:
    """Return ROLLOUT_DSN for Alembic's own command line, by way of a creator-less URL.

    Raises:
        LedgerUnreachable: ROLLOUT_DSN is not set, or not a URL.
    """
    dsn = os.environ.get("ROLLOUT_DSN", "")
    if "://" not in dsn:
        raise LedgerUnreachable("Set ROLLOUT_DSN to a postgresql:// URL to run alembic by hand.")
    return "postgresql+psycopg://" + dsn.split("://", 1)[1]
