"""The mutants of `make mutants` fit the source: a list that rots proves nothing."""

from __future__ import annotations

import ast

import pytest

from tests.mutants.catalogue import MUTANTS, ROOT, Mutant, Outdated, found_in

RULES = {
    "gates",
    "modes",
    "rollbacks",
    "configurations",
    "alerts",
    "drift",
    "mitigations",
    "plans",
    "runs",
    "redaction",
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.means)
def test_a_mutant_fits_the_source(mutant: Mutant) -> None:
    """Its text stands once, and what it makes of the module is Python, and something else."""
    whole = found_in(mutant).read_text(encoding="utf-8")
    mutated = ast.parse(whole.replace(mutant.old, mutant.new))
    assert ast.dump(mutated) != ast.dump(ast.parse(whole))
    assert all((ROOT / tests).exists() for tests in mutant.tests.split())


def test_each_kind_of_rules_has_mutants() -> None:
    """Ten at least, two of each kind at least, and none twice."""
    kinds = [mutant.rules for mutant in MUTANTS]
    assert set(kinds) == RULES
    assert min(map(kinds.count, RULES)) >= 2
    assert len({(mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS) >= 10


def test_a_text_that_is_gone_is_told() -> None:
    """Who changes a line that is mutated hears of it here, not when somebody next runs the mutants."""
    with pytest.raises(Outdated, match="stands 0 times"):
        found_in(Mutant("modes", "nothing", "no such line anywhere", "", "tests/unit"))
