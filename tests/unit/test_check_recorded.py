"""Checks of what the ledger knows: no evidence is not a pass (I8), and both sides of each bound."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ledger.clock import SystemClock
from ledger.domain.errors import LedgerUnreachable
from ledger.preflight.context import OpenAlert, SignOff
from ledger.preflight.runner import run_checks
from tests.support.fakes import START
from tests.support.preflight import checks, context_in, find

HERE = Path()
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
TREE = {"mode": "real", "limits": {"TRADE_SIZE": 2, "ratio": 1.0}, "api_secret": "secret:hmac-sha256:x",
        "big": {"$integer": "100000000000000000000"}, "symbols": ["BTCUSDT"]}  # fmt: skip


@pytest.mark.parametrize(
    "item",
    [
        "kind: config_key, keys: {mode: {equals: real}}",
        "kind: config_key, of: in_place, keys: {mode: {equals: real}}",
        "kind: alerts_open",
        "kind: sign_offs, roles: [dev-lead]",
        "kind: ledger",
        "kind: metric, metric: ece, bounds: {max: 0.1}",
    ],
)
def test_what_nobody_could_find_out_is_an_error(item: str) -> None:
    """I8: without the ledger there is no evidence."""
    assert find(HERE, item).result == "ERROR"


@pytest.mark.parametrize(
    ("keys", "result", "measured"),
    [
        ("mode: {equals: real}", "PASS", 'mode = "real"'),
        ("mode: {equals: mock}", "FAIL", 'mode = "real"'),
        ("mode: {one_of: [mock, real]}", "PASS", 'mode = "real"'),
        ("mode: {one_of: [mock, paused]}", "FAIL", 'mode = "real"'),
        ("mode: {}", "PASS", 'mode = "real"'),
        ("limits.TRADE_SIZE: {min: 1, max: 2}", "PASS", "limits.TRADE_SIZE = 2"),
        ("limits.TRADE_SIZE: {max: 5, warn_max: 1}", "WARN", "limits.TRADE_SIZE = 2"),
        ("limits.TRADE_SIZE: {equals: 2.0}", "PASS", "limits.TRADE_SIZE = 2"),
        ("limits.TRADE_SIZE: {equals: '2'}", "FAIL", "limits.TRADE_SIZE = 2"),
        ("limits.TRADE_SIZE: {equals: true}", "FAIL", "limits.TRADE_SIZE = 2"),
        ("mode: {max: 3}", "FAIL", 'mode = "real"'),
        ("big: {min: 1.0e+19}", "PASS", "big = 100000000000000000000"),
        ("absent: {max: 3}", "FAIL", "absent is not set"),
        ("absent: {max: 3, absent_ok: true}", "PASS", "absent is not set"),
        ("absent: {equals: null}", "FAIL", "absent is not set"),
        ("symbols: {}", "PASS", "symbols = a list of 1"),
        ("'symbols[0]': {equals: BTCUSDT}", "PASS", 'symbols[0] = "BTCUSDT"'),
        ("api_secret: {}", "PASS", "api_secret = ***"),
    ],
)
def test_keys_of_the_configuration(keys: str, result: str, measured: str) -> None:
    """A number is no text, true is no 1; what a secret's name holds is not shown."""
    for of, fact in (("in_force", "config_in_force"), ("in_place", "config_in_place")):
        item = f"kind: config_key, of: {of}, keys: {{{keys}}}"
        found = find(HERE, item, **{fact: TREE})
        assert (found.result, found.measured) == (result, measured)


@pytest.mark.parametrize(
    ("age", "result"), [(None, "FAIL"), (6, "PASS"), (24, "WARN"), (25, "FAIL"), (-48, "FAIL")]
)
def test_the_last_backup_was_verified_and_is_new(age: int | None, result: str) -> None:
    at = None if age is None else START - timedelta(hours=age)
    item = "kind: backup, max_age: 24h, warn_age: 12h"
    found = find(HERE, item, verified_backup_at=at)
    assert found.result == result
    assert found.threshold == "verified, at most 24h old, warn above 12h"


def _alert(severity: str) -> OpenAlert:
    return OpenAlert("WS_DISCONNECTED", severity, START - timedelta(minutes=20))


@pytest.mark.parametrize(
    ("severities", "item", "result", "measured"),
    [
        ([], "", "PASS", "none open"),
        (["warning"], "", "PASS", "1 warning open"),
        (["warning"], ", warn_of: warning", "WARN", "1 warning open"),
        (["warning"], ", none_of: warning", "FAIL", "1 warning open"),
        (["info"], ", none_of: warning", "PASS", "1 info open"),
        (["info"], ", none_of: info", "FAIL", "1 info open"),
        (["critical", "info", "critical"], "", "FAIL", "2 critical, 1 info open"),
        (["P7"], "", "FAIL", "1 P7 open"),
    ],
)
def test_open_alerts(severities: list[str], item: str, result: str, measured: str) -> None:
    """A severity that nobody knows counts as the worst."""
    alerts = tuple(map(_alert, severities))
    found = find(HERE, f"kind: alerts_open{item}", open_alerts=alerts)
    assert (found.result, found.measured) == (result, measured)
    assert found.detail.count("WS_DISCONNECTED") == len(severities)


@pytest.mark.parametrize(
    ("facts", "result", "measured"),
    [
        ({}, "FAIL", "never observed"),
        ({"observed_since": 8 * MINUTE}, "FAIL", "no critical in the 8m it is observed"),
        ({"observed_since": 7 * DAY}, "PASS", "no critical in the 7d it is observed"),
        ({"observed_since": 9 * DAY, "last_critical_at": 3 * DAY}, "FAIL", "last critical 3d ago"),
        ({"observed_since": 9 * DAY, "last_critical_at": 8 * DAY}, "PASS", "last critical 8d ago"),
        (
            {"observed_since": 8 * DAY, "last_critical_at": 9 * DAY},
            "PASS",
            "no critical in the 8d it is observed",
        ),
    ],
)
def test_seven_days_without_a_critical_alert_are_seven_days_of_watching(
    facts: dict[str, timedelta], result: str, measured: str
) -> None:
    """I8: eight minutes of silence are no week of it."""
    known: dict[str, Any] = {name: START - ago for name, ago in facts.items()}
    found = find(HERE, "kind: alerts_open, no_critical_for: 7d", open_alerts=(), **known)
    assert (found.result, found.measured) == (result, f"none open; {measured}")


def test_a_critical_alert_that_is_open_ends_the_silence() -> None:
    found = find(
        HERE,
        "kind: alerts_open, no_critical_for: 7d",
        open_alerts=(_alert("critical"),),
        observed_since=START - 30 * DAY,
    )
    assert (found.result, found.measured) == ("FAIL", "1 critical open; critical now")


def test_each_role_has_signed_not_too_long_ago() -> None:
    """The three sign-offs of a go-live, each with who and when."""
    signed = (
        SignOff("dev-lead", "ann", START - 2 * DAY),
        SignOff("dev-lead", "ann", START - 40 * DAY),
        SignOff("test-lead", "bob", START - 40 * DAY),
    )
    item = "kind: sign_offs, roles: [dev-lead, test-lead, ops-lead], max_age: 30d"
    found = find(HERE, item, sign_offs=signed)
    assert found.result == "FAIL"
    assert found.measured == (
        "dev-lead: ann on 2025-11-18 03:00Z; test-lead: bob on 2025-10-11 03:00Z; ops-lead: nobody"
    )
    assert found.detail.count("FAIL") == 2
    assert find(HERE, "kind: sign_offs, roles: [dev-lead]", sign_offs=signed).result == "PASS"


def test_the_ledger_answers_or_says_why_not() -> None:
    found = find(HERE, "kind: ledger", ledger_head=lambda: 1234)
    assert (found.result, found.measured) == ("PASS", "position 1234")

    def away() -> int:
        raise LedgerUnreachable("Postgres can't be reached: refused")

    lost = find(HERE, "kind: ledger", ledger_head=away)
    assert (lost.result, lost.detail) == ("ERROR", "Postgres can't be reached: refused")


@pytest.mark.parametrize(
    ("value", "age", "result", "measured"),
    [
        ("0.05", 60, "PASS", "0.05; 1m old"),
        ("0.10", 60, "WARN", "0.1; 1m old"),
        ("0.1000001", 60, "FAIL", "0.1000001; 1m old"),
        ("0.05", 301, "FAIL", "0.05; 5m1s old"),
        ("NaN", 60, "FAIL", "NaN is no number"),
        ("Infinity", 60, "FAIL", "Infinity is no number"),
        (None, 0, "FAIL", "no value recorded"),
    ],
)
def test_the_newest_value_of_a_metric(
    value: str | None, age: int, result: str, measured: str
) -> None:
    """I8: a value that is old, or none at all, is no evidence."""
    asked: list[tuple[str, dict[str, str]]] = []

    def newest(name: str, labels: Any) -> tuple[Decimal, Any] | None:
        asked.append((name, dict(labels)))
        return None if value is None else (Decimal(value), START - timedelta(seconds=age))

    item = "kind: metric, metric: ece, labels: {slice: tokyo}, bounds: {max: 0.1, warn_max: 0.08}"
    found = find(HERE, item, newest_metric=newest)
    assert (found.result, found.measured) == (result, measured)
    assert found.threshold == "at most 0.1, warn above 0.08; at most 5m old"
    assert asked == [("ece", {"slice": "tokyo"})]


def test_the_ledger_is_asked_by_one_check_at_a_time() -> None:
    """One connection serves all checks, which run side by side."""
    inside = threading.Lock()

    def newest(_name: str, _labels: Any) -> tuple[Decimal, Any] | None:
        assert inside.acquire(blocking=False)
        try:
            SystemClock().sleep(0.01)
        finally:
            inside.release()
        return Decimal(1), START

    six = checks(*(f"name: m{i}, kind: metric, metric: m, bounds: {{min: 1}}" for i in range(6)))
    found = run_checks(six, context_in(HERE, newest_metric=newest))
    assert {finding.result for finding in found} == {"PASS"}
