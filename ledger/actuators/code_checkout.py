"""A git checkout that a system runs from: at which commit it stands, and how it is put at another.

The git program does it, as a person would: it knows the index, links, line ends and large files. What a
repository could have it run besides is off: hooks, the file monitor, submodules, and the network.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from ledger.domain.errors import FileNotRead, FileNotWritten, IntegrityFailure, Refused, UnknownName
from ledger.domain.values.actuation import CodeStanding

GIT_SECONDS_MAX: Final = 300.0
SHORT: Final = 12
_SHOWN_MAX: Final = 5
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\n")
_ONLY_CHECK_OUT: Final = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "submodule.recurse=false",
    "-c", "protocol.allow=never",  # a partial clone would fetch what it lacks
    "--literal-pathspecs",
)  # fmt: skip
# Of the caller's git variables only these: another GIT_DIR would mean another repository.
_KEPT: Final = frozenset({"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"})


class GitCheckout:
    """Puts a working tree at a commit. See `ledger.ports.CodeActuator`.

    ``ours`` are the configuration files that are written after a checkout: what stands there is no change
    that somebody could lose, be the file known to git or not.
    """

    def __init__(self, repository: Path, ours: Collection[Path] = ()) -> None:
        self._repository: Final = repository
        self._ours: Final = frozenset(path.resolve() for path in ours)

    def observe(self) -> CodeStanding:
        """Return the commit, and the files that were changed by hand."""
        return CodeStanding(self._commit(), tuple(sorted(self._edited(self._root()))))

    def resolve(self, ref: str) -> str:
        """Return the commit that a tag, a branch or a part of a commit's id names."""
        wanted = f"{ref}^{{commit}}"
        commits = self._git(
            "rev-parse", "--verify", "--quiet", "--end-of-options", wanted, ok=(0, 1)
        )
        if not _COMMIT.fullmatch(commits):  # a range is answered with two
            raise UnknownName(
                f"{self._repository} has no commit {ref!r}.",
                hint=f"git -C {self._repository} tag; nothing is fetched here: git fetch --tags does",
            )
        return commits.removesuffix("\n")

    def is_ancestor(self, commit: str, of: str) -> bool:
        """Tell whether ``commit`` is part of the history of ``of``."""
        try:
            self._git("merge-base", "--is-ancestor", commit, of)
        except FileNotRead:
            return False
        return True

    def require_clean(self, commit: str) -> None:
        """Raise `Refused` if going to ``commit`` would lose what somebody has written."""
        root = self._root()
        edited = self._edited(root) - self._already_there(root, commit)
        in_the_way = {path for path, lost in self._untracked(root, commit).items() if lost}
        if edited or in_the_way:
            what = "changed by hand" if edited else "in the way, and unknown to git"
            raise Refused(
                f"{self._repository} has files that are {what}: {_some(edited or in_the_way)}.",
                hint=f"Keep them: git -C {self._repository} stash --include-untracked (or commit them); "
                "then say it again",
            )

    def check_out(self, commit: str) -> bool:
        """Put the tree at ``commit``; return whether anything had to be done for it."""
        self.require_clean(commit)
        if self._commit() == commit:  # which git writes last of all
            return False
        self._make_way(commit)
        self._git("checkout", "--quiet", "--detach", commit, "--", writes=True)
        after = self.observe()
        if after.commit != commit or after.edited:
            raise IntegrityFailure(
                f"{self._repository} stands at {after.commit[:SHORT]}, not at a clean {commit[:SHORT]}.",
                hint="Another program works on it; stop that, then say it again.",
            )
        return True

    # --- what is in the tree ---

    def _root(self) -> Path:
        return Path(self._git("rev-parse", "--show-toplevel").removesuffix("\n"))

    def _commit(self) -> str:
        return self._git("rev-parse", "--verify", "HEAD^{commit}").strip()

    def _changed(self, root: Path) -> dict[str, str]:
        """Return tracked files that differ from HEAD: path -> git's two letters."""
        entries = self._git("status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=no",
                         "--ignore-submodules=all", folder=root)  # fmt: skip
        return {entry[3:]: entry[:2] for entry in entries.split("\0") if entry}

    def _edited(self, root: Path) -> set[str]:
        return {
            path
            for path, letters in self._changed(root).items()
            if "A" in letters or "U" in letters or not self._is_ours(root / path)
        }

    def _already_there(self, root: Path, commit: str) -> set[str]:
        """Return changed files that hold what ``commit`` has: a checkout was cut off there."""
        names = self._git("diff", "--name-only", "-z", "--no-renames", "--no-ext-diff",
                         "--ignore-submodules=all", commit, folder=root)  # fmt: skip
        differ = set(names.split("\0"))
        return {
            path
            for path, letters in self._changed(root).items()
            if letters.startswith(" ") and path not in differ
        }

    def _untracked(self, root: Path, commit: str) -> dict[str, bool]:
        """Return untracked files that ``commit`` would overwrite: path -> whether that loses anything."""
        added = self._git("diff", "--name-only", "-z", "--no-renames", "--diff-filter=A", "HEAD", commit,
                         folder=root)  # fmt: skip
        there = [path for path in added.split("\0") if path and os.path.lexists(root / path)]
        return {path: not (self._is_ours(root / path) or self._holds(root, path, commit))
                for path in there if not (root / path).is_dir()}  # fmt: skip

    def _holds(self, root: Path, path: str, commit: str) -> bool:
        place = root / path
        if place.is_symlink() or not place.is_file():
            return False
        wanted = self._git("rev-parse", "--verify", f"{commit}:{path}", folder=root)
        return self._git("hash-object", "--", path, folder=root) == wanted

    def _is_ours(self, path: Path) -> bool:
        return path.resolve() in self._ours

    def _make_way(self, commit: str) -> None:
        """Let go of what git would stumble over, and nobody would miss (see `require_clean`)."""
        root = self._root()
        back = self._changed(root)
        if back:  # by standard input: a command line holds only so many names
            self._git("checkout", "--quiet", "--pathspec-from-file=-", "--pathspec-file-nul", "HEAD",
                      folder=root, writes=True, given="\0".join(back))  # fmt: skip
        for path in self._untracked(root, commit):
            (root / path).unlink()

    def _git(
        self,
        *words: str,
        folder: Path | None = None,
        ok: Sequence[int] = (0,),
        writes: bool = False,
        given: str = "",
    ) -> str:
        """Run git, which reads ``given``, and return what it says.

        Raises:
            FileNotRead, FileNotWritten: it failed, or can't be started, or did not end.
        """
        problem = FileNotWritten if writes else FileNotRead
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("GIT_") or name in _KEPT
        }
        try:
            ended = subprocess.run(
                ["git", *_ONLY_CHECK_OUT, *words],  # noqa: S607 -- wherever the machine has it
                cwd=folder or self._repository,
                env=environment
                | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"},
                input=os.fsencode(given),
                capture_output=True,
                timeout=GIT_SECONDS_MAX,
                check=False,
            )
        except OSError as error:
            fault = (error.strerror or "it failed").lower()
            raise problem(
                f"git can't be run in {self._repository}: {fault}",
                hint="Correct the path, or install git.",
            ) from error
        except subprocess.TimeoutExpired:
            raise problem(
                f"git {words[0]} in {self._repository} did not end within {GIT_SECONDS_MAX:g} s"
            ) from None
        if ended.returncode not in ok:
            raise problem(
                f"git {words[0]} failed in {self._repository}: {_last_words(ended.stderr)}",
                hint=f"git -C {self._repository} status shows how it stands",
            )
        return os.fsdecode(ended.stdout)


def traces(repository: Path) -> tuple[Path, ...]:
    """Return the files that git writes when somebody checks out, commits or stages: to be looked at often."""
    place = repository / ".git"
    with contextlib.suppress(OSError, UnicodeDecodeError):  # a folder, as a rule
        place = repository / place.read_text().removeprefix("gitdir:").strip()
    return place / "HEAD", place / "index"


def _last_words(said: bytes) -> str:
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    return (
        "; ".join(lines[:_SHOWN_MAX]).removeprefix("fatal: ").removeprefix("error: ") or "no word"
    )


def _some(paths: Collection[str]) -> str:
    shown = ", ".join(sorted(paths)[:_SHOWN_MAX])
    more = len(paths) - _SHOWN_MAX
    return f"{shown} and {more} more" if more > 0 else shown
