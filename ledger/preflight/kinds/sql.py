"""How old the newest row of a table is, by a read-only question to PostgreSQL."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any, Final

import psycopg
from psycopg import sql

from ledger.domain.values.moments import moment_of
from ledger.preflight.context import CheckContext
from ledger.preflight.fields import seconds_of
from ledger.preflight.finding import CheckError, Outcome, Result
from ledger.preflight.judging import age_limit_text, age_text, judged_age
from ledger.preflight.specs import SqlFreshness
from ledger.store.dsn import scrub

# SQLAlchemy names its driver in the URL, and libpq knows none.
_DRIVER: Final = re.compile(r"^(postgres(?:ql)?)\+\w+://")


def sql_freshness(check: SqlFreshness, context: CheckContext) -> Outcome:
    """Compare the largest value of the column with the clock."""
    variable = check.dsn[2:-1]
    dsn = context.environment.get(variable, "").strip()
    if not dsn:
        raise CheckError(f"the environment variable {variable} is not set")
    newest = _newest(check, _DRIVER.sub(r"\1://", dsn))
    threshold = age_limit_text(check.max_age, check.warn_age)
    if newest is None:
        return Outcome(Result.FAIL, "no row", threshold)
    age = context.clock.now() - _moment(newest, check)
    return Outcome(judged_age(age, check.max_age, check.warn_age), age_text(age), threshold)


def _newest(check: SqlFreshness, dsn: str) -> Any:
    patience = seconds_of(check.timeout)
    table = sql.Identifier(*check.table.split("."))
    query = sql.SQL("SELECT max({}) FROM {}").format(sql.Identifier(check.column), table)
    try:
        with psycopg.connect(
            dsn, connect_timeout=int(patience) + 1, application_name="rollout preflight"
        ) as connection:
            connection.read_only = True
            # A little more than the check has, so that it is the check that tells the time-out.
            limit = str(int(1000 * patience) + 1000)
            for setting in ("statement_timeout", "lock_timeout"):
                _ = connection.execute("SELECT set_config(%s, %s, true)", [setting, limit])
            row = connection.execute(query).fetchone()
    except psycopg.Error as error:
        lines = scrub(str(error), dsn).strip().splitlines()
        raise CheckError(f"PostgreSQL: {lines[0] if lines else type(error).__name__}") from None
    return None if row is None else row[0]


def _moment(value: Any, check: SqlFreshness) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    try:
        return moment_of(value)
    except ValueError:
        raise CheckError(
            f"{check.table}.{check.column} holds no time: give a timestamp, or a number since 1970"
        ) from None
