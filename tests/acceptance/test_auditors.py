"""A login that may only read: it sees what there is, and is told clearly what it may not do."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support.commands import Rollout


@pytest.fixture
def auditor(bot: Rollout, tmp_path: Path) -> Iterator[Rollout]:
    """Somebody elsewhere, whose login is a member of ledger_auditor and of nothing else."""
    name, password = f"auditor_{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    with psycopg.connect(str(bot.dsn), autocommit=True) as owner:
        owner.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                sql.Identifier(name), sql.Literal(password)
            )
        )
        owner.execute(sql.SQL("GRANT ledger_auditor TO {}").format(sql.Identifier(name)))
        yield Rollout(
            tmp_path / "elsewhere", make_conninfo(str(bot.dsn), user=name, password=password)
        )
        owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_an_auditor_reads_the_models_as_they_stand(bot: Rollout, auditor: Rollout) -> None:
    """Reading needs no right to write, neither to the log nor to the read models."""
    bot("status", "bot")
    assert auditor("status", "bot", "-o", "json").json["mode"] == "mock"
    bot("pause", "bot", "--reason", "rejects")
    told = auditor("log", "bot", "-o", "json")
    assert "events behind" in told.err
    assert "rejects" not in told.out
    bot("status", "bot", exits=None)
    told = auditor("log", "bot", "-o", "json")
    assert "behind" not in told.err
    assert "rejects" in told.out
    for words in (
        ["show", "1"], ["at", "bot", "#3"], ["explain", "bot"], ["config", "list", "bot"],
        ["config", "blame", "bot"], ["alert", "list"], ["incident", "list"], ["system", "list"],
        ["verify"], ["sql", "SELECT count(*) FROM events"],
    ):  # fmt: skip
        auditor(*words)


def test_an_auditor_may_not_decide(bot: Rollout, auditor: Rollout) -> None:
    """I1: the right to append is the writers'; and the error says so, with the way to get it."""
    bot("status", "bot")
    told = auditor("switch", "bot", "--to", "real", "--reason", "go", "--yes", exits=9)
    assert "may not" in told.err
    assert "GRANT ledger_writer" in told.err
    assert len(bot.log("bot", "ModeSwitched")) == 1


def test_nothing_stops_a_pause(bot: Rollout, auditor: Rollout, tmp_path: Path) -> None:
    """I5: whoever can reach the world may pause it; the record waits for somebody who may append."""
    told = auditor("pause", "bot", "--control-file", tmp_path / "mode.json", "--reason", "rejects")
    assert json.loads((tmp_path / "mode.json").read_text())["mode"] == "paused"
    assert "may not act as ledger_writer" in told.err
    assert "not yet in the ledger" in told.err
    told = auditor("status", "bot", exits=None)
    assert "waits" in told.err
