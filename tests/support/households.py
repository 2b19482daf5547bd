"""Users with a home each, and real commands run on it: for the tests of the embedded server."""

from __future__ import annotations

import contextlib
import functools
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from ledger.store.server_files import ServerFiles
from ledger.store.server_programs import RunAs, packaged_programs, reachable_programs
from tests.support.identities import IDENTITIES, Answer, Command, Identity
from tests.support.postgres import new_folder, run_folder, stop_by_any_means


@dataclass
class Household:
    """A user, a home folder of that user's, and the commands that are run on it."""

    identity: Identity
    home: Path
    programs: Path | None

    @property
    def files(self) -> ServerFiles:
        return ServerFiles(self.home)

    def start(self, action: str = "ensure", **options: Any) -> Command:
        return self.identity.command(self.home, action, programs=self.programs, **options)

    def run(self, action: str = "ensure", **options: Any) -> Answer:
        return self.start(action, **options).answer()

    def one(self, query: str) -> Any:
        """Make sure that the server runs and return the one value that ``query`` gives."""
        with psycopg.connect(self.run().dsn(), autocommit=True) as connection:
            row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]

    def write(self, query: str) -> None:
        with psycopg.connect(self.run().dsn(), autocommit=True) as connection:
            connection.execute(query.encode())

    def postmaster(self) -> psutil.Process:
        return psutil.Process(int(self.files.pid_file.read_text().split("\n")[0]))

    def kill_everything(self) -> None:
        """As a power cut does: no process of the server gets to do anything any more."""
        postmaster = self.postmaster()
        postmaster.suspend()  # so that it begins no process that is not on the list
        processes = [postmaster, *postmaster.children(recursive=True)]
        for signalled in (psutil.Process.suspend, psutil.Process.kill):
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):  # it served a client, and is done
                    signalled(process)
        psutil.wait_procs(processes, timeout=10)

    def starts(self) -> int:
        return self.files.log.read_text().count("starting PostgreSQL")


@pytest.fixture(params=IDENTITIES, ids=lambda identity: identity.name)
def identity(request: pytest.FixtureRequest) -> Identity:
    return request.param


as_one_user = pytest.mark.parametrize("identity", IDENTITIES[:1], ids=lambda one: one.name)
"""For what doesn't depend on who runs it."""


@pytest.fixture
def fresh(identity: Identity) -> Iterator[Household]:
    """A household without a home yet."""
    with open_household(identity, "home") as household:
        yield household


@pytest.fixture
def household(identity: Identity) -> Iterator[Household]:
    """A household whose server was started once, and stopped."""
    with open_household(identity, "home") as household:
        subprocess.run(["cp", "-a", str(seed(identity)), str(household.home)], check=True)
        yield household


@contextlib.contextmanager
def open_household(identity: Identity, name: str) -> Iterator[Household]:
    folder = new_folder()
    if identity.uid is not None:
        identity.give(folder)
    yield Household(identity, folder / name, programs_for(identity))
    stop_by_any_means(folder / name)
    shutil.rmtree(folder)


@functools.cache
def seed(identity: Identity) -> Path:
    """Return a home with data in it, to copy; making one takes longer than all that is tested."""
    folder = new_folder()
    if identity.uid is not None:
        identity.give(folder)
    household = Household(identity, folder / "home", programs_for(identity))
    household.run().dsn()
    household.run("stop")
    household.files.log.unlink()
    return household.home


def programs_for(identity: Identity) -> Path | None:
    """Return programs that ``identity`` can read, when root's tests lie where only root can."""
    if identity.uid is None:
        return None
    run_as = RunAs(identity.uid, identity.uid, step_down=True)
    deadline = time.monotonic() + 60
    return reachable_programs(packaged_programs(), ServerFiles(run_folder()), run_as, deadline)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def wait_for(condition: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.002)
