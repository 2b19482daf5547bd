"""What every actuator does alike: one suite, each implementation against the real thing.

Files are files on the disk, HTTP is a server that listens. What only one of them can meet (a full
disk, a server that hangs) is in tests/integration.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ledger.actuators import mode_actuators
from ledger.actuators.code_checkout import GitCheckout
from ledger.actuators.config_files import ConfigFiles
from ledger.actuators.control_file import ControlFile
from ledger.actuators.http_admin import HttpAdmin
from ledger.domain.errors import BadInput, Refused, UnknownName
from ledger.domain.values.actuation import Outcome
from ledger.domain.values.modes import Mode, PauseKind, full_kind
from ledger.ports import CodeActuator, ConfigActuator, ModeActuator
from tests.support.admin_server import running_system
from tests.support.checkouts import two_releases
from tests.support.recording import (
    RecordingCodeActuator,
    RecordingConfigActuator,
    RecordingModeActuator,
)
from tests.support.switching import switch

SETTINGS = [
    (Mode.MOCK, None),
    (Mode.REAL, None),
    (Mode.PAUSED, PauseKind.HALT),
    (Mode.PAUSED, PauseKind.REDUCE_ONLY),
    (Mode.PAUSED, PauseKind.DRAIN),
]


def a_closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def system_in_a_process() -> Iterator[str]:
    """Yield the address of a system that runs as a process of its own."""
    command = [sys.executable, "-m", "tests.support.admin_server"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()


@pytest.fixture(
    params=[
        "recording",
        "control_file",
        "http_admin",
        "http_admin in a process",
        "both",
        "both, HTTP down",
        "only a control file",
    ]
)
def actuator(
    request: pytest.FixtureRequest, tmp_path: Path, system_in_a_process: str
) -> Iterator[ModeActuator]:
    path = tmp_path / "data" / "control" / "mode.json"
    match request.param:
        case "recording":
            yield RecordingModeActuator()
        case "control_file":
            yield ControlFile(path)
        case "http_admin":
            with running_system() as system:
                yield HttpAdmin(system.url)
        case "http_admin in a process":
            yield HttpAdmin(system_in_a_process)
        case "both":
            with running_system() as system:
                yield mode_actuators(http_admin_url=system.url, control_file=path)
        case "both, HTTP down":
            url = f"http://127.0.0.1:{a_closed_port()}"
            yield mode_actuators(http_admin_url=url, control_file=path)
        case _:
            yield mode_actuators(http_admin_url=None, control_file=path)


@pytest.mark.parametrize(("mode", "kind"), SETTINGS)
def test_a_switch_is_carried_confirmed_and_seen(
    actuator: ModeActuator, mode: Mode, kind: PauseKind | None
) -> None:
    """I5: the outcome that is recorded is what was seen, and by whom."""
    carried = switch(actuator, mode, kind)
    assert (carried.mode, carried.pause_kind, carried.confirmed) == (mode, kind, True)
    assert carried.carried_by in {
        attempt.actuator for attempt in carried.attempts if attempt.outcome is Outcome.TOOK_IT
    }
    assert all(attempt.seconds >= 0 for attempt in carried.attempts)
    safe = actuator.observe().safe
    assert safe is not None
    assert (safe.mode, full_kind(mode, safe.pause_kind)) == (mode, kind)


def test_a_pause_without_a_kind_is_a_halt(actuator: ModeActuator) -> None:
    """Seed 001: `paused` rejects all orders."""
    carried = switch(actuator, Mode.PAUSED)
    assert carried.pause_kind is PauseKind.HALT
    assert carried.confirmed


def test_a_kind_for_what_is_no_pause_is_refused_and_changes_nothing(
    actuator: ModeActuator,
) -> None:
    switch(actuator, Mode.MOCK)
    with pytest.raises(BadInput, match="is no pause"):
        switch(actuator, Mode.REAL, PauseKind.HALT)
    safe = actuator.observe().safe
    assert safe is not None
    assert safe.mode is Mode.MOCK


def test_a_switch_is_safe_to_repeat(actuator: ModeActuator) -> None:
    """I12: whoever finishes a crashed operation sends it again."""
    first = switch(actuator, Mode.PAUSED, PauseKind.DRAIN)
    again = switch(actuator, Mode.PAUSED, PauseKind.DRAIN)
    assert (again.carried_by, again.confirmed) == (first.carried_by, True)


def test_leaving_a_pause_leaves_its_kind_behind(actuator: ModeActuator) -> None:
    switch(actuator, Mode.PAUSED, PauseKind.REDUCE_ONLY)
    switch(actuator, Mode.MOCK)
    observed = actuator.observe()
    assert observed.agrees
    assert observed.safe is not None
    assert (observed.safe.mode, observed.safe.pause_kind) == (Mode.MOCK, None)


def test_every_source_has_a_reading_and_none_raises(actuator: ModeActuator) -> None:
    """A look at the world is never an error: what can't be read says why."""
    for reading in actuator.observe().readings:
        assert (reading.mode is None) == (reading.problem is not None)


NAMES = ("config.yaml", "risk/limits.json")
FILES: Mapping[str, bytes] = {
    "config.yaml": "最大回撤: 0.05\r\n".encode(),
    "risk/limits.json": b"\x00\xff not text",
}


@pytest.fixture(params=["recording", "config_files"])
def configuration(request: pytest.FixtureRequest, tmp_path: Path) -> ConfigActuator:
    if request.param == "recording":
        return RecordingConfigActuator(NAMES)
    (tmp_path / "risk").mkdir()
    return ConfigFiles({name: tmp_path / name for name in NAMES})


def test_files_are_put_in_place_byte_for_byte(configuration: ConfigActuator) -> None:
    assert configuration.read() == {}
    written = configuration.write(FILES)
    assert (written.replaced, written.unchanged) == (NAMES, ())
    assert configuration.read() == FILES


def test_writing_the_same_again_replaces_nothing(configuration: ConfigActuator) -> None:
    """I16: what is right already is said to be."""
    configuration.write(FILES)
    again = configuration.write(FILES)
    assert (again.replaced, again.unchanged) == ((), NAMES)
    changed = configuration.write({**FILES, "config.yaml": b""})
    assert (changed.replaced, changed.unchanged) == (NAMES[:1], NAMES[1:])
    assert configuration.read()["config.yaml"] == b""


def test_files_that_were_not_given_are_left_alone(configuration: ConfigActuator) -> None:
    configuration.write(FILES)
    configuration.write({"config.yaml": b"a: 1\n"})
    assert configuration.read()["risk/limits.json"] == FILES["risk/limits.json"]


@pytest.mark.parametrize(
    "name", ["other.yaml", "../config.yaml", os.path.realpath("/etc/hostname")]
)
def test_a_file_that_is_not_the_systems_is_never_written(
    configuration: ConfigActuator, name: str
) -> None:
    """A snapshot, imported from anywhere, must not choose where it is written."""
    with pytest.raises(BadInput, match="none of the system's configuration files"):
        configuration.write({**FILES, name: b"x"})
    assert configuration.read() == {}


OLD, NEW = "2" * 40, "3" * 40


@pytest.fixture(params=["recording", "git"])
def code(request: pytest.FixtureRequest, tmp_path: Path) -> CodeActuator:
    """Code that stands at v3.0.0 and has a v2.0.0."""
    if request.param == "recording":
        return RecordingCodeActuator({OLD: "v2.0.0", NEW: "v3.0.0"})
    two_releases(tmp_path / "bot")
    return GitCheckout(tmp_path / "bot")


@pytest.fixture(params=["recording", "git"])
def edited(request: pytest.FixtureRequest, tmp_path: Path) -> CodeActuator:
    """The same, with a file changed by hand."""
    if request.param == "recording":
        return RecordingCodeActuator({OLD: "v2.0.0", NEW: "v3.0.0"}, ["bot.py"])
    two_releases(tmp_path / "bot")
    (tmp_path / "bot/bot.py").write_text("print('by hand')\n")
    return GitCheckout(tmp_path / "bot")


def test_code_is_checked_out_and_seen(code: CodeActuator) -> None:
    old, new = code.resolve("v2.0.0"), code.resolve("v3.0.0")
    assert (code.observe().commit, code.observe().edited) == (new, ())
    assert code.check_out(old)
    assert code.observe().commit == old
    assert code.check_out(new)


def test_a_checkout_is_safe_to_repeat(code: CodeActuator) -> None:
    """I12: whoever finishes a crashed rollback does it again."""
    old = code.resolve("v2.0.0")
    code.check_out(old)
    assert not code.check_out(old)
    assert code.observe().commit == old


def test_a_commit_is_named_by_tag_or_digits(code: CodeActuator) -> None:
    old = code.resolve("v2.0.0")
    assert code.resolve(old) == code.resolve(old[:12]) == old
    with pytest.raises(UnknownName):
        code.resolve("v9")


def test_history_knows_what_came_before(code: CodeActuator) -> None:
    old, new = code.resolve("v2.0.0"), code.resolve("v3.0.0")
    assert code.is_ancestor(old, new)
    assert code.is_ancestor(old, old)
    assert not code.is_ancestor(new, old)


def test_code_that_was_changed_by_hand_stays(edited: CodeActuator) -> None:
    """Nothing that somebody wrote is lost."""
    old, new = edited.resolve("v2.0.0"), edited.resolve("v3.0.0")
    assert edited.observe().edited == ("bot.py",)
    with pytest.raises(Refused, match=r"bot\.py"):
        edited.require_clean(old)
    with pytest.raises(Refused):
        edited.check_out(old)
    assert edited.observe().commit == new
