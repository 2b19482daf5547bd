"""The history of configuration files in a git repository, read by dulwich; no git program is needed.

The first-parent history of a branch is what was in force there: a merged branch is one change, by
whoever merged it. Renames are not followed.
"""

from __future__ import annotations

import hashlib
import posixpath
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any, Final

from ledger.domain.errors import BadInput, FileNotRead
from ledger.domain.values.moments import since_1970
from ledger.service.imports.actors import git_author
from ledger.service.imports.base import BadRecord, Problem, Progress, Told
from ledger.service.imports.changes import Step
from ledger.service.imports.times import AHEAD_MAX

if TYPE_CHECKING:
    from dulwich.objects import Commit, ObjectID
    from dulwich.repo import Repo

    from ledger.configuration.snapshot import Snapshot

_HEX: Final = 12
_PROGRESS_EVERY: Final = 500
_LFS_POINTER: Final = b"version https://git-lfs.github.com/spec/"
_TREES_KEPT: Final = 4096
_UNREADABLE: Final = (KeyError, OSError, zlib.error, ValueError, AssertionError)


@dataclass(frozen=True, slots=True)
class Version:
    """A commit that changes the configuration."""

    commit: bytes
    """Its id, in hex."""
    blobs: tuple[bytes | None, ...]
    """The ids of the files' contents, by path; None where there is no such file."""

    @property
    def called(self) -> str:
        """The commit as messages name it."""
        return f"commit {self.commit[:_HEX].decode()}"


class History:
    """The commits of a repository that change some of its files, oldest first."""

    def __init__(self, repository: Path, paths: Sequence[str], *, ref: str = "HEAD") -> None:
        """Take a repository (or a folder inside one) and paths from its root.

        Raises:
            BadInput: there is no repository, or no such branch; a path lies outside.
        """
        self._repo = _opened(repository)
        self._root = repository
        self.paths = tuple(self._from_root(path) for path in paths)
        self.ref = ref
        self._tree = lru_cache(_TREES_KEPT)(self._read_tree)
        self.versions: list[Version] = []

    def __enter__(self) -> History:
        return self

    def __exit__(self, *_: object) -> None:
        self._repo.close()

    @property
    def digest(self) -> str:
        """SHA-256 over the commits and the paths, in hex: equal when there is nothing new."""
        listed = [version.commit for version in self.versions]
        return hashlib.sha256(b"\n".join([*listed, *map(str.encode, self.paths)])).hexdigest()

    def scan(self, told: Told, progress: Progress | None = None) -> None:
        """Find the commits that change the files.

        Raises:
            BadInput: no commit has such a file.
            FileNotRead: an object of the repository is missing or damaged.
        """
        versions: list[Version] = []
        commit: ObjectID | None = self._tip()
        oldest, count = b"", 0
        blobs = self._blobs(commit)
        while commit is not None:
            parents = self._repo.get_parents(commit)
            parent = parents[0] if parents else None
            before = self._blobs(parent)
            if before != blobs:
                versions.append(Version(commit, blobs))
            oldest, commit, blobs = commit, parent, before
            count += 1
            if progress is not None and count % _PROGRESS_EVERY == 0:
                progress(count)
        self.versions = versions[::-1]
        self._require_paths()
        self._tell(told, oldest)

    def steps(
        self, told: Told, names: Mapping[str, str], snapshot_of: Any, now: datetime
    ) -> Iterator[Step]:
        """Yield a step for each version; one that can't be read as a configuration goes to ``told``.

        ``names`` says under which name a path is kept, ``snapshot_of`` makes a snapshot of names and bytes.
        """
        latest: datetime | None = None
        identity = hashlib.sha256("\0".join(self.paths).encode()).digest()
        for version in self.versions:
            if not any(version.blobs):
                told.repeated.append(f"{version.called} removes the configuration")
                continue
            try:
                commit = self._object(version.commit)
                latest = _when(commit, latest, now)
                yield self._step(
                    version, commit, latest, identity, self._snapshot(version, names, snapshot_of)
                )
            except BadRecord as bad:
                told.bad(Problem(version.called, str(bad)))
            except BadInput as bad:
                told.bad(Problem(version.called, bad.message))

    def _step(
        self, version: Version, commit: Commit, at: datetime, identity: bytes, snapshot: Snapshot
    ) -> Step:
        return Step(
            where=version.called,
            called=version.called,
            digest=bytes.fromhex(version.commit.decode()) + identity,
            ordinal=0,
            at=at,
            actor=git_author(_text(commit.author, commit.encoding)),
            reason=_text(commit.message, commit.encoding).strip() or None,
            source=f"git commit {version.commit.decode()}",
            after=snapshot,
        )

    def _snapshot(self, version: Version, names: Mapping[str, str], snapshot_of: Any) -> Snapshot:
        contents: list[tuple[str, bytes]] = []
        for path, blob in zip(self.paths, version.blobs, strict=True):
            if blob is not None:
                content = self._object(blob).as_raw_string()
                if content.startswith(_LFS_POINTER):
                    raise BadRecord(
                        f"{path} is a Git LFS pointer: its content is not in the repository"
                    )
                contents.append((names[path], content))
        snapshot: Snapshot = snapshot_of(contents)
        return snapshot

    def _from_root(self, path: str) -> str:
        """Return ``path`` as the repository names it, also when it was given as a path on this machine."""
        given = Path(path)
        if given.is_absolute():
            for folder in (self._root.absolute(), *self._root.absolute().parents):
                if given.is_relative_to(folder) and (folder / ".git").exists():
                    path = given.relative_to(folder).as_posix()
        normal = posixpath.normpath(path.replace("\\", "/"))
        if normal.startswith(("/", "..")) or normal == ".":
            raise BadInput(
                f"{path} is no path inside the repository {self._root}.",
                hint="Give paths from the repository's root: config/config.yaml",
            )
        return normal

    def _tip(self) -> ObjectID:
        from dulwich.objectspec import parse_commit

        try:
            tip: Commit = parse_commit(self._repo, self.ref)
        except (KeyError, ValueError):
            raise BadInput(
                f"{self._root} has no branch, tag or commit {self.ref!r}.",
                hint="Name one with --ref; a repository without a commit has nothing to import.",
            ) from None
        return tip.id

    def _blobs(self, commit: bytes | None) -> tuple[bytes | None, ...]:
        if commit is None:
            return (None,) * len(self.paths)
        tree = self._object(commit).tree
        return tuple(self._blob(tree, path) for path in self.paths)

    def _blob(self, tree: bytes, path: str) -> bytes | None:
        *folders, name = path.encode().split(b"/")
        for folder in folders:
            mode, tree = self._tree(tree).get(folder, (0, b""))
            if mode != 0o040000:
                return None
        mode, blob = self._tree(tree).get(name, (0, b""))
        return blob if S_ISREG(mode) else None

    def _read_tree(self, tree: bytes) -> dict[bytes, tuple[int, bytes]]:
        return {entry.path: (entry.mode, entry.sha) for entry in self._object(tree).iteritems()}

    def _object(self, id_: bytes) -> Any:
        from dulwich.errors import ObjectFormatException

        try:
            return self._repo[id_]
        except (*_UNREADABLE, ObjectFormatException) as error:
            raise FileNotRead(
                f"{self._root}: object {id_[:_HEX].decode()} is missing or damaged ({type(error).__name__}).",
                hint="git fsck tells more; a partial clone has to fetch everything first.",
            ) from None

    def _require_paths(self) -> None:
        for index, path in enumerate(self.paths):
            if not any(version.blobs[index] for version in self.versions):
                raise BadInput(
                    f"No commit in the history of {self.ref} has a file {path}.",
                    hint="Give paths from the repository's root; folders and symbolic links don't count.",
                )

    def _tell(self, told: Told, oldest: bytes) -> None:
        if self._repo.get_shallow():
            told.notes.append(
                f"this is a shallow clone: its history begins at commit {oldest[:_HEX].decode()}"
            )
        for index, path in enumerate(self.paths):
            first = next(version for version in self.versions if version.blobs[index])
            if first.commit != oldest:
                told.notes.append(f"{path} begins at {first.called}; renames are not followed")


def _opened(path: Path) -> Repo:
    from dulwich.errors import NotGitRepository
    from dulwich.repo import Repo

    try:
        return Repo.discover(str(path))
    except NotGitRepository:
        raise BadInput(
            f"{path} is no git repository, and not inside one.",
            hint="Name a clone on this machine: git clone URL fetches one.",
        ) from None
    except (OSError, ValueError) as error:
        raise FileNotRead(f"The git repository {path} can't be opened: {error}") from None


def _when(commit: Commit, latest: datetime | None, now: datetime) -> datetime:
    """Return when a commit's author made it, though never before the commit that it stands on.

    A rebase keeps the authors' times and may change their order, but a configuration can't have been in
    force before the one that it replaced; and no author's clock is believed to run ahead of the committer's.
    """
    try:
        made = min(since_1970(commit.author_time), since_1970(commit.commit_time))
    except ValueError:
        raise BadRecord("its time is no time") from None
    if made > now + AHEAD_MAX:
        raise BadRecord(f"its time lies in the future: {made.isoformat()}")
    return made if latest is None else max(made, latest)


def _text(raw: bytes, encoding: bytes | None) -> str:
    """Return a commit's text: in the encoding that it names, else UTF-8, else what Git fell back to."""
    for name in (encoding.decode("ascii", "replace") if encoding else "utf-8", "utf-8"):
        try:
            return raw.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
    return raw.decode("latin-1")
