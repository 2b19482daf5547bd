"""Checks that ask others: HTTP endpoints and PostgreSQL, real ones."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from tests.support.admin_server import Handler, break_off, drip, hang, running_system, says
from tests.support.fakes import START
from tests.support.preflight import find

PASSWORD = "hunter2-Secret"


@pytest.mark.parametrize(
    ("more", "result"),
    [
        ("", "PASS"),
        ("max_latency_ms: 5000", "PASS"),
        ("max_latency_ms: 0.0001", "FAIL"),
        ("max_latency_ms: 5000, warn_latency_ms: 0.0001", "WARN"),
        ("expect_json: {code: '0', data.ok: true, 'list[1]': 2}", "PASS"),
        ("expect_json: {code: 0}", "FAIL"),
        ("expect_json: {absent: null}", "FAIL"),
        ("status: 404", "FAIL"),
    ],
)
def test_an_endpoint_is_held_against_all_that_is_expected(
    tmp_path: Path, more: str, result: str
) -> None:
    with running_system() as system:
        system.on_get = says(200, b'{"code": "0", "data": {"ok": true}, "list": [1, 2]}')
        found = find(
            tmp_path, f"kind: http, url: '{system.url}/time'" + (f", {more}" if more else "")
        )
    assert found.result == result
    assert found.measured.startswith("status 200")
    assert found.threshold.startswith("status ")


def test_another_status_is_told_and_a_redirect_is_not_followed(tmp_path: Path) -> None:
    """A page to log in on is not the endpoint that was meant."""
    with running_system() as system:
        system.on_get = says(302, b"", Location=f"{system.url}/login")
        moved = find(tmp_path, f"kind: http, url: '{system.url}'")
        expected = find(tmp_path, f"kind: http, url: '{system.url}', status: 302")
        system.on_get = says(503, b"not JSON")
        down = find(tmp_path, f"kind: http, url: '{system.url}', expect_json: {{code: 1}}")
    assert (moved.result, moved.measured, moved.threshold) == ("FAIL", "status 302", "status 200")
    assert expected.result == "PASS"
    assert (down.result, down.measured) == ("FAIL", "status 503; the answer is not JSON")


def test_nobody_there_and_a_broken_answer_fail(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    refused = find(tmp_path, f"kind: http, url: 'http://127.0.0.1:{port}'")
    assert (refused.result, refused.measured) == ("FAIL", "no answer: connection refused")
    assert refused.threshold == "status 200"
    with running_system() as system:
        system.on_get = break_off
        broken = find(tmp_path, f"kind: http, url: '{system.url}'")
    assert (broken.result, broken.measured.startswith("no answer: ")) == ("FAIL", True)


@pytest.mark.parametrize("manner", [hang, drip])
def test_an_endpoint_that_hangs_or_drips_is_an_error(tmp_path: Path, manner: object) -> None:
    """I8: no answer is no pass, however long the pauses between two bytes are."""
    with running_system() as system:
        system.on_get = manner  # pyright: ignore[reportAttributeAccessIssue] -- a manner
        found = find(tmp_path, f"kind: http, url: '{system.url}', timeout: 200ms")
    assert (found.result, found.detail) == ("ERROR", "no answer within 200ms")


def test_a_secret_that_an_endpoint_tells_is_not_shown(tmp_path: Path) -> None:
    """I6: what an answer holds is nobody's to record."""
    with running_system() as system:
        system.on_get = says(200, b'{"api_secret": "%s"}' % PASSWORD.encode())
        item = f"kind: http, url: '{system.url}', expect_json: {{api_secret: other}}"
        found = find(tmp_path, item)
    assert (found.result, found.measured) == ("FAIL", "status 200; api_secret = ***")


@pytest.mark.parametrize(
    ("type_", "value", "age", "result"),
    [
        ("timestamptz", START - timedelta(seconds=4), "4s old", "WARN"),
        ("timestamptz", START - timedelta(seconds=2), "2s old", "PASS"),
        ("timestamp", (START - timedelta(seconds=5)).replace(tzinfo=None), "5s old", "WARN"),
        ("timestamptz", START - timedelta(seconds=6), "6s old", "FAIL"),
        ("timestamptz", START + timedelta(hours=3), "3h in the future", "FAIL"),
        ("timestamptz", START + timedelta(seconds=1), "1s in the future", "PASS"),
        ("bigint", int(START.timestamp()) - 1, "1s old", "PASS"),
        ("bigint", int(START.timestamp() * 1000) - 1500, "2s old", "PASS"),
        ("bigint", int(START.timestamp() * 10**6) - 9 * 10**6, "9s old", "FAIL"),
        ("numeric", f"{START.timestamp() - 0.25:.2f}", "250ms old", "PASS"),
        ("text", "2025-11-20T02:59:59Z", "1s old", "PASS"),
        ("text", "yesterday", "", "ERROR"),
    ],
)
def test_the_newest_row_is_as_old_as_it_is(
    tmp_path: Path, embedded_dsn: str, type_: str, value: object, age: str, result: str
) -> None:
    """Times with a zone and without, and numbers in four units."""
    with psycopg.connect(embedded_dsn, autocommit=True) as connection:
        connection.execute('CREATE SCHEMA "Market"')
        connection.execute(f'CREATE TABLE "Market"."my trades" ("at" {type_})'.encode())
        connection.execute('INSERT INTO "Market"."my trades" VALUES (%s)', [value])
    found = find(
        tmp_path,
        "kind: sql_freshness, dsn: '${DATABASE_URL}', table: Market.my trades, column: at, "
        "max_age: 5s, warn_age: 3s",
        environment={"DATABASE_URL": embedded_dsn},
    )
    assert (found.result, found.measured) == (result, age), found.detail


def test_an_empty_table_is_no_pass(tmp_path: Path, embedded_dsn: str) -> None:
    """I8."""
    with psycopg.connect(embedded_dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE trades (at timestamptz)")
    found = find(tmp_path, TRADES, environment={"DATABASE_URL": embedded_dsn})
    assert (found.result, found.measured, found.threshold) == ("FAIL", "no row", "at most 5s old")


def test_names_are_quoted_and_nothing_is_written(tmp_path: Path, embedded_dsn: str) -> None:
    """A plan is no way to run SQL, and a view that writes can't."""
    with psycopg.connect(embedded_dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE trades (at timestamptz)")
        connection.execute(
            "CREATE FUNCTION sly() RETURNS timestamptz LANGUAGE sql AS"
            " 'INSERT INTO trades VALUES (now()) RETURNING at'"
        )
        connection.execute("CREATE VIEW sly_view AS SELECT sly() AS at")
        given = {"DATABASE_URL": embedded_dsn}
        item = TRADES.replace("column: at", 'column: "at) FROM trades; DROP TABLE trades; --"')
        injected = find(tmp_path, item, environment=given)
        written = find(tmp_path, TRADES.replace("trades", "sly_view"), environment=given)
        count = connection.execute("SELECT count(*) FROM trades").fetchone()
    assert (injected.result, "does not exist" in injected.detail) == ("ERROR", True)
    assert (written.result, "read-only" in written.detail) == ("ERROR", True)
    assert count == (0,)


def test_a_database_that_hangs_is_an_error(tmp_path: Path, embedded_dsn: str) -> None:
    with psycopg.connect(embedded_dsn) as connection:
        connection.execute("CREATE TABLE trades (at timestamptz)")
        connection.commit()
        connection.execute("LOCK TABLE trades")
        item = f"{TRADES}, timeout: 200ms"
        found = find(tmp_path, item, environment={"DATABASE_URL": embedded_dsn})
    assert (found.result, found.detail) == ("ERROR", "no answer within 200ms")


def test_a_database_that_is_not_there_is_an_error_without_its_password(tmp_path: Path) -> None:
    """I6: what the driver says is cleaned of the DSN."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    dsn = f"postgresql+psycopg2://bot:{PASSWORD}@127.0.0.1:{port}/market"
    found = find(tmp_path, TRADES, environment={"DATABASE_URL": dsn})
    assert (found.result, found.detail.startswith("PostgreSQL: ")) == ("ERROR", True)
    assert PASSWORD not in repr(found)
    unset = find(tmp_path, TRADES, environment={})
    assert (unset.result, unset.detail) == (
        "ERROR",
        "the environment variable DATABASE_URL is not set",
    )


def hidden(handler: Handler) -> None:
    """Answer only what asks for JSON, as an API does."""
    handler.answer(200 if "json" in handler.headers["Accept"] else 406, b"{}")


def test_a_check_asks_for_json(tmp_path: Path) -> None:
    with running_system() as system:
        system.on_get = hidden
        assert find(tmp_path, f"kind: http, url: '{system.url}'").result == "PASS"


def test_a_proxy_does_not_stand_between_us_and_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.getsockname()[1]}")
    with running_system() as system:
        system.on_get = says(200)
        assert find(tmp_path, f"kind: http, url: '{system.url}'").result == "PASS"
    away = find(tmp_path, "kind: http, url: 'http://exchange.invalid/time'")
    assert (away.result, away.measured) == ("FAIL", "no answer: connection refused")


TRADES = "kind: sql_freshness, dsn: '${DATABASE_URL}', table: trades, column: at, max_age: 5s"
