"""The code checkout against real repositories: what is never lost, and what a repository can't have run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ledger.actuators.code_checkout import GitCheckout, traces
from ledger.domain.errors import FileNotRead, FileNotWritten, Refused, UnknownName
from tests.support.checkouts import commit, git, two_releases


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    return tmp_path / "bot"


def test_a_changed_file_is_never_lost(bot: Path) -> None:
    old, new = two_releases(bot)
    (bot / "bot.py").write_text("print('fixed at night')\n")
    checkout = GitCheckout(bot)
    with pytest.raises(Refused, match=r"changed by hand: bot\.py") as refused:
        checkout.check_out(old)
    assert "stash" in (refused.value.hint or "")
    assert (bot / "bot.py").read_text() == "print('fixed at night')\n"
    assert checkout.observe().commit == new
    assert checkout.observe().edited == ("bot.py",)


@pytest.mark.parametrize("linked", [False, True])
def test_whoever_looks_often_sees_that_it_moved(bot: Path, linked: bool) -> None:
    """A watch compares only what has changed; of a checkout, git is not asked each time."""
    old, new = two_releases(bot)
    folder = bot
    if linked:
        folder = bot.parent / "linked"
        git(bot, "worktree", "add", "--quiet", "--detach", str(folder), new)

    def seen() -> list[tuple[int, int]]:
        return [(one.stat().st_mtime_ns, one.stat().st_ino) for one in traces(folder)]

    before = seen()
    GitCheckout(folder).observe()
    assert seen() == before
    git(folder, "checkout", "--quiet", old)
    assert seen() != before


def test_a_file_that_git_does_not_know_is_never_overwritten(bot: Path) -> None:
    old, _ = two_releases(bot)
    (bot / "old.py").write_text("notes\n")
    with pytest.raises(Refused, match=r"unknown to git: old\.py"):
        GitCheckout(bot).check_out(old)
    assert (bot / "old.py").read_text() == "notes\n"


def test_what_the_bot_writes_beside_the_code_is_no_change(bot: Path) -> None:
    old, _ = two_releases(bot)
    (bot / "state").mkdir()
    (bot / "state/positions.json").write_text("{}")
    assert GitCheckout(bot).check_out(old)
    assert (bot / "state/positions.json").read_text() == "{}"
    assert not (bot / "new/rebuild.py").exists()


def test_the_configuration_files_may_differ(bot: Path) -> None:
    """They are written after the checkout: changed, or unknown to one of the commits."""
    old, new = two_releases(bot)
    (bot / "config.yaml").write_text("levels: 7\n")
    git(bot, "rm", "--quiet", "--cached", "config.yaml")
    untracked = commit(bot, {".gitignore": "config.yaml\n"}, "v3.1.0")
    checkout = GitCheckout(bot, [bot / "config.yaml"])
    for target in (old, untracked, new, old):
        (bot / "config.yaml").write_text("levels: 8\n")
        assert checkout.observe().edited == ()
        checkout.require_clean(target)
        checkout.check_out(target)
        assert checkout.observe().commit == target


LITTLE_ROOM = """
import resource, sys
from pathlib import Path
from ledger.actuators.code_checkout import GitCheckout
resource.setrlimit(resource.RLIMIT_STACK, (2**20, 2**20))  # a command line is a quarter of it
assert GitCheckout(Path(sys.argv[1])).check_out(sys.argv[2])
"""


def test_more_files_than_a_command_line_holds(bot: Path) -> None:
    """I12: what a crash left half done is finished, however many files that is."""
    two_releases(bot)
    names = [f"{'models' * 30}/{'weights' * 25}/{number:05}.txt" for number in range(800)]
    old = commit(bot, dict.fromkeys(names, "old"), "many")
    commit(bot, dict.fromkeys(names, "new"), "more")
    for name in names:
        (bot / name).write_text("old")
    subprocess.run([sys.executable, "-c", LITTLE_ROOM, str(bot), old], check=True)
    assert not GitCheckout(bot).observe().edited


def test_a_checkout_that_was_cut_off_is_completed(bot: Path) -> None:
    """I12: some files are the new version's already, HEAD and the index are not."""
    old, new = two_releases(bot)
    (bot / "bot.py").write_text("print(2)\n")
    (bot / "old.py").write_text("old\n")
    (bot / "new/rebuild.py").unlink()
    checkout = GitCheckout(bot)
    assert checkout.check_out(old)
    assert checkout.observe().commit == old
    assert git(bot, "status", "--porcelain") == ""
    assert checkout.check_out(new)


def test_a_repository_runs_nothing(bot: Path, tmp_path: Path) -> None:
    """Hooks and the file monitor of a repository are not run: it may have come from anywhere."""
    old, _ = two_releases(bot)
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    hooks = bot / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "pre-commit", "post-index-change", "reference-transaction"):
        (hooks / name).write_text(trap.read_text())
        (hooks / name).chmod(0o755)
    git(bot, "config", "core.fsmonitor", str(trap))
    git(bot, "config", "core.pager", str(trap))
    git(bot, "config", "diff.external", str(trap))
    git(bot, "config", "core.hooksPath", str(hooks))
    checkout = GitCheckout(bot)
    checkout.resolve("v2.0.0")
    assert checkout.check_out(old)
    assert checkout.observe().edited == ()
    assert not (tmp_path / "sprung").exists()


def test_a_name_is_a_name(bot: Path) -> None:
    """A tag that looks like an option, a path or a range is none."""
    two_releases(bot)
    for name in ("--help", "-q", "v2.0.0..v3.0.0", "HEAD:bot.py", "", "nope", "a b"):
        with pytest.raises((UnknownName, FileNotRead)):
            GitCheckout(bot).resolve(name)


def test_another_repository_in_the_environment_is_not_meant(
    bot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Called from a hook of another repository, git's variables point there."""
    old, _ = two_releases(bot)
    elsewhere = tmp_path / "elsewhere"
    _, other = two_releases(elsewhere)
    monkeypatch.setenv("GIT_DIR", str(elsewhere / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(elsewhere))
    assert GitCheckout(bot).check_out(old)
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.delenv("GIT_WORK_TREE")
    assert GitCheckout(elsewhere).observe().commit == other


def test_what_is_no_checkout_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotRead, match="not a git repository"):
        GitCheckout(tmp_path).observe()
    with pytest.raises(FileNotRead, match="no such file"):
        GitCheckout(tmp_path / "missing").observe()


def test_a_lock_that_was_left_is_told_and_nothing_is_lost(bot: Path) -> None:
    old, new = two_releases(bot)
    (bot / ".git/index.lock").touch()
    with pytest.raises(FileNotWritten, match=r"index\.lock"):
        GitCheckout(bot).check_out(old)
    assert GitCheckout(bot).observe().commit == new
    (bot / ".git/index.lock").unlink()
    assert GitCheckout(bot).check_out(old)
