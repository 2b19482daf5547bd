"""What rollout stats counts, on a day whose numbers can be told by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.commands.stats import _span
from ledger.store.postgres import PostgresStore
from projections.audit.sync import sync
from projections.queries.statistics import Statistics, statistics
from tests.support.audit import BLUE, GREEN, RED, RULE, a_day, asking, minutes
from tests.support.histories import happened
from tests.support.postgres import PostgresServer

NOW = minutes(90)


@pytest.fixture(scope="module")
def day(embedded_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home whose replica holds a day, and more trouble on another system."""
    folder = tmp_path_factory.mktemp("home")
    more = [
        happened(
            "third", "AlertFired",
            {
                "alert": "ece", "severity": "critical", "message": "m",
                "active_since": minutes(10).isoformat(),
            },
            at=minutes(15), actor=RULE,
        ),
        happened(
            "third", "IncidentOpened",
            {"incident": "INC-2", "title": "t", "severity": "critical", "alert": "ece"},
            at=minutes(15), actor=RULE,
        ),
        happened("third", "IncidentMitigated", {"incident": "INC-2", "action": "paused"}, at=minutes(16)),
        happened("third", "IncidentOpened", {"incident": "INC-3", "title": "t"}, at=minutes(20)),
        happened(
            "third", "RollbackRequested",
            {"to_fingerprint": BLUE, "snapshot": "1" * 64, "selector": "x", "files": []},
            at=minutes(21), actor=RULE, operation="0190ffff-0000-7000-8000-000000000009",
        ),
        happened(
            "fifth", "RollbackRequested",
            {"to_fingerprint": BLUE, "snapshot": "1" * 64, "selector": "--last-stable", "files": []},
            at=minutes(30), operation="0190ffff-0000-7000-8000-00000000000b",
        ),
        *(
            happened("fifth", type_, data, at=minutes(30), operation="0190ffff-0000-7000-8000-00000000000b")
            for type_, data in (
                ("IncidentOpened", {"incident": "INC-4", "title": "rollback", "severity": "warning"}),
                ("IncidentMitigated", {"incident": "INC-4", "action": "rollback"}),
            )
        ),
        *(
            happened(
                "fourth", "ConfigApplied",
                {"fingerprint": to, "previous": previous, "cause": cause, "changes": []}, at=minutes(at),
            )
            for at, to, previous, cause in (
                (1, BLUE, None, "declared"), (2, GREEN, BLUE, "apply"), (3, RED, GREEN, "found"),
                (4, BLUE, RED, "apply"), (5, BLUE, BLUE, "apply"),
            )
        ),
        happened("fourth", "FingerprintQuarantined", {"fingerprint": GREEN}, at=minutes(8)),
    ]  # fmt: skip
    with embedded_server.fresh_ledger() as dsn:
        store = PostgresStore(dsn)
        store.append([*a_day(), *more])
        store.close()
        sync(dsn, folder)
    return folder


def of(
    day: Path, system: str, since: float | None = None, until: float | None = None
) -> Statistics:
    """Return a system's numbers, the window in minutes after noon."""
    with asking(day) as asked:
        (found,) = statistics(
            asked,
            system=system,
            since=None if since is None else minutes(since),
            until=None if until is None else minutes(until),
            now=NOW,
        )
    return found


def test_time_in_mode(day: Path) -> None:
    """Clipped to the window; the pause that was recorded late lies where it happened."""
    found = of(day, "bot")
    assert [(each.mode, each.kind, each.seconds, each.times) for each in found.time_in_mode] == [
        ("mock", None, (9 + 30) * 60, 2), ("real", None, 35 * 60, 1), ("paused", "halt", 15 * 60, 1)
    ]  # fmt: skip
    assert sum(each.share for each in found.time_in_mode) == pytest.approx(1)
    assert found.mode_note == "no mode was recorded for 60 s"
    part = of(day, "bot", 12, 50)
    assert [(each.mode, each.seconds) for each in part.time_in_mode] == [
        ("real", 33 * 60), ("paused", 5 * 60)
    ]  # fmt: skip
    assert part.mode_note is None
    assert of(day, "fourth").mode_note == "no mode was recorded for any of this time"
    assert of(day, "fourth").time_in_mode == ()


def test_detect_and_restore(day: Path) -> None:
    """I8: what nothing is known about is left out, and said; with nothing at all there is no number."""
    bot = of(day, "bot")
    assert (bot.restore.value, bot.restore.samples, bot.restore.note) == (300, 1, None)
    assert bot.detect.value is None
    assert bot.detect.note == "1 of 1 incidents: raised by hand: nothing says since when"
    third = of(day, "third")
    assert (third.detect.value, third.detect.samples) == (300, 1)
    assert (third.restore.value, third.restore.samples) == (60, 1)
    assert third.restore.note == "1 of 2 incidents: not mitigated or resolved by then"
    assert of(day, "third", until=15.5).restore.value is None
    none = of(day, "fourth")
    assert (none.detect.value, none.detect.note) == (None, "no incident was opened")
    assert (none.restore.value, none.restore.note) == (None, "no incident was opened")


def test_an_incident_that_its_own_rollback_opened_tells_no_time_to_restore(day: Path) -> None:
    """I8: nothing says since when it was wrong; zero seconds would be a number that nobody measured."""
    restore = of(day, "fifth").restore
    assert (restore.value, restore.samples) == (None, 0)
    assert restore.note == (
        "1 of 1 incidents: opened by the rollback that mended it: nothing says since when"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (3e-05, "<1ms"),
        (0.0123, "12ms"),
        (0.9996, "1000ms"),
        (90, "1m30s"),
        (7384, "2h3m"),
    ],
)
def test_spans_are_told_as_people_say_them(seconds: float, text: str) -> None:
    """No exponent in a table for people."""
    assert _span(seconds) == text


def test_change_failure_rate(day: Path) -> None:
    """A change that was rolled back or quarantined failed; the first, what was found, and none are none."""
    bot = of(day, "bot")
    assert (bot.change_failure.value, bot.changes, bot.failed_changes) == (0.5, 2, 1)
    assert of(day, "bot", until=25).change_failure.value == 0
    fourth = of(day, "fourth")
    assert (fourth.change_failure.value, fourth.changes, fourth.failed_changes) == (0.5, 2, 1)
    third = of(day, "third")
    assert (third.change_failure.value, third.change_failure.note) == (
        None,
        "no change was applied",
    )


def test_rollbacks_by_cause(day: Path) -> None:
    """By the rule, or by the kind of who asked."""
    (by,) = of(day, "bot").rollbacks
    assert (by.cause, by.count, by.completed, by.open) == ("human", 2, 1, 1)
    (by,) = of(day, "third").rollbacks
    assert (by.cause, by.count, by.open) == ("rule platt_ece", 1, 1)
    assert of(day, "bot", until=29).rollbacks == ()
