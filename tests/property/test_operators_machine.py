"""Random operators against the deciders, with an auditor who keeps books of his own in plain dicts.

The auditor does not read the ledger's state: he is told what was asked and what was answered, and predicts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Literal
from uuid import UUID

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ledger.domain import events
from ledger.domain.configurations import decide as configurations
from ledger.domain.decision import Decision
from ledger.domain.errors import NothingStable, Refused
from ledger.domain.evolve import fold
from ledger.domain.log.ids import Actor, ActorKind, Channel, uuid7
from ledger.domain.modes import decide as mode_decisions
from ledger.domain.rollbacks import decide as rollbacks
from ledger.domain.state import SystemState, decode, encode
from ledger.domain.systems import decide as systems
from ledger.domain.values.modes import Mode, PauseKind
from ledger.service.core.recorder import Origin, Recorder, within
from ledger.store.memory import MemoryStore
from tests.support.fakes import FrozenClock

SYSTEM = "bot"
CONFIGS = ["a", "b", "c", "d"]


def as_it_is(text: str, *, prose: bool = False) -> str:
    """These operators paste no secrets."""
    del prose
    return text


def fingerprint(name: str) -> str:
    return "sha256:" + hashlib.sha256(name.encode()).hexdigest()


class Operators(RuleBasedStateMachine):
    """Everything an operator may do, in any order; no world, only decisions."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FrozenClock()
        self.recorder = Recorder(store=MemoryStore(self.clock), clock=self.clock, redact=as_it_is)
        self.origin = Origin(Actor("ann", "Ann", ActorKind.HUMAN), Channel.CLI, "because")
        # the auditor's books
        self.mode: str | None = None
        self.stable: list[str] = []
        self.quarantined: set[str] = set()
        self.in_force: str | None = None
        self.rolled_back_to: str | None = None
        self.events = 0

    def decide(
        self, decision: Callable[[SystemState], Decision], operation: UUID | None = None
    ) -> Decision:
        origin = within(self.origin, operation) if operation else self.origin
        self.clock.advance(1)
        _, decided = self.recorder.decide(SYSTEM, decision, origin)
        self.events += len(decided.events)
        return decided

    @initialize()
    def register(self) -> None:
        actuators = events.Actuators(
            config_files=(events.ConfigFile(name="c.yaml", path="/c.yaml"),)
        )
        self.decide(
            lambda state: systems.register(
                state, environment="production", description="", actuators=actuators
            )
        )
        for name in CONFIGS:
            snapshot = hashlib.sha256(b"s" + name.encode()).hexdigest()
            file = events.SnapshotFile(name="c.yaml", sha256=snapshot, size=1)
            registered = events.ConfigRegistered(
                fingerprint=fingerprint(name), snapshot=snapshot, files=(file,), canonical_form=1
            )
            self.decide(lambda state, r=registered: configurations.register(state, r))

    @rule(asked=st.sampled_from(list(Mode)), kind=st.sampled_from([None, *PauseKind]))
    def switch(self, asked: Mode, kind: PauseKind | None) -> None:
        """I16, and the seeds' rule: paused -> mock -> real, never straight back to real."""
        kind = kind if asked is Mode.PAUSED else None
        operation = uuid7()
        before = self.mode
        decided = self.decide(
            lambda state: mode_decisions.request(
                state,
                asked,
                kind,
                actuators=(),
                observed=None,
                said_yes=self.origin.actor,
                now=self.clock.now(),
            ),
            operation,
        )
        wanted = f"paused/{kind or PauseKind.HALT}" if asked is Mode.PAUSED else asked.value
        if decided.skipped:
            assert before == wanted
            return
        assert before != wanted
        first = decided.events[0]
        forbidden = asked is Mode.REAL and before not in {"mock"}
        if isinstance(first, events.ModeSwitchRejected):
            assert forbidden
            return
        assert not forbidden
        assert isinstance(first, events.ModeSwitchRequested)
        outcome = events.ModeSwitched(
            from_mode=first.from_mode,
            to_mode=first.to_mode,
            to_kind=first.to_kind,
            carried_by="nothing",
        )
        self.decide(lambda _: Decision((outcome,)), operation)
        self.mode = wanted

    @rule(name=st.sampled_from(CONFIGS))
    def mark_stable(self, name: str) -> None:
        decided = self.decide(lambda state: configurations.mark_stable(state, fingerprint(name)))
        if decided.skipped:
            assert name in self.stable
            assert name not in self.quarantined
            return
        self.quarantined.discard(name)
        self.stable = [known for known in self.stable if known != name] + [name]

    @rule(name=st.sampled_from(CONFIGS))
    def quarantine(self, name: str) -> None:
        decided = self.decide(lambda state: configurations.quarantine(state, fingerprint(name)))
        assert bool(decided.skipped) == (name in self.quarantined)
        self.quarantined.add(name)

    @rule(name=st.sampled_from(CONFIGS))
    def apply(self, name: str) -> None:
        """What is in quarantine is not applied again by accident."""
        operation = uuid7()
        in_place = fingerprint(self.in_force) if self.in_force else None
        try:
            decided = self.decide(
                lambda state: configurations.request_apply(
                    state, fingerprint(name), in_place=in_place, override_quarantine=False
                ),
                operation,
            )
        except Refused:
            assert name in self.quarantined
            return
        assert name not in self.quarantined
        if decided.skipped:
            assert self.in_force == name
            return
        self._applied(name, "apply", operation)
        self.rolled_back_to = None

    def _applied(
        self, name: str, cause: Literal["apply", "rollback"], operation: UUID | None
    ) -> None:
        snapshot = hashlib.sha256(b"s" + name.encode()).hexdigest()
        event = events.ConfigApplied(
            fingerprint=fingerprint(name),
            snapshot=snapshot,
            cause=cause,
            changes=(),
        )
        self.decide(lambda _: Decision((event,)), operation)
        self.in_force = name

    @rule()
    def rollback_to_last_stable(self) -> None:
        """I10: newest stable, not quarantined, not the one being left; twice does not bounce back."""
        operation = uuid7()
        in_place = fingerprint(self.in_force) if self.in_force else None
        candidates = [
            name for name in self.stable if name not in self.quarantined and name != self.in_force
        ]
        rests = (
            self.rolled_back_to is not None
            and self.rolled_back_to == self.in_force
            and self.in_force in self.stable
            and self.in_force not in self.quarantined
        )
        try:
            decided = self.decide(
                lambda state: rollbacks.request(state, rollbacks.LAST_STABLE, in_place=in_place),
                operation,
            )
        except NothingStable:
            assert not candidates
            assert not rests
            return
        if decided.skipped:
            assert rests
            return
        intent = decided.events[0]
        assert isinstance(intent, events.RollbackRequested)
        assert intent.to_fingerprint == fingerprint(candidates[-1])
        if self.in_force is not None:
            self.quarantined.add(self.in_force)
        self._applied(candidates[-1], "rollback", operation)
        done = events.RollbackCompleted(to_fingerprint=intent.to_fingerprint)
        self.decide(lambda _: Decision((done,)), operation)
        self.rolled_back_to = candidates[-1]

    @precondition(lambda self: self.events > 0)
    @invariant()
    def the_state_is_the_fold(self) -> None:
        """Folding in two halves gives what folding at once gives, also through JSON (I7)."""
        stream = list(self.recorder.store.read_stream("system:bot"))
        whole = fold(stream, SystemState(SYSTEM))
        half = fold(stream[: len(stream) // 2], SystemState(SYSTEM))
        again = fold(stream[len(stream) // 2 :], decode(encode(half)))
        assert again == whole
        shown = f"{whole.mode}/{whole.pause_kind}" if whole.pause_kind else whole.mode
        assert shown == self.mode
        assert whole.fingerprint == (fingerprint(self.in_force) if self.in_force else None)
        assert len(stream) == self.events


TestOperators = Operators.TestCase
TestOperators.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
