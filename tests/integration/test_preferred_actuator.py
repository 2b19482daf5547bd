"""HTTP and the control file together: which one is asked, which one is believed."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.actuators import mode_actuators
from ledger.domain.errors import BadInput
from ledger.domain.values.actuation import NotCarried, Outcome
from ledger.domain.values.modes import Mode
from ledger.ports import ModeActuator
from tests.support import admin_server
from tests.support.admin_server import System, break_off, ignore, running_system, says
from tests.support.fakes import FrozenClock
from tests.support.switching import outcomes, switch


@pytest.fixture
def system() -> Iterator[System]:
    with running_system() as system:
        yield system


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mode.json"


def both(system: System, path: Path, clock: FrozenClock | None = None) -> ModeActuator:
    return mode_actuators(
        http_admin_url=system.url, control_file=path, clock=clock or FrozenClock()
    )


@pytest.mark.parametrize("mode", list(Mode))
def test_http_is_preferred_and_the_file_brought_in_line(
    system: System, path: Path, mode: Mode
) -> None:
    """Seed inconsistency 21: two sources of the mode must not disagree."""
    carried = switch(both(system, path), mode)
    assert carried.carried_by == "http_admin"
    assert carried.confirmed
    assert carried.warnings == ()
    assert json.loads(path.read_bytes())["mode"] == mode.value
    assert both(system, path).observe().agrees


def test_a_pause_reaches_the_file_before_a_hanging_interface_is_waited_for(
    system: System, path: Path
) -> None:
    """I5: what reduces exposure is not held up by what is broken."""
    seen: list[bytes] = []

    def look(handler: admin_server.Handler) -> None:
        seen.append(path.read_bytes())
        handler.answer(500, b"")

    system.on_post = look
    carried = switch(both(system, path), Mode.PAUSED)
    assert json.loads(seen[0])["mode"] == "paused"
    assert carried.carried_by == "control_file"
    assert carried.confirmed
    assert outcomes(carried) == [
        ("control_file", Outcome.TOOK_IT),
        ("http_admin", Outcome.UNKNOWN),
    ]
    assert "HTTP 500" in carried.warnings[0]


@pytest.mark.parametrize("mode", [Mode.MOCK, Mode.PAUSED])
@pytest.mark.parametrize("status", [403, 500])
def test_what_is_no_real_money_falls_back_whatever_http_said(
    system: System, path: Path, mode: Mode, status: int
) -> None:
    system.on_post = says(status)
    carried = switch(both(system, path), mode)
    assert carried.carried_by == "control_file"
    assert json.loads(path.read_bytes())["mode"] == mode.value


@pytest.mark.parametrize("manner", [says(403), says(500), break_off])
def test_real_does_not_get_round_a_system_that_did_not_say_yes(
    system: System, path: Path, manner: admin_server.Manner
) -> None:
    """I9's spirit: what raises exposure fails closed."""
    path.write_bytes(b'{"mode": "mock"}')
    system.on_post = manner
    with pytest.raises(NotCarried, match="nothing took the switch to real") as refusal:
        switch(both(system, path), Mode.REAL)
    assert [name for name, _ in outcomes(refusal.value)] == ["http_admin"]
    assert path.read_bytes() == b'{"mode": "mock"}'


def test_real_goes_by_the_file_where_the_interface_is_not_there(path: Path) -> None:
    """Seed 001: the control file is for an interface that is off or out of reach."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        actuator = mode_actuators(http_admin_url=url, control_file=path, clock=FrozenClock())
        carried = switch(actuator, Mode.REAL)
    assert carried.carried_by == "control_file"
    assert outcomes(carried) == [
        ("http_admin", Outcome.FAILED),
        ("control_file", Outcome.TOOK_IT),
    ]


def test_real_is_not_written_to_the_file_before_it_was_seen(system: System, path: Path) -> None:
    path.write_bytes(b'{"mode": "mock"}')
    system.on_post = ignore
    carried = switch(both(system, path), Mode.REAL)
    assert (carried.carried_by, carried.confirmed) == ("http_admin", False)
    assert path.read_bytes() == b'{"mode": "mock"}'
    assert any("the control file was left as it is" in warning for warning in carried.warnings)


def test_a_file_that_cannot_follow_is_a_warning(system: System, path: Path) -> None:
    path.mkdir()
    carried = switch(both(system, path), Mode.PAUSED)
    assert (carried.carried_by, carried.confirmed) == ("http_admin", True)
    assert outcomes(carried) == [
        ("control_file", Outcome.FAILED),
        ("http_admin", Outcome.TOOK_IT),
    ]
    assert "control_file did not take it" in carried.warnings[0]


def test_when_nothing_takes_it_each_answer_is_told(system: System, path: Path) -> None:
    path.mkdir()
    system.on_post = says(500)
    with pytest.raises(NotCarried) as refusal:
        switch(both(system, path), Mode.PAUSED)
    assert "HTTP 500" in refusal.value.message
    assert "is a directory" in refusal.value.message
    assert len(refusal.value.attempts) == 2
    assert refusal.value.hint


def test_sources_that_disagree_are_both_told_and_the_safer_is_believed(
    system: System, path: Path
) -> None:
    """Seed inconsistency 21; drift is recorded from this."""
    path.write_bytes(b'{"mode": "paused"}')
    system.status = {"mode": "real"}
    observed = both(system, path).observe()
    assert [(reading.actuator, reading.mode) for reading in observed.readings] == [
        ("http_admin", Mode.REAL),
        ("control_file", Mode.PAUSED),
    ]
    assert not observed.agrees
    assert observed.safe is not None
    assert observed.safe.mode is Mode.PAUSED


def test_no_source_at_all_is_no_reading(path: Path) -> None:
    observed = mode_actuators(http_admin_url=None, control_file=path).observe()
    assert observed.safe is None
    assert observed.agrees
    assert "does not exist" in (observed.readings[0].problem or "")


def test_a_system_without_any_way_in_is_refused() -> None:
    with pytest.raises(BadInput, match="neither an HTTP admin interface nor a control file"):
        mode_actuators(http_admin_url=None, control_file=None)
