"""docs/recipes.md: each recipe is walked, in a copy of the program, by the files that it names alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.house.sources import PACKAGES, ROOT
from tests.house.walks import rollback

PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
WALKS = Path(__file__).parent / "walks"
FILES_MAX = 8
COPIED = (*PACKAGES, "docs", "tests")
MADE_BY_MAKE_DOCS = {
    "docs/reference/commands.md",
    "docs/reference/events.md",
    "profiles/profile.schema.json",
}
"""What follows from the rest; no recipe has to name it."""
ASKED = (
    "house/test_events.py",
    "unit/domain/test_systems_decide.py",
    "unit/test_checks_page.py",
    "unit/test_event_vectors.py",
    "unit/test_judge_tables.py",
    "unit/test_own_alerts.py",
    "unit/test_sentences.py",
)
"""The tests that would complain."""
_EDIT = re.compile(
    r"^@@ (before|after|instead of) (\S+)\n(.+?)\n@@ write\n(.+?)\n(?=@@|\Z)"
    r"|^@@ (new) (\S+)\n(.+?\n)(?=@@|\Z)",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Recipe:
    """A section of the page: its title, and the files of its list, in order."""

    title: str
    files: tuple[str, ...]


def _recipes() -> dict[int, Recipe]:
    sections = re.findall(r"^## (\d)\. (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return {
        int(number): Recipe(title, tuple(re.findall(r"^\d\. `([^`]+)`", text, re.MULTILINE)))
        for number, title, text in sections
    }


RECIPES = _recipes()
EDITS = {1: "event", 2: "alert_action", 3: "dates", 5: "check_kind", 6: "read_model"}
"""Recipe -> its edits, WALKS/NAME.txt, and what sees them work, WALKS/NAME.py."""


def write(folder: Path, number: int) -> set[str]:
    """Write in a copy what a recipe writes; return the files."""
    text = (WALKS / f"{EDITS[number]}.txt").read_text(encoding="utf-8")
    written: set[str] = set()
    for how, edited, anchor, insertion, is_new, new, content in _EDIT.findall(text):
        if is_new:
            (folder / new).write_text(content, encoding="utf-8")
        else:
            _edit(folder / edited, how, anchor, insertion, f"recipe {number}, {edited}")
        written.add(new or edited)
    assert len(_EDIT.findall(text)) == len(re.findall(r"^@@ (?!write)", text, re.MULTILINE))
    return written


def _edit(path: Path, how: str, anchor: str, insertion: str, where: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(anchor) == 1, (
        f"{where}: {anchor!r} stands there {text.count(anchor)} times, not once. "
        f"Mend the recipe: docs/recipes.md, and its edits in {WALKS.relative_to(ROOT)}"
    )
    begin = text.index(anchor)
    end = begin + len(anchor)
    if how == "before":
        begin = end = text.rindex("\n", 0, begin) + 1
        insertion += "\n"
    elif how == "after":
        begin = end = text.index("\n", end) + 1
        insertion += "\n"
    path.write_text(text[:begin] + insertion + text[end:], encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the program."""
    for name in COPIED:
        # *.pyc.*: what another process compiles at this moment, and renames.
        ignored = shutil.ignore_patterns("fixtures", "canary_report", "*.pyc.*")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def python(folder: Path, *words: str, **environment: str) -> str:
    """Run Python on the copy; it must end well."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def contents(folder: Path) -> dict[str, bytes]:
    """Return what stands in the files of a copy, but for what Python compiles."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def walk(folder: Path, number: int, **environment: str) -> None:
    """Write what a recipe writes, see that it names just these files, and that the new thing works."""
    assert write(folder, number) == set(RECIPES[number].files)
    python(folder, "-m", f"tests.house.walks.{EDITS[number]}", **environment)


def test_the_page_has_the_six_tasks_each_of_a_few_files() -> None:
    """What takes more files than that is to be made simpler, not described."""
    assert list(RECIPES) == [1, 2, 3, 4, 5, 6]
    assert {number: len(recipe.files) for number, recipe in RECIPES.items()} == {
        1: 8, 2: 3, 3: 4, 4: 8, 5: 5, 6: 3,
    }  # fmt: skip
    assert all(len(recipe.files) <= FILES_MAX for recipe in RECIPES.values())
    assert "docs/recipes.md" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_a_recipe_whose_place_is_gone_says_so(tmp_path: Path) -> None:
    """Whoever moves a line that a recipe goes by is told which recipe to mend."""
    file = tmp_path / "registry.py"
    file.write_text("    Timeline,\n    Timelines,\n")
    with pytest.raises(AssertionError, match=r"recipe 6, registry.py: 'Timeline' .* 2 times"):
        _edit(file, "after", "Timeline", "    Registrations,", "recipe 6, registry.py")
    _edit(file, "after", "Timelines", "    Registrations,", "recipe 6, registry.py")
    assert file.read_text().splitlines()[2:] == ["    Registrations,"]


def test_an_event_with_its_command(folder: Path, embedded_dsn: str) -> None:
    """I16: the command records it once, the fold knows it, the log tells it."""
    walk(folder, 1, ROLLOUT_DSN=embedded_dsn)


def test_an_alert_action(folder: Path) -> None:
    """I9: a rule file may name it, an alert is acted upon by it, and that is recorded."""
    walk(folder, 2)


def test_how_dates_count_in_a_fingerprint(folder: Path) -> None:
    """I3: times of one moment count alike; of the examples, those that are named come to something else."""
    walk(folder, 3)
    python(
        folder, "-m", "pytest", "-q", "-p", "no:xdist", "tests/unit/test_canonical_form_versions.py"
    )


def test_a_rollback_is_followed_to_the_bytes_on_disk(tmp_path: Path) -> None:
    """I5: by the page's functions, in its order, with the intent in the log; nobody else is on the way."""
    named = re.findall(r"^\d\. `([^`]+)`, `(\w+)`:", PAGE, re.MULTILINE)
    assert tuple(file for file, _ in named) == RECIPES[4].files
    route = rollback.followed(tmp_path)
    firsts = [route.entered.index(step) for step in named]
    assert firsts == sorted(firsts)
    assert route.on_the_way <= set(RECIPES[4].files)
    assert route.recorded[-2:] == ["RollbackRequested", "FingerprintQuarantined"]


def test_a_check_kind(folder: Path) -> None:
    """I8: a plan may name it, and it measures."""
    walk(folder, 5)


def test_a_read_model(folder: Path, embedded_dsn: str) -> None:
    """I7: it is built from the log, answers, and is the same after a rebuild."""
    walk(folder, 6, ROLLOUT_DSN=embedded_dsn)


def test_the_house_has_nothing_against_what_the_recipes_write(folder: Path) -> None:
    """With what `make docs` writes besides, nothing is missing that the tests of the house ask for."""
    before = contents(folder)
    numbers = (1, 2, 5, 6)
    for number in numbers:
        write(folder, number)
    python(folder, "-m", "docs.generate")
    changed = {name for name, content in contents(folder).items() if content != before.get(name)}
    named = {name for number in numbers for name in RECIPES[number].files}
    assert changed == named | MADE_BY_MAKE_DOCS
    python(folder, "-m", "ruff", "check", "-q", ".")
    python(folder, "-m", "ruff", "format", "-q", "--check", ".")
    python(folder, "-m", "pytest", "-q", "-p", "no:xdist", *(f"tests/{name}" for name in ASKED))
