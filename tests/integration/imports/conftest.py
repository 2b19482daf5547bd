"""A ledger with one system, and a git repository, for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.service.core.session import Ledger
from tests.support.imports import close, open_ledger, register
from tests.support.pasts import Repository


@pytest.fixture
def ledger(embedded_dsn: str, tmp_path: Path) -> Iterator[Ledger]:
    ledger = open_ledger(embedded_dsn, tmp_path / "home")
    register(ledger)
    yield ledger
    close(ledger)


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    made = Repository(tmp_path / "repository")
    yield made
    made.close()
