"""rollout export jsonl, csv, cdevents, annotations: what other programs read."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ledger.domain.log import canonical
from ledger.store.base import chain_after
from ledger.store.postgres import PostgresStore
from tests.support.builders import an_event
from tests.support.commands import Rollout

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def night(bot: Rollout, tmp_path: Path) -> Rollout:
    """A bot that went live on another configuration, in trouble, rolled back and paused."""
    (tmp_path / "next.yaml").write_text("grid:\n  levels: 50\nsize: 10\n")
    bot(
        "config", "put", "bot", tmp_path / "next.yaml", "--as", "config.yaml", "--tag", "next",
        "--reason", "scale, \"up\"",
    )  # fmt: skip
    bot("config", "apply", "bot", "next", "--reason", "scale up", "--yes")
    bot("alert", "raise", "bot", "REJECTS", "--severity", "critical", "-m", "19 % rejected")
    bot("rollback", "bot", "--last-stable", "--reason", "rejects")
    bot("pause", "bot", "--reason", "until we know more")
    return bot


def lines(text: str) -> list[dict[str, Any]]:
    """Return what a text of JSON lines holds."""
    return [json.loads(line) for line in text.splitlines()]


def test_json_lines_hold_every_stored_byte(
    night: Rollout, embedded_dsn: str, tmp_path: Path
) -> None:
    """I3: from the lines alone the chain is recomputed, and each blob is what it is named by."""
    store = PostgresStore(embedded_dsn)
    store.append(
        [
            an_event("odd", body=b"\xff\x00 no text"),
            an_event("odd", body='{"ü":"\\u0000"}'.encode()),
        ]
    )
    head = store.head()
    stored = {event.position: event for event in store.read()}
    out = tmp_path / "ledger.jsonl"
    night("export", "jsonl", "--out", out)
    header, *middle, end = lines(out.read_text())
    assert header["record"] == "export"
    assert (header["first"], header["last"], header["whole"]) == (1, head.position, True)
    assert (header["ledger"], header["chain_before"]) == (
        night("checkpoint").json["ledger"],
        "0" * 64,
    )
    assert header["exported_by"] == {"id": "ann", "name": "ann", "kind": "human"}
    events = [line for line in middle if line["record"] == "event"]
    blobs = {
        line["sha256"]: base64.b64decode(line["bytes"])
        for line in middle
        if line["record"] == "blob"
    }
    chain = canonical.GENESIS
    for expected, line in enumerate(events, 1):
        event = stored[expected]
        body = (
            base64.b64decode(line["body_base64"])
            if "body_base64" in line
            else line["body"].encode()
        )
        assert (body, line["position"], line["revision"]) == (event.body, expected, event.revision)
        assert (line["event_id"], line["stream"]) == (str(event.event_id), event.stream)
        assert datetime.fromisoformat(line["occurred_at"]) == event.occurred_at
        assert datetime.fromisoformat(line["recorded_at"]) == event.recorded_at
        chain = chain_after(chain, event)
        assert line["chain"] == chain.hex()
    assert end == {
        "record": "end", "events": head.position, "blobs": len(blobs), "chain": head.chain.hex()
    }  # fmt: skip
    assert all(hashlib.sha256(content).hexdigest() == name for name, content in blobs.items())
    named = {
        name
        for event in stored.values() if event.type == "ConfigRegistered"
        for name in [event.data["fingerprint"][7:], *(file["sha256"] for file in event.data["files"])]
    }  # fmt: skip
    assert named == set(blobs)
    store.close()


def test_filters(night: Rollout) -> None:
    """By system, by positions, by time; a part says that it is one."""
    night("system", "add", "other")
    header, *middle, end = lines(night("export", "jsonl", "bot", "--from", "4", "--to", "9").out)
    positions = [line["position"] for line in middle if line["record"] == "event"]
    assert positions == [4, 5, 6, 7, 8, 9]
    assert not header["whole"]
    assert end["events"] == 6
    mine = lines(night("export", "jsonl", "other").out)
    assert [json.loads(line["body"])["system"] for line in mine if line["record"] == "event"] == [
        "other"
    ]
    assert lines(night("export", "jsonl", "--until", "2001-01-01").out)[-1]["events"] == 0
    assert lines(night("export", "jsonl", "--since", "1h").out)[-1]["events"] > 10
    prefix = lines(night("export", "jsonl", "--to", "3").out)
    assert (prefix[0]["whole"], prefix[-1]["events"]) == (True, 3)


def test_csv(night: Rollout) -> None:
    """A row an event, the body verbatim whatever quotes and commas it has."""
    rows = list(csv.DictReader(io.StringIO(night("export", "csv", "bot").out)))
    told = [json.loads(line) for line in night("export", "jsonl", "bot").out.splitlines()]
    assert [row["body"] for row in rows] == [
        line["body"] for line in told if line["record"] == "event"
    ]
    put = next(row for row in rows if row["type"] == "ConfigRegistered" and row["reason"])
    assert put["reason"] == 'scale, "up"'
    assert (put["system"], put["actor"], put["actor_kind"], put["channel"]) == (
        "bot",
        "ann",
        "human",
        "cli",
    )
    assert put["sentence"]
    for row in rows:
        assert hashlib.sha256(row["body"].encode()).hexdigest() == row["body_hash"]


# https://github.com/cdevents/spec, release 0.4.1: what the schemas of these events insist on.
DEFINED = {
    "dev.cdevents.service.deployed.0.2.0": {"environment", "artifactId"},
    "dev.cdevents.service.upgraded.0.2.0": {"environment", "artifactId"},
    "dev.cdevents.service.rolledback.0.2.0": {"environment", "artifactId"},
    "dev.cdevents.incident.detected.0.2.0": {"environment"},
    "dev.cdevents.incident.resolved.0.2.0": {"environment"},
}
CUSTOM = re.compile(r"dev\.cdeventsx\.[a-zA-Z0-9]+-[a-zA-Z]+\.[a-zA-Z]+\.[0-9]\.[0-9]\.[0-9]")
CUSTOM_SUBJECT = re.compile(r"[a-zA-Z0-9]+-[a-zA-Z]+")


def test_cdevents(night: Rollout, tmp_path: Path) -> None:
    """CloudEvents 1.0 that carry CDEvents 0.4.1: of deployments, rollbacks, incidents; custom ones else."""
    (opened,) = night("incident", "list", "bot", "-o", "json").json
    night("incident", "resolve", "bot", opened["incident"], "--reason", "the limit was wrong")
    out = tmp_path / "bot.jsonl"
    night("export", "cdevents", "bot", "--out", out)
    events = lines(out.read_text())
    kinds = [event["type"] for event in events]
    for event in events:
        context, subject = event["data"]["context"], event["data"]["subject"]
        assert (event["specversion"], event["datacontenttype"]) == (
            "1.0",
            "application/cdevents+json",
        )
        assert event["type"] == context["type"]
        assert event["source"] == context["source"]
        assert (event["id"], event["time"]) == (context["id"], context["timestamp"])
        assert event["subject"] == subject["id"]
        assert context["version"] == "0.4.1"
        assert context.keys() <= {"version", "id", "source", "type", "timestamp", "chainId"}
        assert datetime.fromisoformat(context["timestamp"]).tzinfo is not None
        assert subject.keys() == {"id", "source", "type", "content"}
        if event["type"] in DEFINED:
            assert DEFINED[event["type"]] <= subject["content"].keys()
            assert subject["content"]["environment"] == {"id": "production"}
        else:
            assert CUSTOM.fullmatch(event["type"]), event["type"]
            assert CUSTOM_SUBJECT.fullmatch(subject["type"])
    assert kinds.count("dev.cdevents.service.deployed.0.2.0") == 1
    assert kinds.count("dev.cdevents.service.upgraded.0.2.0") == 1
    assert kinds.count("dev.cdevents.service.rolledback.0.2.0") == 1
    assert kinds.count("dev.cdevents.incident.detected.0.2.0") == 1
    resolved = events[kinds.index("dev.cdevents.incident.resolved.0.2.0")]
    assert resolved["subject"] == opened["incident"]
    assert "dev.cdeventsx.rolloutledger-mode.switched.0.1.0" in kinds
    back = events[kinds.index("dev.cdevents.service.rolledback.0.2.0")]
    first = events[kinds.index("dev.cdevents.service.deployed.0.2.0")]
    artifact = back["data"]["subject"]["content"]["artifactId"]
    assert artifact == first["data"]["subject"]["content"]["artifactId"]
    assert re.fullmatch(r"pkg:generic/bot@sha256%3A[0-9a-f]{64}", artifact)
    assert back["data"]["customData"]["reason"] == "rejects"
    # A part of them says the same about each: what earlier events said is not forgotten.
    position = back["data"]["customData"]["position"]
    assert lines(night("export", "cdevents", "bot", "--from", str(position)).out)[0] == back


def test_annotations(night: Rollout, tmp_path: Path) -> None:
    """Mode bands, alerts and rollbacks as regions, in milliseconds; what lasts ends now, and says so."""
    out = tmp_path / "annotations.json"
    night("export", "annotations", "bot", "--out", out)
    told = json.loads(out.read_text())
    assert all(each.keys() == {"time", "timeEnd", "tags", "text"} for each in told)
    assert all(each["timeEnd"] >= each["time"] > 1_600_000_000_000 for each in told)
    modes = [each for each in told if "mode" in each["tags"]]
    assert [each["tags"][3] for each in modes] == ["mode:mock", "mode:paused"]
    assert modes[0]["timeEnd"] == modes[1]["time"]
    assert "open" in modes[1]["tags"]
    assert "open" not in modes[0]["tags"]
    (alert,) = [each for each in told if "alert" in each["tags"]]
    assert alert["text"].startswith("bot: REJECTS: 19 % rejected")
    assert {"alert:critical", "open", "system:bot"} <= set(alert["tags"])
    (rollback,) = [each for each in told if "rollback" in each["tags"]]
    assert rollback["text"].endswith("(completed) — ann: rejects")
    assert night("export", "annotations", "bot", "--until", "2001-01-01").json == []


def test_no_secret_leaves_in_any_form(bot: Rollout, tmp_path: Path) -> None:
    """I6: of a configuration that was put, and of one that was imported."""
    secrets = ("9f8e7d6c5b4a39281706f5e4d3c2b1a0", "hunter2-but-longer-Xq7")
    (tmp_path / "config.yaml").write_text(f"size: 10\napi_secret: {secrets[0]}\n")
    bot("config", "put", "bot", tmp_path / "config.yaml", "--reason", "keys")
    (tmp_path / "changes.jsonl").write_text(
        json.dumps(
            {
                "timestamp": "2025-11-01T00:00:00Z",
                "applied_by": "li.wei",
                "diff": {"DB_PASSWORD": {"old": "x", "new": secrets[1]}},
                "previous_config": {"DB_PASSWORD": "x"},
            }
        )
        + "\n"
    )
    bot("import", "config-changes", "bot", tmp_path / "changes.jsonl")
    out = tmp_path / "out"
    out.mkdir()
    for form in ("parquet", "jsonl", "csv", "cdevents", "annotations"):
        bot("export", form, "--out", out / form)
    told = [path.read_bytes() for path in out.rglob("*") if path.is_file()]
    told += [base64.b64decode(line["bytes"]) for line in lines((out / "jsonl").read_text())
             if line["record"] == "blob"]  # fmt: skip
    with duckdb.connect() as connection:
        for path in map(str, (out / "parquet").rglob("*.parquet")):
            column = "bytes" if path.endswith("blobs.parquet") else "body"
            rows = connection.execute(f"SELECT {column} FROM read_parquet(?)", [path]).fetchall()
            told += [bytes(row[0]) for row in rows]
    assert any(b"secret:hmac-sha256:" in text for text in told)
    for secret in secrets:
        assert not any(secret.encode() in text for text in told)


def test_bad_input(night: Rollout, tmp_path: Path) -> None:
    """One clear line, exit 2, and no file."""
    out = tmp_path / "x"
    for words, sentence in (
        (("jsonl", "bto"), "bto"),
        (("csv", "--since", "never"), "'never' is no time"),
        (("csv", "--since", "1h", "--until", "2h"), "nothing can lie between"),
        (("jsonl", "--from", "900"), "There are no positions 900"),
        (("jsonl", "--to", "900"), "It ends at"),
        (("cdevents", "--from", "5", "--to", "4"), "There are no positions 5 to 4"),
        (("annotations", "bto"), "bto"),
        (("parquets",), "parquets"),
    ):
        told = night("export", *words, *(("--out", out) if words != ("parquets",) else ()), exits=2)
        assert sentence in told.err, told
    assert not out.exists()
    told = night("export", "jsonl", "--out", tmp_path / "absent" / "x", exits=1)
    assert "absent" in told.err
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_stats(night: Rollout) -> None:
    """The numbers of that night, for people and for programs; what can't be derived says why (I8)."""
    told = night("stats", "bot", "-o", "json").json
    (numbers,) = told["systems"]
    head = night("checkpoint").json
    assert (told["position"], told["chain"]) == (head["position"], head["chain"])
    assert [each["mode"] for each in numbers["time_in_mode"]]
    assert numbers["change_failure_rate"] == {"value": 1.0, "samples": 1, "note": None}
    assert numbers["mean_time_to_detect_seconds"]["value"] is None
    assert "raised by hand" in numbers["mean_time_to_detect_seconds"]["note"]
    assert numbers["rollbacks"] == [
        {"cause": "human", "count": 1, "completed": 1, "abandoned": 0, "open": 0}
    ]
    table = night("stats", "bot")
    assert re.search(r"bot +change failure rate +100\.0% +1", table.out)
    assert re.search(r"bot +mean time to detect +— .*raised by hand", table.out)
    rows = list(csv.DictReader(io.StringIO(night("stats", "-o", "csv").out)))
    assert {row["measure"] for row in rows} >= {
        "time in mock",
        "mean time to restore",
        "rollbacks by human",
    }
    assert lines(night("stats", "-o", "jsonl").out)[0]["system"] == "bot"
    assert (
        "no mode was recorded"
        in night("stats", "bot", "--since", "2001-01-01", "--until", "2002-01-01").out
    )
    for words, sentence in (
        (("bto",), "bto"),
        (("--since", "1h", "--until", "2h"), "nothing can lie between"),
        (("--since", "2099-01-01"), "nothing can lie between"),
    ):
        assert sentence in night("stats", *words, exits=2).err
