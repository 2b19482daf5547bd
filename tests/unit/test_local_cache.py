"""What a machine remembers of systems: a head start that the log has to confirm, and never a decision."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.log.envelope import Recorded
from ledger.domain.log.event import ModeName
from ledger.domain.log.ids import Actor, ActorKind, Channel
from ledger.domain.state import SystemState, encode
from ledger.service.core.local_cache import LocalMemory
from ledger.service.core.recorder import Origin, Recorder
from ledger.store.memory import MemoryStore
from tests.support.fakes import FrozenClock

ANN = Origin(Actor("ann", "ann", ActorKind.HUMAN), Channel.CLI, "because")
REGISTERED = events.SystemRegistered(environment="staging", actuators=events.Actuators())


def switched(*modes: ModeName) -> tuple[events.Event, ...]:
    """Return switches into ``modes``, one after the other."""
    return tuple(
        events.ModeSwitched(
            to_mode=mode, to_kind="halt" if mode == "paused" else None, carried_by="nothing"
        )
        for mode in modes
    )


class Counting(MemoryStore):
    """A log in memory that counts the events that are read from a stream."""

    read_count = 0

    def read_stream(
        self, stream: str, after_revision: int = 0, up_to_position: int | None = None
    ) -> Iterator[Recorded]:
        for event in super().read_stream(stream, after_revision, up_to_position):
            self.read_count += 1
            yield event


class Machine:
    """A log and a home."""

    def __init__(self, home: Path) -> None:
        self.clock = FrozenClock()
        self.store = Counting(self.clock)
        self.memory = LocalMemory(home / "cache" / "the-ledger")
        self.file = home / "cache/the-ledger/systems/bot.json"

    @property
    def recorder(self) -> Recorder:
        return Recorder(self.store, self.clock, lambda text, **_: text, self.memory)

    def record(self, *happened: events.Event) -> None:
        self.recorder.decide("bot", lambda _: Decision(happened), ANN)

    def load(self) -> tuple[SystemState, int]:
        """Return the state of the bot, and how many events were read for it."""
        before = self.store.read_count
        return self.recorder.load("bot"), self.store.read_count - before

    def rewrite(self, **changed: object) -> None:
        """Write other things into the file, as whoever owns the home can."""
        kept = msgspec.json.decode(self.file.read_bytes())
        self.file.write_bytes(msgspec.json.encode(kept | changed))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    made.record(REGISTERED)
    made.record(*switched("mock", "real", "paused"))
    return made


def test_what_is_remembered_is_not_folded_again(machine: Machine) -> None:
    """The last event is read, to see that the log still has it there; a new one is folded on."""
    state, count = machine.load()
    assert (state.mode, count) == ("paused", 1)
    Recorder(machine.store, machine.clock, lambda text, **_: text).decide(
        "bot", lambda _: Decision(switched("mock")), ANN
    )
    state, count = machine.load()
    assert (state.mode, state.revision, count) == ("mock", 5, 2)
    assert machine.load()[1] == 1


@pytest.mark.parametrize(
    "changed", [{"fold": 1}, {"chain": "00" * 32}, {"chain": ""}, {"state": 7}]
)
def test_what_another_fold_or_another_log_made_is_folded_anew(
    machine: Machine, changed: dict[str, object]
) -> None:
    """I32: revision, chain and the fold's version bind what is remembered to the log."""
    whole = machine.load()[0]
    machine.rewrite(**changed)
    state, count = machine.load()
    assert state == whole
    assert count >= whole.revision
    assert machine.load() == (whole, 1)


def test_what_is_imagined_while_the_log_is_away_decides_nothing(machine: Machine) -> None:
    """A pause without the ledger is told by the memory; with the ledger, the log alone counts."""
    whole = machine.load()[0]
    machine.memory.imagine(msgspec.structs.replace(whole, mode="mock", pause_kind=None))
    imagined = machine.memory.recall("bot")
    assert imagined is not None
    assert imagined.mode == "mock"
    assert machine.load() == (whole, whole.revision)


def test_what_the_first_release_kept_is_recalled_and_decides_nothing(machine: Machine) -> None:
    """I5: right after an upgrade, with PostgreSQL away, a pause still finds its system."""
    whole = machine.load()[0]
    machine.file.write_bytes(encode(whole))
    assert machine.memory.recall("bot") == whole
    assert machine.memory.folded("bot") is None


def test_the_file_is_for_its_owner_alone(machine: Machine) -> None:
    """I32: decisions start from it."""
    assert stat.S_IMODE(machine.file.stat().st_mode) == 0o600


def test_a_long_history_that_is_read_anew_is_told(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody wonders why the first command on a machine takes its time."""
    monkeypatch.setattr("ledger.service.core.recorder.TOLD_EVERY_EVENTS", 2)
    told: list[tuple[str, int]] = []
    recorder = replace(machine.recorder, memory=None, tell_folding=lambda *said: told.append(said))
    recorder.load("bot")
    assert told == [("bot", 2), ("bot", 4)]
