"""The HTTP admin interface, over a real socket, in every bad manner that it can have."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest

from ledger.actuators.http_admin import HttpAdmin
from ledger.domain.errors import BadInput
from ledger.domain.values.actuation import NotCarried, Outcome
from ledger.domain.values.modes import Mode, PauseKind
from tests.support import admin_server
from tests.support.admin_server import System, break_off, drip, hang, ignore, running_system, says
from tests.support.fakes import FrozenClock
from tests.support.switching import outcomes, switch


@pytest.fixture
def system() -> Iterator[System]:
    with running_system() as system:
        yield system


def impatient(system: System, *, confirm_timeout_seconds: float = 0.3) -> HttpAdmin:
    return HttpAdmin(
        system.url,
        connect_timeout_seconds=0.3,
        answer_timeout_seconds=0.3,
        confirm_timeout_seconds=confirm_timeout_seconds,
    )


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
