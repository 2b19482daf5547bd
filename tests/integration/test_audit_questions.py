"""What the replica answers: the views and the saved questions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger.store.postgres import PostgresStore
from projections.audit.saved import all_saved
from projections.audit.sync import sync
from tests.support.audit import BLUE, GREEN, OPERATION, RED, a_day, minutes, records
from tests.support.postgres import PostgresServer

ROOT = Path(__file__).parents[2]
COUNT = len(a_day())
AWAY = "host=127.0.0.1 port=1 dbname=none user=none"


def at(count: float) -> object:
    return minutes(count).replace(tzinfo=None)


@pytest.fixture(scope="module")
def day(embedded_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home whose replica holds a day."""
    folder = tmp_path_factory.mktemp("home")
    with embedded_server.fresh_ledger() as dsn:
        store = PostgresStore(dsn)
        store.append(a_day())
        store.close()
        sync(dsn, folder)
    return folder


def only(row: dict[str, object], *names: str) -> tuple[object, ...]:
    return tuple(row[name] for name in names)


# --- the views ---


def test_events_say_who_when_what_why(day: Path) -> None:
    """I11: the actor, the channel and the reason are the event's own."""
    (row,) = records(day, "FROM events WHERE reason = 'go live'")
    assert only(row, "system", "type", "actor", "actor_kind", "actor_id", "channel") == (
        "bot", "ModeSwitched", "ann", "human", "ann@desk", "cli",
    )  # fmt: skip
    assert json.loads(str(row["data"]))["to_mode"] == "real"
    assert (row["stream"], row["occurred_at"]) == ("system:bot", at(10))


def test_config_changes_are_told_key_by_key(day: Path) -> None:
    """Job 1: down to one key; and a rollback's change is one like any other."""
    rows = records(day, "FROM config_changes WHERE key = 'risk.max' ORDER BY position")
    assert [
        only(row, "old", "new", "cause", "reason", "fingerprint", "previous") for row in rows
    ] == [
        (None, "0.5", "apply", "to 0.5", BLUE, GREEN),
        ("0.5", "5", "apply", "to 5", RED, BLUE),
        ("5", "0.5", "rollback", "to 0.5", BLUE, RED),
    ]


def test_mode_intervals_put_late_history_where_it_happened(day: Path) -> None:
    """I13: the pause that was spooled lies before the switch that was recorded first."""
    rows = records(day, "FROM mode_intervals WHERE system = 'bot' ORDER BY since")
    assert [only(row, "mode", "kind", "since", "until", "seconds") for row in rows] == [
        ("mock", None, at(1), at(10), 540.0),
        ("real", None, at(10), at(45), 2100.0),
        ("paused", "halt", at(45), at(60), 900.0),
        ("mock", None, at(60), None, None),
    ]


def test_alerts_are_episodes(day: Path) -> None:
    """An alert that fires again after it was resolved is another row."""
    first, second = records(day, "FROM alerts ORDER BY position")
    assert only(first, "status", "fired_at", "acknowledged_by", "resolved_at", "how", "seconds") == (
        "resolved", at(26), "platt_ece", at(33), "condition_cleared", 420.0,
    )  # fmt: skip
    assert only(second, "status", "message", "acknowledged_at", "resolved_at") == (
        "firing", "again", None, None,
    )  # fmt: skip


def test_rollbacks_go_from_intent_to_outcome(day: Path) -> None:
    """Job 2: who, from what, to what, how long, how it ended."""
    first, second = records(day, "FROM rollbacks ORDER BY position")
    assert only(first, "status", "from_fingerprint", "to_fingerprint", "actor", "seconds", "steps") == (
        "completed", RED, BLUE, "ann", 30.0, 1,
    )  # fmt: skip
    assert only(second, "status", "selector", "ended_at", "operation") == (
        "open", "#3", None, f"{OPERATION}2",
    )  # fmt: skip


def test_incidents_metrics_orders_and_the_rest(day: Path) -> None:
    """Each of them as plain columns."""
    (incident,) = records(day, "FROM incidents")
    assert only(incident, "status", "title", "seconds_to_mitigate", "notes") == (
        "resolved", "slow fills", 300.0, ["rolled back", "the new limit was wrong"],
    )  # fmt: skip
    measured = records(
        day, "SELECT metric, value FROM metrics WHERE isfinite(value) ORDER BY position, metric"
    )
    assert [tuple(row.values()) for row in measured] == [
        ("fills", 1.5),
        ("latency", 10),
        ("latency", 90),
    ]
    (order,) = records(
        day,
        "SELECT kind, field(fields, 'market') m, field(fields, 'size')::DECIMAL(9, 2) s FROM orders",
    )
    assert only(order, "kind", "m") == ("order_intent", "m1")
    assert str(order["s"]) == "12.50"
    (blue,) = records(day, "FROM fingerprints WHERE fingerprint = $it", {"it": BLUE})
    assert only(blue, "times_applied", "verdict", "tags") == (2, "stable", ["v1"])
    assert len(records(day, "FROM drifts")) == 1
    assert len(records(day, "FROM mode_switches")) == 5


# --- the saved questions ---


@pytest.mark.parametrize("name", [saved.id for saved in all_saved()])
def test_a_saved_question_is_answered(name: str, day: Path) -> None:
    """Each runs with nothing but what it needs, and says what it is for."""
    saved = next(each for each in all_saved() if each.id == name)
    given = {"system": "bot", "key": "risk.max"}
    needed = {each.name: given[each.name] for each in saved.parameters if each.required}
    records(day, saved.sql, saved.filled(needed))
    assert saved.title.endswith(("?", "why")) or saved.title[0].isupper()
    assert len(saved.why) > 20


def test_a_dozen_questions_are_saved() -> None:
    """With names that can be typed."""
    names = [saved.id for saved in all_saved()]
    assert len(names) >= 12
    assert all(name.replace("-", "").isalpha() and name.islower() for name in names)


def test_the_saved_questions_answer_rightly(day: Path) -> None:
    """The main ones, against the day as it was."""

    def answer(name: str, **given: str) -> list[dict[str, object]]:
        saved = next(each for each in all_saved() if each.id == name)
        return records(day, saved.sql, saved.filled(given))

    blamed = [only(row, "key", "value", "set_at") for row in answer("blame", system="bot")]
    assert blamed == [("risk.max", "0.5", at(30.5)), ("venue", '"poly"', at(2))]
    (went_live,) = answer("switches-to-real")
    assert only(went_live, "actor", "reason", "carried_by") == ("ann", "go live", "http_admin")
    (effect,) = answer("metrics-around-changes", system="bot", minutes="10", metric="latency")[:1]
    assert only(effect, "occurred_at", "before", "after", "percent") == (at(30.5), 90.0, None, None)
    effects = answer("metrics-around-changes", system="bot", minutes="10", metric="latency")
    assert (at(20), 10.0, 90.0, 800.0) in [
        only(row, "occurred_at", "before", "after", "percent") for row in effects
    ]
    rolled_back = answer("alert-to-rollback")
    assert [only(row, "alert", "seconds_to_decide", "seconds_to_done") for row in rolled_back] == [
        ("latency", 300.0, None), ("latency", 240.0, 270.0),
    ]  # fmt: skip
    assert [row["began_as"] for row in answer("unfinished")] == ["RollbackRequested"]
    assert [only(row, "key", "value") for row in answer("values-that-came-back")] == [
        ("risk.max", "0.5")
    ]
    assert [
        row["actor"] for row in answer("who-changed-what", key="risk", since="2025-11-20 12:25")
    ] == ["ann"]
    assert [only(row, "value", "until") for row in answer("key-history", key="risk.max")] == [
        ("0.5", at(20)), ("5", at(30.5)), ("0.5", None),
    ]  # fmt: skip
