"""What the simulation has found, each as a story of a few steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.values.modes import Mode, PauseKind
from ledger.domain.values.moments import iso
from ledger.service import offline, recovery
from ledger.service.modes import switch
from tests.simulation.world import SYSTEM, Crash, World, killable


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A bot in mock, under watch, and all is well."""
    world = World(tmp_path)
    ann = world.human("ann")
    switch.switch(world.ledger(), SYSTEM, Mode.MOCK, None, ann, said_yes=ann.actor)
    world.begin_watch()
    look(world)
    return world


def look(world: World, seconds: float = 15) -> str:
    """Let time pass and have one round watched, by a new process if there is none; return what happened."""
    world.clock.advance(seconds)
    return "; ".join((world.watch or world.begin_watch()).round().happened)


def stats(world: World, *, latency: int = 100, load: int = 0) -> None:
    world.write("stats.json", {"ece": 0.0, "latency": latency, "load": load})


def paused(world: World, kind: PauseKind) -> None:
    offline.pause(world.ledger(), SYSTEM, kind, world.human("ann"))


def killed_at(world: World, place: int) -> None:
    """Have the next round's process killed at the n-th place that it comes by."""
    world.chaos.left = place
    with killable(world.chaos.reach), pytest.raises(Crash):
        look(world)
    world.die()


def test_a_pause_that_was_undone_by_hand_is_decided_again(world: World) -> None:
    """I9: the ledger says paused already, but the world does not: a rule that fires pauses the world."""
    paused(world, PauseKind.DRAIN)
    world.write("mode.json", {"mode": "real"})
    stats(world, latency=600)
    look(world)
    assert world.mode() == ("paused", "drain")


def test_a_rule_does_not_soften_what_was_paused_by_hand(world: World) -> None:
    """I9: whoever wrote drain into the control file meant it, whatever the ledger knows."""
    world.write("mode.json", {"mode": "paused", "pause_kind": "drain"})
    stats(world, latency=600)
    look(world)
    assert world.mode() == ("paused", "drain")


def test_one_incident_of_an_alert_though_the_next_watch_could_not_know(world: World) -> None:
    """Killed between the append and all else, followed without the ledger: both opened an incident."""
    stats(world, latency=600)
    killed_at(world, 4)
    world.store.away = True
    assert "LatencyHigh is firing" in look(world)
    world.store.away = False
    look(world)
    look(world)
    assert not world.spooled()
    incidents = world.ledger().load(SYSTEM).incidents.values()
    open_ = [str(incident.alert) for incident in incidents if incident.status != "resolved"]
    assert sorted(open_) == ["LatencyHigh", "LatencyOdd"]


def test_the_next_watch_goes_on_from_the_last_round_though_the_ledger_is_away(world: World) -> None:
    """I12, I14: what was appended a moment ago, this machine remembers; the clock of `for` runs on."""
    stats(world, load=2)
    assert "LoadHigh is pending" in look(world)
    world.die()
    world.store.away = True
    assert [look(world) for _ in range(2)] == ["", ""]
    assert "LoadHigh is firing" in look(world)
    assert world.mode() == ("paused", "halt")


def test_a_watch_that_loses_the_ledger_knows_what_was_decided_here_since(world: World) -> None:
    """I9: a person held the rule's actions a moment before Postgres went away."""
    until = iso(world.clock.now().replace(year=2030))
    hold = events.AlertSilenced(
        silence="S1", matchers={"alert": "LatencyHigh"}, until=until, holds_actions=True
    )
    world.ledger().decide(SYSTEM, lambda _: Decision((hold,)), world.human("ann"))
    world.store.away = True
    stats(world, latency=600)
    assert "LatencyHigh is firing" in look(world)
    assert world.mode() == ("mock", None)


def test_the_clock_of_a_condition_goes_by_the_log_and_not_by_an_older_sign_of_life(
    world: World,
) -> None:
    """I14: the clock was set back, and the round that saw the condition begin was killed at its end."""
    world.clock.jump(-3600)
    stats(world, load=2)
    killed_at(world, 5)
    assert [look(world) for _ in range(2)] == ["", ""]
    assert "LoadHigh is firing" in look(world)


def test_what_a_killed_watch_had_begun_is_finished_by_the_next(world: World) -> None:
    """I12: nobody has to know of recover; and while it was in flight, no edit by hand was seen."""
    stats(world, latency=600)
    killed_at(world, 8)  # the intent of the pause is on record
    stats(world)
    world.begin_watch()
    assert world.ledger().load(SYSTEM).operations
    look(world)
    look(world)
    assert not world.ledger().load(SYSTEM).operations
    assert world.mode() == ("paused", "reduce_only")
    world.write("mode.json", {"mode": "real"})
    look(world)
    assert "DriftDetected" in {event.type for event in world.control()}


def test_a_pause_after_a_resume_that_was_not_recorded_is_finished(world: World) -> None:
    """I12: both were killed. The world says mock, the last that was decided is a pause: it is carried out."""

    def dies_at(name: str) -> Callable[[str], None]:
        def reach(place: str) -> None:
            if place == name:
                raise Crash

        return reach

    paused(world, PauseKind.HALT)
    ann = world.human("ann")
    with killable(dies_at("switch.after_act")), pytest.raises(Crash):
        switch.switch(world.ledger(), SYSTEM, Mode.MOCK, None, ann, said_yes=ann.actor)
    assert world.mode() == ("mock", None)
    with killable(dies_at("switch.after_intent")), pytest.raises(Crash):
        paused(world, PauseKind.REDUCE_ONLY)
    recovery.recover(world.ledger(), SYSTEM, ann)
    assert world.mode() == ("paused", "reduce_only")
    state = world.ledger().load(SYSTEM)
    assert (state.mode, state.pause_kind, state.operations) == ("paused", "reduce_only", {})
