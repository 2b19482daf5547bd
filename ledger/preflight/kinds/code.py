"""A git checkout: at which commit it stands, and whether that is all there is in it."""

from __future__ import annotations

import os
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from ledger.preflight.context import CheckContext
from ledger.preflight.finding import CheckError, Outcome, passed
from ledger.preflight.specs import CodeRevision

if TYPE_CHECKING:
    from dulwich.repo import Repo

_SHORT: Final = 12
_SHOWN: Final = 20


def code_revision(check: CodeRevision, context: CheckContext) -> Outcome:
    """Compare HEAD with the revision that is wanted, and the files with HEAD. No git program is needed."""
    from dulwich.errors import NotGitRepository
    from dulwich.repo import Repo

    path = context.base / check.path
    try:
        repository = Repo.discover(str(path))
    except (NotGitRepository, OSError) as error:
        raise CheckError(f"{path} is in no git checkout") from error
    with repository:
        try:
            head = repository.head().decode()
        except KeyError:
            raise CheckError(f"the checkout at {path} has no commit") from None
        wanted = _commit(repository, check.at) if check.at else None
        changed = _changed(repository, check) if check.clean else []
    measured = f"at {head[:_SHORT]}"
    if check.clean:
        measured += f", {len(changed)} files changed" if changed else ", clean"
    threshold = [f"at {check.at}" + (f" ({wanted[:_SHORT]})" if wanted else "")] if check.at else []
    threshold += ["clean"] if check.clean else []
    right = not changed and (check.at is None or wanted == head)
    detail = "\n".join(changed[:_SHOWN])
    if check.at and wanted is None:
        detail = f"there is no revision {check.at}\n{detail}"
    if len(changed) > _SHOWN:
        detail += f"\nand {len(changed) - _SHOWN} more"
    return Outcome(passed(right), measured, ", ".join(threshold) or "a commit", detail)


def _commit(repository: Repo, name: str) -> str | None:
    from dulwich.objectspec import parse_commit

    try:
        return parse_commit(repository, name).id.decode()
    except (KeyError, ValueError):
        return None


def _changed(repository: Repo, check: CodeRevision) -> list[str]:
    from dulwich import porcelain

    untracked = "no" if check.untracked_ok else "normal"
    status: Any = porcelain.status(repository, untracked_files=untracked, optional_locks=False)
    changed: list[bytes | str] = [
        *chain(*status.staged.values()),
        *status.unstaged,
        *status.untracked,
    ]
    return sorted({os.fsdecode(name) for name in changed})
