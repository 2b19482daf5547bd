"""What a weaker hand does to the database, and what then decides, acts or is noticed (I1, I9, I32)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest
from psycopg import Connection, sql

from tests.support.commands import Rollout

READER = "SET ROLE ledger_projector"


@contextmanager
def as_superuser(bot: Rollout, *first: LiteralString) -> Iterator[Connection[Any]]:
    with psycopg.connect(str(bot.dsn), autocommit=True) as connection:
        for statement in first:
            connection.execute(statement)
        yield connection


def write_into_the_state(bot: Rollout, path: str, value: object) -> None:
    """Change what a read model says of the bot, as whoever keeps the read models can."""
    bot("status", "bot")
    with as_superuser(bot, READER) as reader:
        for table in ("system_state", "system_snapshot"):
            reader.execute(
                sql.SQL(
                    "UPDATE readmodel.{} SET state = jsonb_set(state::jsonb, %s, %s)::text"
                ).format(sql.Identifier(table)),
                (path, json.dumps(value)),
            )


def test_where_a_pause_goes_is_read_from_the_log(bot: Rollout, tmp_path: Path) -> None:
    """A1: a reader of the models sent mode and pause elsewhere, and "✔ paused" was told."""
    elsewhere = tmp_path / "elsewhere.json"
    write_into_the_state(bot, "{registration,actuators,control_file}", str(elsewhere))
    bot("pause", "bot", "--reason", "look")
    assert json.loads((tmp_path / "mode.json").read_text())["mode"] == "paused"
    assert not elsewhere.exists()


def test_what_is_stable_is_read_from_the_log(bot: Rollout, tmp_path: Path) -> None:
    """A1: a quarantined configuration was made stable, and the way back led to it."""
    (tmp_path / "config.yaml").write_text("size: 99\n")
    (bad,) = [
        bot("config", "put", "bot", tmp_path / "config.yaml", "--in-force", "-o", "json").json["fingerprint"]
    ]  # fmt: skip
    write_into_the_state(bot, f"{{configs,{bad},stable}}", 10**6)
    bot("rollback", "bot", "--last-stable", "--reason", "back")
    assert "levels: 5" in (tmp_path / "config.yaml").read_text()


def test_what_restarts_the_bot_is_read_from_the_log(bot: Rollout, tmp_path: Path) -> None:
    """A1: a command put into a read model was run by the operator."""
    trace = tmp_path / "trace"
    code = {"repository": str(tmp_path), "restart": ["touch", str(trace)]}
    write_into_the_state(bot, "{registration,actuators,code}", code)
    bot("rollback", "bot", "--last-stable", "--code", "HEAD", "--reason", "back", exits=None)
    assert not trace.exists()


EVIL: LiteralString = """
    CREATE FUNCTION public.evil() RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM set_config('role', 'none', false);
        PERFORM ledger.append(gen_random_uuid(), 'system:bot', null, 'ModeSwitched', 1, now(),
            '{"actor":{"id":"ceo","kind":"human","name":"CEO"},"channel":"cli",
              "data":{"to_mode":"real","carried_by":"nothing"},"system":"bot"}');
        RETURN true;
    END $$
"""
TRAPS: dict[str, tuple[LiteralString, ...]] = {
    "a view": (
        "ALTER TABLE readmodel.system_state RENAME TO kept",
        "CREATE VIEW readmodel.system_state AS SELECT * FROM readmodel.kept WHERE public.evil()",
    ),
    "a constraint": ("ALTER TABLE readmodel.timeline ADD CHECK (public.evil()) NOT VALID",),
    "a default": ("ALTER TABLE readmodel.timeline ADD COLUMN x boolean DEFAULT public.evil()",),
    "a rule": ("CREATE RULE trap AS ON INSERT TO readmodel.timeline DO ALSO SELECT public.evil()",),
}


@pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS)
def test_nothing_of_a_reader_is_run_with_the_rights_of_who_comes_by(
    bot: Rollout, trap: tuple[LiteralString, ...]
) -> None:
    """A1: whoever ran any command recorded, in their own name, what a reader wanted."""
    bot("status", "bot")
    with as_superuser(bot, EVIL, READER) as reader:
        for statement in trap:
            reader.execute(statement)
    with as_superuser(bot) as superuser:
        row = superuser.execute("SELECT max(position) FROM ledger.event").fetchone()
        assert row is not None
    for command in (["status", "bot"], ["log", "bot"], ["drift", "bot"], ["explain", "bot"]):
        told = bot(*command, exits=None)
        if command[0] in {"status", "log"}:
            assert told.code == 7
            assert "not what this program made" in told.err
    with as_superuser(bot) as superuser:
        types = superuser.execute(
            "SELECT type FROM ledger.event WHERE position > %s", row
        ).fetchall()
    assert ("ModeSwitched",) not in types
    bot("pause", "bot", "--reason", "look")


GUARDS: dict[str, tuple[LiteralString, str]] = {
    "the trigger is gone": (
        "DROP TRIGGER event_append_only ON ledger.event",
        "the trigger ledger.event.event_append_only is missing",
    ),
    "the trigger is off": (
        "ALTER TABLE ledger.blob DISABLE TRIGGER blob_append_only",
        "the trigger ledger.blob.blob_append_only is switched off",
    ),
    "the trigger is for origin only": (
        "ALTER TABLE ledger.event ENABLE TRIGGER event_append_only",
        "the trigger ledger.event.event_append_only is switched off",
    ),
    "another owner": (
        "ALTER TABLE ledger.event OWNER TO ledger_writer",
        "ledger.event belongs to ledger_writer",
    ),
    "a function of another": (
        "ALTER FUNCTION ledger.put_blob(bytea) OWNER TO ledger_writer",
        "ledger.put_blob() belongs to ledger_writer",
    ),
    "a right to delete": (
        "GRANT DELETE ON ledger.event TO ledger_auditor",
        "ledger_auditor has the right to DELETE ledger.event",
    ),
    "everybody appends": (
        "GRANT EXECUTE ON FUNCTION ledger.put_blob(bytea) TO PUBLIC",
        "everybody may call ledger.put_blob(bytea)",
    ),
    "another function": (
        """CREATE OR REPLACE FUNCTION ledger.refuse_mutation() RETURNS trigger LANGUAGE plpgsql
               SET search_path = pg_catalog, pg_temp AS $$ BEGIN RETURN NULL; END $$""",
        "ledger.refuse_mutation() is not the one that this program brought",
    ),
    "a search path of one's own": (
        "ALTER FUNCTION ledger.put_blob(bytea) RESET search_path",
        "ledger.put_blob(bytea) is not the one that this program brought",
    ),
}


@pytest.mark.parametrize(("change", "says"), GUARDS.values(), ids=GUARDS)
def test_a_guard_that_is_gone_is_noticed(bot: Rollout, change: LiteralString, says: str) -> None:
    """B5: the log is as sound as before, and nothing but this would tell that it is open."""
    assert bot("doctor", "-o", "json").json["guards"] == "in place"
    bot("verify")
    with as_superuser(bot, change):
        pass
    for command in ("doctor", "verify"):
        assert says in bot(command, exits=7).err


def spooled(
    type_: str, data: dict[str, Any], *, stream: str = "system:bot", **body: object
) -> bytes:
    """Return a line as the program journals it."""
    actor = {"id": "ceo", "kind": "human", "name": "CEO"}
    whole = {
        "actor": actor,
        "channel": "cli",
        "data": data,
        "spooled": True,
        "system": "bot",
        **body,
    }
    record = {
        "event_id": str(uuid4()), "stream": stream, "type": type_, "schema_version": 1,
        "occurred_at": "2026-02-03T12:00:00+00:00", "body": json.dumps(whole), "ledger": None,
    }  # fmt: skip
    return json.dumps(record).encode()


REAL = {"to_mode": "real", "carried_by": "nothing"}
PAUSED = {"to_mode": "paused", "to_kind": "halt", "carried_by": "nothing"}
APPLIED = {"fingerprint": f"sha256:{'1' * 64}", "snapshot": "1" * 64}
FORGED = {
    "real": spooled("ModeSwitched", REAL),
    "real is asked for": spooled("ModeSwitchRequested", {"to_mode": "real", "actuators": []}),
    "a registration": spooled("SystemChanged", {"environment": "staging", "actuators": {}}),
    "a mark": spooled("FingerprintMarkedStable", {"fingerprint": f"sha256:{'1' * 64}"}),
    "an approval": spooled("ApprovalGranted", {"request": "A-1", "role": "cto", "signed_on": "2026-02-03"}),
    "not marked": spooled("ModeSwitched", PAUSED, spooled=False),
    "on another's stream": spooled("ModeSwitched", PAUSED, stream="system:other"),
    "an apply": spooled("ConfigApplied", {**APPLIED, "cause": "apply", "changes": []}),
    "of the ledger": spooled("LedgerCreated", {"ledger_id": "x", "program_version": "1"}, stream="ledger"),
}  # fmt: skip


@pytest.mark.parametrize("line", FORGED.values(), ids=FORGED)
def test_a_spool_holds_only_what_lowers_and_what_was_seen(bot: Rollout, line: bytes) -> None:
    """A9: who owns the home needs no right in the database; nothing that raises or judges comes in so."""
    before = bot.log("bot")
    folder = bot.home / "spool"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "spool.jsonl").write_bytes(line + b"\n" + spooled("ModeSwitched", PAUSED) + b"\n")
    told = bot("status", "bot", exits=None)
    assert "was set aside in" in bot("recover", "bot", exits=None).err + told.err
    came = [row for row in bot.log("bot") if row not in before]
    assert [row["type"] for row in came if row["actor"] == "CEO"] == ["ModeSwitched"]
    assert bot("status", "bot", "-o", "json", exits=None).json["mode"] == "mock"
