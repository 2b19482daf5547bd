"""Plant each mutant in a copy of the source, and see the unit tests fail: `make mutants`.

Exit 1 if one survives. ARGS="alerts" plants those of one kind of rules only.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.mutants.catalogue import MUTANTS, ROOT, Mutant, found_in

COPIED: Final = (
    "cli",
    "docs",
    "ledger",
    "migrations",
    "profiles",
    "projections",
    "runtime",
    "tests",
)
TIMEOUT_SECONDS: Final = 600
_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (?:tests/unit/)?(.+?)(?: - .*)?$", re.MULTILINE)


def copy_source(folder: Path) -> None:
    """Copy what the unit tests need; nothing is planted in the source itself."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)


def first_failure(folder: Path, tests: str) -> str | None:
    """Return the first test that fails in ``folder``; None if all pass.

    Raises:
        RuntimeError: the tests could not be run.
    """
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "--numprocesses", "0"]
    ended = subprocess.run(
        [*command, *tests.split()],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    if ended.returncode == 0:
        return None
    failed = _FAILED.search(ended.stdout)
    if failed is None:
        raise RuntimeError(f"pytest {tests} could not be run:\n{ended.stdout}{ended.stderr}")
    return failed[1]


def killer_of(mutant: Mutant, folder: Path) -> str | None:
    """Return the unit test that catches ``mutant``; None if it survives them all."""
    path = found_in(mutant, folder)
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        return first_failure(folder, mutant.tests)
    finally:
        path.write_text(whole, encoding="utf-8")


def tests_of(mutants: Sequence[Mutant]) -> str:
    """Return the unit tests that have to catch ``mutants``, each once."""
    return " ".join(sorted({tests for mutant in mutants for tests in mutant.tests.split()}))


def main(chosen: list[str]) -> int:
    """Plant the mutants (of the ``chosen`` rules), print what caught each, and return the exit code."""
    mutants = [mutant for mutant in MUTANTS if not chosen or mutant.rules in chosen]
    if not mutants:
        print(f"no such rules; there are: {', '.join(sorted({one.rules for one in MUTANTS}))}")
        return 2
    survived = 0
    with tempfile.TemporaryDirectory(prefix="rollout-ledger-mutants-") as name:
        folder = Path(name)
        copy_source(folder)
        healthy = first_failure(folder, tests_of(mutants))
        if healthy is not None:
            print(f"{healthy} fails without any mutant: mend that first")
            return 1
        for mutant in mutants:
            began = time.monotonic()
            killer = killer_of(mutant, folder)
            survived += killer is None
            took = f"{time.monotonic() - began:5.1f} s"
            told = f"killed by {killer}" if killer else "SURVIVED"
            print(f"{mutant.rules:10} {mutant.means:72} {took}  {told}", flush=True)
    print(f"{len(mutants)} mutants, {survived} survived")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
