"""Fingerprints of two versions of the canonical form: never called equal or changed without saying so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.errors import GateClosed
from ledger.domain.gates import decide as gates
from ledger.domain.log.canonical import encode
from ledger.domain.log.envelope import NewEvent
from ledger.domain.log.ids import Actor, ActorKind, Channel, control_stream, uuid7
from ledger.domain.state import SystemState
from ledger.domain.values import fingerprints
from ledger.service import recovery
from ledger.service.configurations import apply, comparison, registration
from ledger.service.core.actuators import world_of
from ledger.service.core.local_cache import LocalMemory
from ledger.service.core.recorder import Origin, Recorder
from ledger.service.core.session import Ledger
from ledger.store.memory import MemoryStore
from tests.support.fakes import FrozenClock
from tests.support.tables import ONE, REGISTERED, TWO, applied, fold, kept, preflight, snapshot_of

ORIGIN = Origin(Actor("ann@desk", "Ann", ActorKind.HUMAN), Channel.CLI, "as agreed")
FORM, LATER = fingerprints.CANONICAL_FORM, fingerprints.CANONICAL_FORM + 1
SAID = f"was made by version {FORM} of the canonical form, and this program makes version {LATER}"


class Desk:
    """A system of one configuration file, and a ledger in memory."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "bot.yaml"
        self.file.write_text("size: 3\n")
        self.warnings: list[str] = []
        self.clock = FrozenClock()
        self.store = MemoryStore(self.clock)
        recorder = Recorder(self.store, self.clock, lambda text, **_: text)
        self.ledger = Ledger(
            recorder, folder / "home", self.warnings.append, _no_key,
            LocalMemory(folder / "home" / "cache"), recovery.finish_dead_operations,
        )  # fmt: skip
        place = events.ConfigFile(name="bot.yaml", path=str(self.file))
        registered = events.SystemRegistered(
            environment="staging", actuators=events.Actuators(config_files=(place,))
        )
        recorder.decide("bot", lambda _: Decision((registered,)), ORIGIN)

    @property
    def state(self) -> SystemState:
        return self.ledger.load("bot")

    def put(self, *, declare: bool = False) -> registration.PutResult:
        return registration.put(self.ledger, "bot", [self.file], ORIGIN, declare=declare)

    def in_place(self) -> str | None:
        world = world_of(self.state.actuators, self.clock)
        return comparison.in_place(self.ledger, self.state, world)

    def said(self) -> bool:
        """Whether it was said that two versions are at work; forgets it."""
        told = any(SAID in warning for warning in self.warnings)
        self.warnings.clear()
        return told


def _no_key() -> Any:
    raise AssertionError("these configurations hold no secrets")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Calls a later program: its version of the canonical form writes the same values otherwise."""

    def later() -> None:
        first = fingerprints.canonical
        monkeypatch.setattr(fingerprints, "CANONICAL_FORM", LATER)
        monkeypatch.setattr(fingerprints, "canonical", lambda value: first(value) + b"\n")

    return later


def test_a_registration_says_by_which_version(desk: Desk) -> None:
    """The log says by which rules a fingerprint was made."""
    made = desk.put().fingerprint
    last = list(desk.store.read_stream(control_stream("bot")))[-1]
    assert (last.type, last.schema_version, last.data["canonical_form"]) == (
        "ConfigRegistered",
        2,
        FORM,
    )
    assert desk.state.configs[made].canonical_form == FORM


def test_an_older_registration_reads_as_version_1(desk: Desk) -> None:
    """I3: what was recorded before events said so was made by the first version; its bytes stay."""
    data = {"fingerprint": "sha256:" + "a" * 64, "snapshot": "b" * 64, "files": [], "source": ""}
    stream = list(desk.store.read_stream(control_stream("bot")))
    body = encode({**stream[-1].decoded, "data": data})
    older = NewEvent(
        event_id=uuid7(), stream=stream[-1].stream, type="ConfigRegistered", schema_version=1,
        occurred_at=desk.clock.now(), body=body, expected_revision=stream[-1].revision,
    )  # fmt: skip
    desk.store.append([older])
    recorded = list(desk.store.read_stream(stream[-1].stream))[-1]
    assert recorded.body == body
    assert recorded.data["canonical_form"] == 1
    assert desk.state.configs["sha256:" + "a" * 64].canonical_form == 1


def test_what_stands_in_place_is_compared_by_one_version(
    desk: Desk, release: Callable[[], None]
) -> None:
    """A new program does not take the files that were put in force for changed by hand, nor the other way."""
    old = desk.put(declare=True).fingerprint
    assert (desk.in_place(), desk.said()) == (old, False)
    release()
    assert (desk.in_place(), desk.said()) == (old, True)
    desk.file.write_text("size: 4\n")
    assert (desk.in_place() != old, desk.said()) == (True, True)


def test_a_difference_across_versions_is_one_of_values(
    desk: Desk, release: Callable[[], None]
) -> None:
    """Put again by a new program, the same values have another fingerprint: no key differs; it is said."""
    old = desk.put(declare=True).fingerprint
    release()
    again = desk.put()
    assert again.fingerprint != old
    assert (again.changes, desk.said()) == ((), True)
    assert desk.state.configs[again.fingerprint].canonical_form == LATER


def test_a_new_program_goes_back_to_an_old_fingerprint(
    desk: Desk, release: Callable[[], None]
) -> None:
    """What an older program kept is written, read back and found to be it; its version is told."""
    old = desk.put(declare=True).fingerprint
    release()
    desk.file.write_text("size: 4\n")
    desk.put(declare=True)
    desk.said()
    result = apply.apply(desk.ledger, "bot", old, ORIGIN)
    assert (result.outcome, desk.file.read_text(), desk.said()) == ("applied", "size: 3\n", True)
    assert (desk.in_place(), desk.said()) == (old, True)


def test_that_kept_bytes_give_an_old_fingerprint_is_not_claimed(
    desk: Desk, release: Callable[[], None]
) -> None:
    """I8: what can't be made anew is not called verified without saying so."""
    old = desk.put().fingerprint
    assert (registration.verify_kept(desk.ledger, desk.state, old), desk.said()) == (None, False)
    release()
    assert (registration.verify_kept(desk.ledger, desk.state, old), desk.said()) == (None, True)


def test_a_go_for_another_fingerprint_is_told_with_both_versions() -> None:
    """What was judged under another version's fingerprint is asked for again, and not called changed."""
    put_again = events.ConfigRegistered(
        fingerprint=TWO, snapshot=snapshot_of(TWO), files=(), canonical_form=2
    )
    story = (REGISTERED, kept(ONE), applied(ONE), preflight("GO"), put_again, applied(TWO))
    state, now = fold(story)
    with pytest.raises(
        GateClosed, match="of version 1 of the canonical form, the one in force of version 2"
    ):
        gates.require_preflight(state, "real", 3600, now)
