"""The version of the fold: other code by which events become a state, other version."""

from __future__ import annotations

import shutil
from pathlib import Path

import grimp
import pytest

from ledger.fold_version import DOMAIN, fold_version


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("modes/evolve.py", True),
        ("modes/state.py", True),
        ("folding.py", True),
        ("log/upcast.py", True),
        ("modes/decide.py", False),
        ("modes/events.py", False),
    ],
)
def test_what_folds_makes_the_version(path: str, changes: bool, tmp_path: Path) -> None:
    """I7: a state is folded anew where another one could come out; not where only decisions differ."""
    domain = tmp_path / "domain"
    shutil.copytree(DOMAIN, domain)
    assert fold_version(domain) == fold_version()
    fold_version.cache_clear()
    with (domain / path).open("a") as file:
        file.write("\nLATER = 1\n")
    assert (fold_version(domain) != fold_version()) is changes


def test_the_version_is_made_of_all_that_the_fold_is_made_of() -> None:
    """I7: whatever the fold imports is hashed: all in the domain, no decision, no model of events."""
    used = grimp.build_graph("ledger").find_upstream_modules("ledger.domain.evolve")
    assert "ledger.domain.modes.evolve" in used
    outside = {
        name
        for name in used
        if not name.startswith("ledger.domain.") or name.endswith((".decide", ".events"))
    }
    assert outside == set()
