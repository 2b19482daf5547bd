"""Who may know whom: the contracts in pyproject.toml hold, and each can be broken."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

from tests.house.sources import PACKAGES, ROOT

# contract -> (file, line): the violation that must turn it red
PLANTED = {
    "top": ("ledger/domain/log/ids.py", "import projections"),
    "front ends": ("runtime/settings.py", "import click"),
    "core": ("ledger/store/base.py", "import ledger.service.core.recorder"),
    "use cases": (
        "ledger/service/modes/switch.py",
        "def f():\n    import ledger.service.recovery",
    ),
    "domain": ("ledger/domain/modes/decide.py", "import ledger.domain.evolve"),
    "read side": ("projections/models/alerts.py", "import projections.engine.runner"),
    "pure": ("ledger/domain/state.py", "import socket"),
    "sqlalchemy": ("ledger/service/core/recorder.py", "import sqlalchemy"),
    "duckdb": ("cli/output.py", "import duckdb"),
    "readers": ("projections/__init__.py", "import ledger.store.postgres"),
    "auditor": ("projections/audit/__init__.py", "import ledger.domain.log.canonical"),
}

# What a pause must not wait for. Each was measured: together they cost more than the pause itself.
HEAVY = {
    "alembic",
    "detect_secrets",
    "duckdb",
    "dulwich",
    "platformdirs",
    "psutil",
    "rich",
    "sqlalchemy",
    "yaml",
}
PAUSE_PATH = ("cli.main", "runtime.wiring", "cli.commands.modes", "ledger.service.modes.switch")


def _lint_imports(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-cache", "--no-logo", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the code, to spoil."""
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_holds() -> None:
    """The code keeps to the direction of imports."""
    result = _lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_no_module_imports_itself_by_way_of_others() -> None:
    """No circle of files, imports inside functions counted: each can be read, and tested, alone."""
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True)
    order = TopologicalSorter(
        {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    )
    order.prepare()  # names the circle if there is one


def test_every_contract_has_a_planted_violation() -> None:
    """A contract that can't turn red is no contract."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    assert {contract["id"] for contract in contracts} == PLANTED.keys()


def test_each_planted_violation_turns_its_contract_red(copy: Path) -> None:
    """Each contract names the file that breaks it."""
    for name, line in PLANTED.values():
        with (copy / name).open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")
    result = _lint_imports(copy)
    assert result.returncode == 1
    settings = tomllib.loads((copy / "pyproject.toml").read_text(encoding="utf-8"))
    _, *broken = re.split(r"\n(?=[^\n]+\n-+\n\n)", result.stdout.partition("Broken contracts")[2])
    told = {" ".join(part.partition("\n-")[0].split()): part for part in broken}
    for contract in settings["tool"]["importlinter"]["contracts"]:
        name, _ = PLANTED[contract["id"]]
        module = name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        assert module in told[contract["name"]], contract["id"]


def test_a_pause_loads_nothing_heavy() -> None:
    """I5: at three in the morning a pause must start at once; see `HEAVY`."""
    code = (
        f"import sys, importlib\nfor name in {PAUSE_PATH!r}: importlib.import_module(name)\n"
        f"print(*sorted({HEAVY!r} & sys.modules.keys()))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []
