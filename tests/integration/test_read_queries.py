"""What the read models answer: blame, modes, operations, the timeline."""

from __future__ import annotations

from datetime import UTC, timedelta

from ledger.domain.log.envelope import NewEvent
from ledger.store.postgres import PostgresStore
from projections.models import mode_changes, timeline
from projections.models.config_changes import blame, history
from projections.models.operations import list_operations
from tests.support.builders import NOON
from tests.support.histories import FINGERPRINTS, REGISTERED, happened
from tests.support.readmodel import projector


def applied(
    fingerprint: str, changes: list[dict[str, str]], **envelope: object
) -> dict[str, object]:
    return {
        "fingerprint": fingerprint,
        "snapshot": "1" * 64,
        "cause": "apply",
        "changes": changes,
        **envelope,
    }


def test_blame_names_who_set_each_present_value(embedded_dsn: str) -> None:
    """Down to one key; imported history that is older than what is in force takes no blame (I11, I13)."""
    store = PostgresStore(embedded_dsn)
    first, second, old = FINGERPRINTS
    ana = {"id": "ana@desk", "name": "ana", "kind": "human"}
    store.append(
        [
            REGISTERED,
            happened("bot", "ConfigApplied", applied(first, [
                {"key": "grid", "new": "3"},
                {"key": "risk.max", "new": "5"}, {"key": "risk.step", "new": "1"},
            ]), at=NOON, reason="first"),
            happened("bot", "FingerprintTagged", {"fingerprint": second, "tag": "v2"}),
            happened("bot", "ConfigApplied", applied(second, [
                {"key": "risk.max", "old": "5", "new": "7"}, {"key": "risk.step", "old": "1"},
            ], previous=first), at=NOON + timedelta(hours=1), actor=ana, reason="scale"),
            happened("bot", "ConfigApplied", applied(old, [{"key": "grid", "new": "1"}]),
                     at=NOON - timedelta(days=9), backfilled=True),
        ]
    )  # fmt: skip
    with projector(embedded_dsn) as made:
        made.catch_up()
        rows = blame(made.db, "bot")
        assert [
            (row["key"], row["value"], row["actor"], row["reason"], row["position"]) for row in rows
        ] == [
            ("grid", "3", "li.wei", "first", 2),
            ("risk.max", "7", "ana", "scale", 4),
        ]
        assert rows[1]["tags"] == ["v2"]
        assert [row["key"] for row in blame(made.db, "bot", "risk")] == ["risk.max"]
        assert [row["key"] for row in blame(made.db, "bot", "risk.ma")] == []
        assert [
            (row["position"], row["old"], row["new"], row["late"])
            for row in history(made.db, "bot", "grid")
        ] == [
            (5, None, "1", True),
            (2, None, "3", False),
        ]
    store.close()


def test_intervals_of_modes_have_no_gap_and_late_history_in_its_place(embedded_dsn: str) -> None:
    """I13: what is told late stands where it happened, and is not taken for the present."""
    store = PostgresStore(embedded_dsn)

    def switched(to: str, hours: int, *, spooled: bool = False) -> NewEvent:
        data = {"from_mode": "mock", "to_mode": to, "carried_by": "control_file", "took_ms": 1}
        return happened(
            "bot", "ModeSwitched", data, at=NOON + timedelta(hours=hours), spooled=spooled
        )

    store.append(
        [REGISTERED, switched("mock", 0), switched("real", 5), switched("paused", 3, spooled=True)]
    )
    with projector(embedded_dsn) as made:
        made.catch_up()
        rows = mode_changes.intervals(made.db, "bot")
        assert [(row["mode"], row["since"].astimezone(UTC).hour, row["late"]) for row in rows] == [
            ("mock", 12, False),
            ("paused", 15, True),
            ("real", 17, False),
        ]
        assert [row["until"] for row in rows] == [rows[1]["since"], rows[2]["since"], None]
        present = mode_changes.present(made.db, "bot")
        assert present is not None
        assert present["mode"] == "real"
    store.close()


def test_an_operation_is_told_from_intent_to_outcome(embedded_dsn: str) -> None:
    """I12: intent, steps, outcome, and how long it took; one in flight is found."""
    store = PostgresStore(embedded_dsn)
    one, two = "00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-000000000002"
    intent = {
        "to_fingerprint": FINGERPRINTS[0],
        "snapshot": "1" * 64,
        "selector": "--last-stable",
        "files": [],
    }
    step = {"step": 1, "name": "config.yaml", "path": "/srv/config.yaml", "outcome": "written"}
    soon = NOON + timedelta(milliseconds=1500)
    store.append(
        [
            REGISTERED,
            happened("bot", "RollbackRequested", intent, operation=one, reason="rejects"),
            happened("bot", "RollbackStepCompleted", step, operation=one),
            happened(
                "bot",
                "ConfigApplied",
                applied(FINGERPRINTS[0], []) | {"cause": "rollback"},
                operation=one,
            ),
            happened(
                "bot",
                "RollbackCompleted",
                {"to_fingerprint": FINGERPRINTS[0]},
                operation=one,
                at=soon,
            ),
            happened("bot", "RollbackRequested", intent, operation=two),
        ]
    )
    with projector(embedded_dsn) as made:
        made.catch_up()
        done, open_ = list_operations(made.db, "bot")
        assert (done["outcome"], done["took_ms"], done["reason"]) == ("completed", 1500, "rejects")
        assert [each["name"] for each in done["steps"]] == ["config.yaml"]
        assert (open_["outcome"], open_["operation"]) == ("in flight", two)
        assert [row["operation"] for row in list_operations(made.db, in_flight=True)] == [two]
    store.close()


def test_the_timeline_is_filtered_by_who_what_when_and_key(embedded_dsn: str) -> None:
    """Every filter alone, and what it lets through."""
    store = PostgresStore(embedded_dsn)
    ana = {"id": "ana@desk", "name": "Ana", "kind": "human"}
    change = [{"key": "risk.max", "old": "5", "new": "7"}]
    store.append(
        [
            REGISTERED,
            happened(
                "other", "AlertFired", {"alert": "a", "severity": "info", "message": "100 % full"}
            ),
            happened(
                "bot",
                "ConfigApplied",
                applied(FINGERPRINTS[0], change),
                actor=ana,
                at=NOON + timedelta(hours=1),
            ),
            happened(
                "bot",
                "AlertResolved",
                {"alert": "a", "how": "manual"},
                reason="100_ fine",
                at=NOON + timedelta(hours=2),
            ),
        ]
    )
    with projector(embedded_dsn) as made:
        made.catch_up()

        def found(**wanted: object) -> list[int]:
            rows = timeline.select(made.db, timeline.Filter(**wanted))  # type: ignore[arg-type] -- each test its own
            return [row["position"] for row in rows]

        assert found() == [1, 2, 3, 4]
        assert found(system="other") == [2]
        assert found(actor="ana") == found(actor="ana@desk") == [3]
        assert found(type="alert*") == [2, 4]
        assert found(type="Alert") == []
        assert found(key="risk") == found(key="risk.max") == [3]
        assert found(key="ris") == []
        assert found(fingerprint="aaaa") == [3, 4]
        assert found(text="100 %") == [2]
        assert found(text="100_") == [4]
        assert found(since=NOON + timedelta(hours=1)) == [3, 4]
        assert found(until=NOON) == [1, 2]
        assert found(after=2) == [3, 4]
        newest = timeline.select(made.db, timeline.Filter(), limit=2)
        assert [row["position"] for row in newest] == [3, 4]
    store.close()
