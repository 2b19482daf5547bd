"""Recipe 1, seen to work: the command records the event once, the fold knows it, the log tells it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from click.testing import CliRunner

from cli.main import cli
from ledger.domain.evolve import fold
from ledger.domain.state import SystemState
from ledger.store.postgres import PostgresStore

DSN = os.environ["ROLLOUT_DSN"]


def rollout(home: Path, *words: str) -> str:
    """Run a command in this process; return its stdout."""
    environment = {"ROLLOUT_HOME": str(home), "ROLLOUT_ACTOR": "human:ann"}
    done = CliRunner().invoke(cli, words, env=environment, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def main() -> None:
    """Cap the leverage of a bot."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        rollout(home, "system", "add", "bot")
        cap = ("system", "cap", "bot", "3", "--reason", "thin books", "-o", "json")
        assert json.loads(rollout(home, *cap))["events"] == ["LeverageCapped"]
        assert json.loads(rollout(home, *cap))["outcome"] == "skipped"
        told = rollout(home, "log", "bot")
    assert "capped the leverage at 3" in told
    store = PostgresStore(DSN)
    state = fold(store.read_stream("system:bot"), SystemState("bot"))
    store.close()
    assert state.to_json()["leverage_most"] == 3


if __name__ == "__main__":
    main()
