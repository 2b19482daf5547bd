"""A clock that is set back: intervals neither overlap nor end before they begin (I13, I31)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ledger.domain.log.envelope import NewEvent
from ledger.store.postgres import PostgresStore
from projections.audit.sync import sync
from projections.exports.annotations import regions
from projections.models import incidents, mode_changes
from projections.queries.statistics import Statistics, statistics
from tests.support.audit import BLUE, RULE, asking, minutes, records
from tests.support.histories import happened
from tests.support.postgres import PostgresServer
from tests.support.readmodel import projector

OPERATION = "0190ffff-0000-7000-8000-00000000000a"
END = minutes(72 * 60)


def hours(count: float) -> datetime:
    return minutes(60 * count)


def switched(to: str, at: float, **more: Any) -> NewEvent:
    data = {"from_mode": "mock", "to_mode": to, "carried_by": "control_file"}
    return happened("bot", "ModeSwitched", data, at=hours(at), **more)


def a_past() -> list[NewEvent]:
    """Mock, paused at 48 h, mock again at 36 h by a clock that was set back; an alert alike."""
    incident = {"incident": "INC-1", "title": "t", "severity": "critical", "alert": "ece"}
    fired = {"alert": "ece", "severity": "critical", "message": "m"}
    to = {"to_fingerprint": BLUE, "snapshot": "1" * 64, "selector": "x", "files": []}
    return [
        happened(
            "bot", "SystemRegistered", {"environment": "staging", "actuators": {}}, at=hours(0)
        ),
        switched("mock", 0),
        happened("bot", "AlertFired", fired, at=hours(47), actor=RULE),
        happened("bot", "IncidentOpened", incident, at=hours(47), actor=RULE),
        happened("bot", "RollbackRequested", to, at=hours(47.5), operation=OPERATION),
        switched("paused", 48),
        switched("mock", 36),
        happened(
            "bot", "RollbackCompleted", {"to_fingerprint": BLUE}, at=hours(36), operation=OPERATION
        ),
        happened("bot", "AlertResolved", {"alert": "ece", "how": "manual"}, at=hours(36.1)),
        happened("bot", "IncidentMitigated", {"incident": "INC-1", "action": "x"}, at=hours(36.1)),
        happened(
            "bot", "IncidentResolved", {"incident": "INC-1", "resolution": "x"}, at=hours(36.2)
        ),
        switched("real", 60),
    ]


@pytest.fixture(scope="module")
def past(
    embedded_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """Yield a log that holds it, and a home with the replica."""
    folder = tmp_path_factory.mktemp("home")
    with embedded_server.fresh_ledger() as dsn:
        store = PostgresStore(dsn)
        store.append(a_past())
        store.close()
        sync(dsn, folder)
        yield dsn, folder


def numbers(home: Path, until: datetime = END) -> Statistics:
    with asking(home) as asked:
        (found,) = statistics(asked, system="bot", since=None, until=until, now=until)
    return found


def test_stays_in_a_mode_follow_each_other(past: tuple[str, Path]) -> None:
    """In the replica and in the read model: each begins where the one before it ends."""
    dsn, home = past
    rows = records(home, "FROM mode_intervals ORDER BY since, position")
    with projector(dsn) as made:
        made.catch_up()
        live = mode_changes.intervals(made.db, "bot")
    naive = [(row["since"].replace(tzinfo=None), row["until"]) for row in live]
    assert [row["since"] for row in rows] == [since for since, _ in naive]
    assert (
        [row["mode"] for row in rows]
        == [row["mode"] for row in live]
        == ["mock", "paused", "mock", "real"]
    )
    for stays in (rows, list[dict[str, Any]](map(dict, live))):
        assert all(one["until"] == next_["since"] for one, next_ in pairwise(stays))
        assert all(one["until"] >= one["since"] for one in stays[:-1])
    assert [row["seconds"] for row in rows] == [48 * 3600, 0, 12 * 3600, None]
    assert rows[2]["occurred_at"] == hours(36).replace(tzinfo=None)


def test_time_in_mode_is_no_longer_than_the_window(past: tuple[str, Path]) -> None:
    """And the note says that the clock went back."""
    found = numbers(past[1])
    assert {each.mode: each.seconds / 3600 for each in found.time_in_mode} == {
        "mock": 60,
        "real": 12,
    }
    assert "the clock was set back before 1 of the switches" in (found.mode_note or "")
    assert numbers(past[1], hours(30)).mode_note is None


def test_what_a_clock_turned_round_has_no_length(past: tuple[str, Path]) -> None:
    """I31: neither 0 nor a negative time is one that anybody measured."""
    dsn, home = past
    (alert,) = records(home, "FROM alerts")
    (rollback,) = records(home, "FROM rollbacks")
    (incident,) = records(home, "FROM incidents")
    assert alert["fired_at"] == hours(47).replace(tzinfo=None)
    assert rollback["requested_at"] == hours(47.5).replace(tzinfo=None)
    assert (alert["seconds"], rollback["seconds"], incident["seconds_to_mitigate"]) == (
        None,
        None,
        None,
    )
    restore = numbers(home).restore
    assert (restore.value, restore.note) == (
        None,
        "1 of 1 incidents: its times contradict each other",
    )
    with projector(dsn) as made:
        made.catch_up()
        (listed,) = json.loads(incidents.export(made.db))["incidents"]
    assert (listed["status"], listed["duration_s"]) == ("resolved", None)


def test_annotations_do_not_overlap(past: tuple[str, Path]) -> None:
    """Each region of a mode ends where the next one begins; none is turned round."""
    with asking(past[1]) as asked:
        found = list(regions(asked, system="bot", since=None, until=None, now=END))
    assert all(one["timeEnd"] >= one["time"] for one in found)
    modes = [one for one in found if any(tag.startswith("mode:") for tag in one["tags"])]
    assert len(modes) == 4
    assert all(one["timeEnd"] == next_["time"] for one, next_ in pairwise(modes))
