"""Recipe 6, seen to work: the read model is built from the log, answers, and is the same after a rebuild."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from ledger.store.connect import PROJECTOR, open_connection
from tests.house.walks.event import rollout

registrations = import_module("projections.models.registrations")


def answered() -> list[tuple[str, str]]:
    """Ask the read model."""
    with open_connection(os.environ["ROLLOUT_DSN"], role=PROJECTOR) as db:
        return [(row["environment"], row["actor"]) for row in registrations.of(db, "bot")]


def main() -> None:
    """Register a bot twice."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        rollout(home, "system", "add", "bot")
        rollout(home, "system", "add", "bot", "--environment", "staging")
        rollout(home, "status", "bot")
        twice = answered()
        assert twice == [("production", "ann"), ("staging", "ann")]
        rollout(home, "projections", "rebuild")
        rollout(home, "projections", "verify")
        assert answered() == twice


if __name__ == "__main__":
    main()
