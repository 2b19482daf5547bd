"""The runtime serves a front end that is no command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.domain.clock import Clock
from ledger.domain.log.ids import Actor, ActorKind, Channel
from ledger.domain.systems import decide as systems
from ledger.domain.systems.events import Actuators
from ledger.domain.values.modes import PauseKind
from runtime.front import Front, Progress
from runtime.pausing import pause_at_once
from runtime.settings import Settings
from runtime.wiring import Runtime

ANN = Actor("ann", "ann", ActorKind.HUMAN)


class Page:
    """A front end that keeps what it is told."""

    channel = Channel.HTTP

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        """Keep it."""
        self.said.append(message)

    def progress(self, what: str, clock: Clock) -> Progress:
        """Keep how far it is."""
        return lambda reached, end: self.said.append(f"{what} {reached}/{end} {clock.now():%Y}")


def _register(runtime: Runtime, control_file: Path) -> None:
    actuators = Actuators(control_file=str(control_file))
    runtime.ledger.decide(
        "bot",
        lambda state: systems.register(
            state, environment="staging", description="", actuators=actuators
        ),
        runtime.origin("first"),
    )


def test_what_another_front_end_decides_says_how_it_came(
    embedded_dsn: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """I11: the channel is the front end's own; nothing is printed, nothing asks for a terminal."""
    page: Front = Page()
    runtime = Runtime(Settings(tmp_path, embedded_dsn, ANN), page)
    _register(runtime, tmp_path / "mode.json")
    result = pause_at_once(runtime, "bot", PauseKind.HALT, runtime.origin("rejects"))
    runtime.catch_up()
    head = runtime.store.get(runtime.store.head().position)
    runtime.close()
    assert result.outcome == "switched"
    assert head is not None
    assert head.decoded["channel"] == "http"
    assert capfd.readouterr() == ("", "")


def test_another_front_end_pauses_while_the_ledger_is_away(
    embedded_dsn: str, tmp_path: Path
) -> None:
    """I5: the pause is carried out by what this machine remembers, and journalled here."""
    first = Runtime(Settings(tmp_path, embedded_dsn, ANN), Page())
    _register(first, tmp_path / "mode.json")
    first.close()
    seen = Runtime(Settings(tmp_path, embedded_dsn, ANN), Page())
    seen.ledger.load("bot")
    seen.close()
    away = Runtime(Settings(tmp_path, embedded_dsn, ANN), Page())
    away.dsn = "host=127.0.0.1 port=1 connect_timeout=1"
    result = pause_at_once(away, "bot", PauseKind.HALT, away.origin("rejects"))
    assert (result.outcome, result.spooled) == ("switched", True)
    assert '"paused"' in (tmp_path / "mode.json").read_text(encoding="utf-8")
