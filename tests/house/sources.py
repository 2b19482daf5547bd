"""The project's own files, for tests that read the code as text or as a tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("cli", "runtime", "projections", "ledger", "migrations", "profiles")
FOLDERS = (*PACKAGES, "bench", "tests", "docs", ".ci")
TEXTS = {
    ".py",
    ".sql",
    ".md",
    ".toml",
    ".yaml",
    ".yml",
    ".json",
    ".sh",
    ".mako",
    ".ini",
    ".txt",
    "",
}


@dataclass(frozen=True)
class Source:
    """One file: where it is and what it says."""

    path: Path

    @property
    def name(self) -> str:
        """The path within the project, with slashes."""
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        """The file's text."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def lines(self) -> list[str]:
        """The file's lines."""
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        """The file as Python reads it."""
        return ast.parse(self.text, self.name)


@cache
def texts() -> tuple[Source, ...]:
    """Return every text file of the project."""
    found = [
        path
        for path in ROOT.iterdir()
        # In a linked work tree .git is a file that names the folder of the repository.
        if path.is_file() and path.suffix in TEXTS and path.name != ".git"
    ]
    for folder in FOLDERS:
        found += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    return tuple(
        Source(path)
        for path in sorted(found)
        if path.suffix in TEXTS and "__pycache__" not in path.parts and _is_text(path)
    )


def _is_text(path: Path) -> bool:
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    return True


@cache
def modules() -> tuple[Source, ...]:
    """Return every Python file of the project, tests too."""
    return tuple(source for source in texts() if source.path.suffix == ".py")


@cache
def product() -> tuple[Source, ...]:
    """Return the Python files that users run."""
    return tuple(source for source in modules() if source.name.split("/")[0] in PACKAGES)


def functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method of a module."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
