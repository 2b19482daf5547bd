"""What goes wrong between us and a running system, on a real disk and over a real socket."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.actuators import mode_actuators
from ledger.actuators.config_files import ConfigFiles
from ledger.actuators.control_file import ControlFile
from ledger.actuators.http_admin import HttpAdmin
from ledger.domain.actuation import Carried, NotCarried, Outcome
from ledger.domain.errors import BadInput, FileNotWritten, IntegrityFailure
from ledger.domain.modes import Mode, PauseKind
from ledger.ports import ModeActuator
from tests.support import admin_server
from tests.support.admin_server import System, break_off, drip, hang, ignore, running_system, says
from tests.support.fakes import FrozenClock


@pytest.fixture
def system() -> Iterator[System]:
    with running_system() as system:
        yield system


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mode.json"


def switch(actuator: ModeActuator, mode: Mode, kind: PauseKind | None = None) -> Carried:
    return actuator.switch(
        mode=mode, pause_kind=kind, message="alice: drawdown", operation_id="op-1"
    )


def impatient(system: System, *, confirm_timeout_seconds: float = 0.3) -> HttpAdmin:
    return HttpAdmin(
        system.url,
        connect_timeout_seconds=0.3,
        answer_timeout_seconds=0.3,
        confirm_timeout_seconds=confirm_timeout_seconds,
    )


def outcomes(attempts: Carried | NotCarried) -> list[tuple[str, Outcome]]:
    return [(attempt.actuator, attempt.outcome) for attempt in attempts.attempts]


# The control file.


def test_the_control_file_is_what_the_seeds_bot_reads(path: Path) -> None:
    """Seed 001: `{"mode": …, "message": …}`; I11: the message says who, why, in which operation."""
    switch(ControlFile(path), Mode.REAL)
    assert json.loads(path.read_bytes()) == {
        "mode": "real",
        "message": "alice: drawdown [operation op-1]",
    }
    switch(ControlFile(path), Mode.PAUSED, PauseKind.REDUCE_ONLY)
    assert json.loads(path.read_bytes())["pause_kind"] == "reduce_only"


def test_keys_of_the_systems_own_are_kept(path: Path) -> None:
    own = '{"limits": {"b": 1.50, "a": 99999999999999999999}, "mode": "mock", "笔记": "留"}'
    path.write_text(own, encoding="utf-8")
    carried = switch(ControlFile(path), Mode.PAUSED)
    assert carried.warnings == ()
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["limits"] == {"b": 1.5, "a": 99999999999999999999}
    assert content["笔记"] == "留"
    assert content["mode"] == "paused"
    assert "留" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "found",
    [b"", b"{", b"\xff\xfe", b"[1]", b"[" * 60_000, b"1" * 5000, b"x" * 100_000],
    ids=["empty", "half", "binary", "list", "deep", "long number", "large"],
)
def test_a_control_file_that_makes_no_sense_does_not_stop_a_pause(path: Path, found: bytes) -> None:
    path.write_bytes(found)
    reading = ControlFile(path).observe().readings[0]
    assert reading.mode is None
    assert str(path) in (reading.problem or "")
    carried = switch(ControlFile(path), Mode.PAUSED)
    assert carried.confirmed
    assert "replaced as a whole" in carried.warnings[0]


def test_a_control_file_as_windows_writes_it_is_read(path: Path) -> None:
    """Seed 001 runs in PowerShell, which puts a byte order mark first."""
    path.write_bytes('\ufeff{"mode": "paused", "own": 1}'.encode())
    assert ControlFile(path).observe().readings[0].mode is Mode.PAUSED
    switch(ControlFile(path), Mode.MOCK)
    assert json.loads(path.read_bytes())["own"] == 1


@pytest.mark.parametrize("told", ["live", "PAUSED", "", None, 1, ["real"], {"mode": "real"}])
def test_a_word_that_is_no_mode_is_named_and_cut_short(path: Path, told: object) -> None:
    """I6: whatever stands there is quoted by its first characters only."""
    path.write_text(json.dumps({"mode": told}), encoding="utf-8")
    reading = ControlFile(path).observe().readings[0]
    assert reading.mode is None
    assert "expected one of mock | real | paused" in (reading.problem or "")
    path.write_text(json.dumps({"mode": "sk_live_" + "x" * 300}), encoding="utf-8")
    assert len(ControlFile(path).observe().readings[0].problem or "") < len(str(path)) + 120


def test_a_pause_of_a_kind_nobody_knows_is_still_a_pause(path: Path) -> None:
    path.write_text('{"mode": "paused", "pause_kind": "nap"}', encoding="utf-8")
    observed = ControlFile(path).observe()
    assert observed.safe is not None
    assert observed.safe.mode is Mode.PAUSED
    assert "nap" in (observed.safe.problem or "")


def test_a_reason_in_a_foreign_encoding_is_written_as_json_all_the_same(path: Path) -> None:
    ControlFile(path).switch(
        mode=Mode.PAUSED, pause_kind=None, message="caf\udce9", operation_id="op-1"
    )
    assert json.loads(path.read_bytes())["mode"] == "paused"


def test_a_control_file_that_cannot_be_written_says_where_and_what_next(path: Path) -> None:
    path.mkdir()
    with pytest.raises(NotCarried, match=r"mode\.json can't be written") as refusal:
        switch(ControlFile(path), Mode.PAUSED)
    assert outcomes(refusal.value) == [("control_file", Outcome.FAILED)]
    assert refusal.value.hint
    assert refusal.value.exit_code == 9


# The HTTP admin interface.


def test_only_documented_keys_are_sent(system: System) -> None:
    """A system that takes no other key than `mode` must take a plain pause."""
    admin = HttpAdmin(system.url)
    switch(admin, Mode.PAUSED)
    switch(admin, Mode.PAUSED, PauseKind.DRAIN)
    switch(admin, Mode.MOCK)
    assert system.posts == [
        {"mode": "paused"},
        {"mode": "paused", "pause_kind": "drain"},
        {"mode": "mock"},
    ]


@pytest.mark.parametrize(
    ("manner", "outcome", "detail"),
    [
        (says(403), Outcome.REFUSED, "HTTP 403, expected 200"),
        (says(302, Location="/elsewhere"), Outcome.REFUSED, "redirects are not followed"),
        (says(500, b"Traceback: token=abc"), Outcome.UNKNOWN, "HTTP 500"),
        (says(202), Outcome.UNKNOWN, "HTTP 202, expected 200"),
        (break_off, Outcome.UNKNOWN, "broke off"),
        (hang, Outcome.UNKNOWN, "no whole answer within 0.3 s"),
        (drip, Outcome.UNKNOWN, "no whole answer within 0.3 s"),
    ],
    ids=["refused", "redirect", "error", "later", "broken off", "hangs", "drips"],
)
def test_whatever_a_system_answers_ends_in_time_and_in_one_sentence(
    system: System, manner: admin_server.Manner, outcome: Outcome, detail: str
) -> None:
    system.on_post = manner
    started = time.monotonic()
    with pytest.raises(NotCarried) as refusal:
        switch(impatient(system), Mode.PAUSED)
    assert time.monotonic() - started < 2
    assert outcomes(refusal.value) == [("http_admin", outcome)]
    assert detail in refusal.value.message
    assert "token" not in refusal.value.message
    assert len(system.posts) == 1, "nothing that was sent is sent twice"


@pytest.mark.parametrize(
    ("manner", "problem"),
    [
        (says(200, b"<html>"), "is no JSON"),
        (says(200, b'"mock"'), "is no JSON object"),
        (says(200, b'{"execution_mode": "mock"}'), 'has no key "mode"'),
        (says(200, b'{"mode": "live"}'), 'has the mode "live", expected one of'),
        (says(200, b'{"mode": "mock", "x": "' + b"x" * 70_000 + b'"}'), "more than 65536 bytes"),
        (says(404), "HTTP 404, expected 200"),
        (says(301, Location="http://127.0.0.1:1/"), "redirects are not followed"),
        (hang, "no whole answer within"),
        (drip, "no whole answer within"),
        (break_off, "broke off"),
    ],
)
def test_a_status_that_cannot_be_used_is_a_reading_with_a_problem(
    system: System, manner: admin_server.Manner, problem: str
) -> None:
    system.on_get = manner
    reading = impatient(system).observe().readings[0]
    assert reading.mode is None
    assert problem in (reading.problem or "")


def test_an_interface_that_nobody_serves_is_tried_thrice_and_quickly() -> None:
    clock = FrozenClock()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(NotCarried, match="connection refused") as refusal:
            switch(HttpAdmin(url, clock=clock), Mode.PAUSED)
    assert outcomes(refusal.value) == [("http_admin", Outcome.FAILED)]
    assert clock.monotonic() == pytest.approx(0.2)


def test_a_system_that_opens_its_door_late_is_reached(system: System) -> None:
    """Connections are refused while a system starts; that is what the retries are for."""

    class DoorOpener(FrozenClock):
        def sleep(self, seconds: float) -> None:
            late.listen()
            super().sleep(seconds)

    with socket.socket() as late:
        late.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{late.getsockname()[1]}"
        admin = HttpAdmin(url, answer_timeout_seconds=0.2, clock=DoorOpener())
        with pytest.raises(NotCarried, match="no whole answer") as refusal:
            switch(admin, Mode.PAUSED)
    assert outcomes(refusal.value) == [("http_admin", Outcome.UNKNOWN)]


def test_a_door_that_stays_shut_without_a_word_is_not_waited_for_twice() -> None:
    """I5: the time that a pause waits for a host that is gone is spent once."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for queued in (first, second):  # fills the queue: what comes next is dropped silently
            queued.setblocking(False)
            queued.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(NotCarried, match=r"did not answer within 0\.3 s") as refusal:
            switch(HttpAdmin(url, connect_timeout_seconds=0.3), Mode.PAUSED)
        assert time.monotonic() - started < 0.55
    assert outcomes(refusal.value) == [("http_admin", Outcome.FAILED)]


def test_a_host_that_cannot_be_found_is_named() -> None:
    with pytest.raises(NotCarried, match=r"bot\.invalid") as refusal:
        switch(HttpAdmin("http://bot.invalid:8001", connect_timeout_seconds=0.5), Mode.PAUSED)
    assert outcomes(refusal.value) == [("http_admin", Outcome.FAILED)]


def test_an_interface_without_tls_is_not_taken_for_one_that_has_it(system: System) -> None:
    admin = HttpAdmin(system.url.replace("http:", "https:"), answer_timeout_seconds=1)
    with pytest.raises(NotCarried, match="no TLS that can be trusted") as refusal:
        switch(admin, Mode.PAUSED)
    assert outcomes(refusal.value) == [("http_admin", Outcome.FAILED)]
    assert system.posts == []


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8001",
        "ftp://bot/",
        "http://",
        "http://bot:99999999",
        "http://bot/?token=hunter2",
        "http://user:hunter2@bot",
        "http://bot/a b",
        "http://bot/\r\nX: hunter2",
        "http://bot[",
    ],
)
def test_an_address_that_is_off_is_refused_and_never_quotes_a_secret(url: str) -> None:
    """I6: an address is recorded, so it must hold no password."""
    with pytest.raises(BadInput) as refusal:
        HttpAdmin(url)
    assert "hunter2" not in f"{refusal.value.message} {refusal.value.hint} {refusal.value!r}"
    assert refusal.value.hint


def test_a_path_in_the_address_is_kept(system: System) -> None:
    system.on_get = lambda handler: handler.answer(
        200, json.dumps({"mode": "real" if handler.path == "/bots/1/status" else "mock"}).encode()
    )
    assert HttpAdmin(f"{system.url}/bots/1/").observe().readings[0].mode is Mode.REAL


def test_a_system_that_says_yes_and_does_nothing_is_not_confirmed(system: System) -> None:
    """I5: what is recorded as confirmed was seen."""
    system.on_post = ignore
    clock = FrozenClock()
    carried = switch(HttpAdmin(system.url, clock=clock), Mode.REAL)
    assert not carried.confirmed
    assert carried.warnings == ("not confirmed within 5 s: /status tells mock",)
    assert 4.8 <= clock.monotonic() <= 5


def test_a_system_that_takes_its_time_is_waited_for(system: System) -> None:
    """A switch is confirmed when it is seen, however often `/status` must be asked."""
    answers = iter([says(503), says(200, b'{"mode": "mock"}'), break_off])

    def answer(handler: admin_server.Handler) -> None:
        next(answers, admin_server.tell)(handler)

    system.on_get = answer
    carried = switch(HttpAdmin(system.url, clock=FrozenClock()), Mode.REAL)
    assert carried.confirmed
    assert carried.warnings == ()


def test_a_system_that_knows_no_kinds_is_confirmed_with_a_doubt(system: System) -> None:
    system.on_get = says(200, b'{"mode": "paused"}')
    assert switch(HttpAdmin(system.url), Mode.PAUSED).warnings == ()
    carried = switch(HttpAdmin(system.url), Mode.PAUSED, PauseKind.DRAIN)
    assert carried.confirmed
    assert "whether it is drain can't be seen" in carried.warnings[0]


def test_a_system_in_another_kind_of_pause_is_not_confirmed(system: System) -> None:
    system.on_get = says(200, b'{"mode": "paused", "pause_kind": "reduce_only"}')
    carried = switch(HttpAdmin(system.url, clock=FrozenClock()), Mode.PAUSED)
    assert not carried.confirmed
    assert "tells paused reduce_only" in carried.warnings[0]


# Both together.


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


# Configuration files.


def test_a_folder_that_is_missing_is_not_made_up(tmp_path: Path) -> None:
    """A path that is wrong must not look like one that is right."""
    target = tmp_path / "missing" / "config.yaml"
    with pytest.raises(FileNotWritten, match="no such file or directory"):
        ConfigFiles({"config.yaml": target}).write({"config.yaml": b"a: 1"})
    assert not target.parent.exists()


def test_a_new_configuration_file_is_not_for_everybody(tmp_path: Path) -> None:
    """I6: a rollback may put a secret's real value back."""
    target = tmp_path / "config.yaml"
    ConfigFiles({"config.yaml": target}).write({"config.yaml": b"api_key: x"})
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_file_that_is_right_already_is_not_touched(tmp_path: Path) -> None:
    """I16: a bot that watches its files must not be woken for nothing."""
    target = tmp_path / "config.yaml"
    target.write_bytes(b"a: 1")
    before = target.stat()
    ConfigFiles({"config.yaml": target}).write({"config.yaml": b"a: 1"})
    after = target.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_file_that_reads_otherwise_than_it_was_written_is_told(tmp_path: Path) -> None:
    """I3's spirit, for the world: two names that lead to one file can't both be restored."""
    (tmp_path / "a.yaml").symlink_to("b.yaml")
    actuator = ConfigFiles({name: tmp_path / name for name in ("a.yaml", "b.yaml")})
    with pytest.raises(IntegrityFailure, match=r"a\.yaml does not hold what was just written"):
        actuator.write({"a.yaml": b"a: 1", "b.yaml": b"b: 1"})


def test_the_hot_path_imports_nothing_heavy() -> None:
    """`rollout pause` has 1.6 times the import of its drivers, as a whole process."""
    code = """
        import sys
        from pathlib import Path
        from ledger.actuators import mode_actuators
        from ledger.store import spool
        mode_actuators(http_admin_url=None, control_file=Path("mode.json"))
        heavy = {"httpx", "tenacity", "http.client", "yaml", "rich", "sqlalchemy", "asyncio"}
        print(sorted(heavy & set(sys.modules)))
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
