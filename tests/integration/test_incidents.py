"""incidents.json: when, who, why, metrics before and after, action, fingerprint (seed 003)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ledger.domain.errors import AmbiguousName, UnknownName
from ledger.store.postgres import PostgresStore
from projections.engine.runner import Projector
from projections.models import incident_record
from projections.models.incidents import export, list_incidents, show_incident
from tests.support.builders import NOON
from tests.support.histories import FINGERPRINTS, happened, metrics
from tests.support.readmodel import contents, projector

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "projections" / "incidents.schema.json").read_bytes())
SEED_FIELDS = {"when", "who", "why", "metrics_before_after", "action", "fingerprint"}
RULE = {"id": "reject_rate_high", "name": "reject_rate_high", "kind": "rule"}
OPERATION = "00000000-0000-7000-8000-000000000001"


def minutes(count: float) -> Any:
    return NOON + timedelta(minutes=count)


@pytest.fixture
def ledger(embedded_dsn: str) -> Iterator[tuple[PostgresStore, Projector]]:
    """A ledger with a bot that is real, and its read model."""
    store = PostgresStore(embedded_dsn)
    registration = {"environment": "production", "description": "", "actuators": {}}
    switched = {"from_mode": "mock", "to_mode": "real", "carried_by": "control_file"}
    store.append(
        [
            happened("bot", "SystemRegistered", registration, at=minutes(-60)),
            happened("bot", "ConfigApplied", config(FINGERPRINTS[0]), at=minutes(-50)),
            happened("bot", "ModeSwitched", switched, at=minutes(-40)),
        ]
    )
    with projector(embedded_dsn) as made:
        yield store, made
    store.close()


def config(fingerprint: str, cause: str = "apply") -> dict[str, Any]:
    return {"fingerprint": fingerprint, "snapshot": "1" * 64, "cause": cause, "changes": []}


def opened(name: str = "INC-1", *, at: Any = NOON, system: str = "bot", **envelope: Any) -> Any:
    data = {
        "incident": name,
        "title": "Orders are rejected",
        "severity": "critical",
        "alert": "HIGH",
    }
    return happened(system, "IncidentOpened", data, at=at, **envelope)


def moved(type_: str, *, at: Any = NOON, name: str = "INC-1", **data: Any) -> Any:
    return happened("bot", type_, {"incident": name, **data}, at=at)


def document(made: Projector) -> dict[str, Any]:
    made.catch_up()
    content = json.loads(export(made.db))
    jsonschema.validate(content, SCHEMA)
    return content


def test_the_whole_life_of_an_incident(ledger: tuple[PostgresStore, Projector]) -> None:
    """The six fields of seed 003 and what was added to them, from alert to close (I11)."""
    store, made = ledger
    alert = {"alert": "HIGH", "severity": "critical", "message": "19 % rejected"}
    rolled_back = {"incident": "INC-1", "action": "rollback to bbbb"}
    rollback: dict[str, Any] = {"at": minutes(2), "operation": OPERATION, "reason": "rejects"}
    store.append(
        [
            metrics("bot", minutes(-1), reject_rate="0.19", fills="10"),
            metrics("bot", minutes(-9), reject_rate="0.99"),
            happened("bot", "AlertFired", alert, actor=RULE),
            opened(actor=RULE, reason="reject rate"),
            moved("IncidentAcknowledged", at=minutes(1)),
            happened("bot", "ConfigApplied", config(FINGERPRINTS[1], "rollback"), **rollback),
            happened("bot", "IncidentMitigated", rolled_back, **rollback),
            metrics("bot", minutes(3), reject_rate="0.01"),
            metrics("bot", minutes(4), reject_rate="0.02"),
            metrics("bot", minutes(8), reject_rate="0.99"),
            happened("bot", "AlertResolved", {"alert": "HIGH", "how": "condition_cleared"}, at=minutes(9)),
            moved("IncidentNoted", at=minutes(9), note="the exchange had changed its limits"),
            moved("IncidentResolved", at=minutes(10)),
            moved("IncidentClosed", at=minutes(20)),
        ]
    )  # fmt: skip
    whole = document(made)
    (item,) = whole["incidents"]
    assert item.keys() >= SEED_FIELDS
    assert item["when"] == {
        "opened": "2025-11-20T12:00:00.000000Z",
        "acknowledged": "2025-11-20T12:01:00.000000Z",
        "mitigated": "2025-11-20T12:02:00.000000Z",
        "resolved": "2025-11-20T12:10:00.000000Z",
        "closed": "2025-11-20T12:20:00.000000Z",
    }
    assert item["who"] == {
        "actor": "reject_rate_high", "id": "reject_rate_high", "type": "rule", "channel": "cli",
    }  # fmt: skip
    assert item["why"]["reason"] == "reject rate"
    assert item["why"]["message"] == "19 % rejected"
    assert item["why"]["rule"] == "reject_rate_high"
    assert item["action"] == "rollback to bbbb"
    assert [(a["by"], a["operation"]) for a in item["actions"]] == [("li.wei", OPERATION)]
    assert item["fingerprint"] == {"before": FINGERPRINTS[0], "after": FINGERPRINTS[1]}
    assert item["mode_before_after"] == {"before": "real", "after": "real"}
    assert item["metrics_before_after"] == {
        "fills": {"before": 10, "after": None, "window_s": 300, "samples_before": 1, "samples_after": 0},
        "reject_rate": {
            "before": 0.19, "after": 0.015, "window_s": 300, "samples_before": 1, "samples_after": 2,
        },
    }  # fmt: skip
    assert item["metrics_note"] is None
    assert item["duration_s"] == 600
    assert [entry["event"] for entry in item["timeline"]] == [
        "IncidentOpened", "IncidentAcknowledged", "ConfigApplied", "IncidentMitigated", "AlertResolved",
        "IncidentNoted", "IncidentResolved", "IncidentClosed",
    ]  # fmt: skip
    head = store.head()
    assert whole["ledger"]["position"] == head.position
    assert whole["ledger"]["hash"] == head.chain.hex()


def test_after_is_null_until_the_window_has_passed(ledger: tuple[PostgresStore, Projector]) -> None:
    """No evidence is not an improvement (I8): what is not known yet is said not to be."""
    store, made = ledger
    now = store.head().recorded_at
    assert now is not None
    mitigated = {"incident": "INC-1", "action": "paused"}
    store.append([metrics("bot", now, latency="900"), opened(at=now)])
    (item,) = document(made)["incidents"]
    assert item["metrics_note"] == "no action was taken yet"
    assert item["duration_s"] is None
    later = now + timedelta(seconds=1)
    store.append(
        [
            happened("bot", "IncidentMitigated", mitigated, at=later),
            metrics("bot", later, latency="90"),
        ]
    )
    (item,) = document(made)["incidents"]
    assert item["metrics_before_after"]["latency"]["before"] == 900
    assert item["metrics_before_after"]["latency"]["after"] is None
    assert item["metrics_before_after"]["latency"]["samples_after"] is None
    assert "end at" in item["metrics_note"]


def test_a_rehearsal_that_is_ahead_of_the_database_has_an_after(
    ledger: tuple[PostgresStore, Projector],
) -> None:
    """I13: its window is over once a sample is of a later time, whatever the database's clock says."""
    store, made = ledger
    ahead = store.head().recorded_at
    assert ahead is not None
    acted = ahead + timedelta(days=300)
    mitigated = {"incident": "INC-1", "action": "paused"}
    store.append([opened(at=acted), happened("bot", "IncidentMitigated", mitigated, at=acted)])
    for seconds, latency in ((-10, "900"), (200, "90")):
        store.append([metrics("bot", acted + timedelta(seconds=seconds), latency=latency)])
    (item,) = document(made)["incidents"]
    assert item["metrics_before_after"]["latency"]["after"] is None
    store.append([metrics("bot", acted + timedelta(seconds=301), latency="70")])
    (item,) = document(made)["incidents"]
    assert item["metrics_before_after"]["latency"]["after"] == 90
    live = contents(made)
    made.rebuild()
    assert contents(made) == live


def test_samples_that_come_late_still_count(ledger: tuple[PostgresStore, Projector]) -> None:
    """I7: what the file says hangs on the log, not on when a sample came in."""
    store, made = ledger
    store.append(
        [
            opened(),
            moved("IncidentMitigated", at=minutes(1), action="paused"),
            moved("IncidentClosed"),
        ]
    )
    (item,) = document(made)["incidents"]
    assert item["metrics_before_after"] is None
    assert item["metrics_note"] == "no sample was recorded within 300 s of the action"
    store.append(
        [metrics("bot", minutes(2), latency="90"), metrics("other", minutes(2), latency="1")]
    )
    (item,) = document(made)["incidents"]
    assert item["metrics_before_after"]["latency"]["after"] == 90
    live = contents(made)
    made.rebuild()
    assert contents(made) == live


def test_what_is_no_number_and_what_no_double_holds_is_not_averaged(
    ledger: tuple[PostgresStore, Projector],
) -> None:
    """A NaN is no sample; a value beyond every double stops nothing."""
    store, made = ledger
    store.append(
        [
            opened(),
            moved("IncidentMitigated", at=minutes(1), action="paused"),
            metrics("bot", minutes(0.5), latency="NaN", huge="1e999999999", gap="+Inf"),
            metrics("bot", minutes(0.6), latency="2.5", huge="-1e999999999"),
            metrics("bot", minutes(0.7), latency="7.5"),
        ]
    )
    (item,) = document(made)["incidents"]
    assert item["metrics_before_after"]["latency"]["before"] == 5
    assert item["metrics_before_after"]["latency"]["samples_before"] == 2
    assert item["metrics_before_after"].get("huge", {"before": None})["before"] is None


def test_no_incident_is_a_document_too(ledger: tuple[PostgresStore, Projector]) -> None:
    """An empty list, of no point of the log, is what a reader can rely on finding."""
    _, made = ledger
    whole = document(made)
    assert whole["incidents"] == []
    assert whole["ledger"]["position"] == 0


def test_a_name_used_again_is_another_incident(ledger: tuple[PostgresStore, Projector]) -> None:
    """The closed one stays as it was; the newest is shown; a name in two systems has to be told apart."""
    store, made = ledger
    store.append(
        [
            opened(),
            moved("IncidentClosed"),
            moved("IncidentNoted", note="too late"),
            opened(at=minutes(5)),
        ]
    )
    first, second = document(made)["incidents"]
    assert (first["status"], second["status"]) == ("closed", "open")
    assert first["timeline"][-1]["event"] == "IncidentClosed"
    assert show_incident(made.db, "INC-1") == second
    assert [row["opened_at"] for row in list_incidents(made.db)] == [minutes(5)]
    assert len(list_incidents(made.db, "bot", only_open=False)) == 2
    store.append([opened(system="other")])
    made.catch_up()
    with pytest.raises(AmbiguousName, match="bot, other"):
        show_incident(made.db, "INC-1")
    assert show_incident(made.db, "INC-1", "other")["system"] == "other"
    with pytest.raises(UnknownName, match="no incident 'INC-2'"):
        show_incident(made.db, "INC-2")


def test_a_long_timeline_is_cut_and_says_so(
    ledger: tuple[PostgresStore, Projector], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An incident that stays open for months must not make every command slow."""
    monkeypatch.setattr(incident_record, "TIMELINE_MAX", 3)
    store, made = ledger
    store.append([opened(), *(moved("IncidentNoted", note=str(number)) for number in range(5))])
    (item,) = document(made)["incidents"]
    assert len(item["timeline"]) == len(item["evidence_positions"]) == 3
    assert item["timeline_left_out"] == 3


def test_the_published_schema_is_the_one_that_is_shipped() -> None:
    """One schema: beside the code for `rollout incident export --schema`, and in docs for readers."""
    published = ROOT / "docs" / "incidents.schema.json"
    assert published.read_bytes() == (ROOT / "projections" / "incidents.schema.json").read_bytes()
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
