"""A git repository of a bot, as a desk has it: two releases, the bot's files in the tree."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

OURS = {
    "GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@desk", "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@desk", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
}  # fmt: skip


def git(folder: Path, *words: str) -> str:
    """Run git in ``folder``; return what it says."""
    return subprocess.run(
        ["git", *words],
        cwd=folder,
        env=os.environ | OURS,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def commit(folder: Path, files: dict[str, str], tag: str) -> str:
    """Write files, commit them under a tag; return the commit."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", tag)
    git(folder, "tag", tag)
    return git(folder, "rev-parse", "HEAD")


def two_releases(folder: Path) -> tuple[str, str]:
    """Make a checkout with v2.0.0 and v3.0.0, at the newer one; return both commits."""
    folder.mkdir(exist_ok=True)
    git(folder, "init", "--quiet")
    old = commit(
        folder, {"bot.py": "print(2)\n", "config.yaml": "levels: 2\n", "old.py": "old\n"}, "v2.0.0"
    )
    (folder / "old.py").unlink()
    new = commit(
        folder,
        {"bot.py": "print(3)\n", "config.yaml": "levels: 3\n", "new/rebuild.py": "new\n"},
        "v3.0.0",
    )
    return old, new
