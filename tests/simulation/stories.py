"""Random stories: what people, rules, crashes and clocks may do to one bot, told from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from ledger.domain import events
from ledger.domain.alerts import decide as alerts
from ledger.domain.approvals import decide as approvals
from ledger.domain.configurations import decide as configurations
from ledger.domain.decision import Decision
from ledger.domain.errors import LedgerError, LedgerUnreachable
from ledger.domain.evolve import fold
from ledger.domain.plans import decide as phases
from ledger.domain.plans.state import Quorum
from ledger.domain.rollbacks.decide import LAST_STABLE
from ledger.domain.state import SystemState, decode, encode
from ledger.domain.values.modes import Mode, PauseKind
from ledger.domain.values.moments import iso
from ledger.service import offline, recovery
from ledger.service.configurations import apply, registration
from ledger.service.core.session import Ledger
from ledger.service.gates import preflight
from ledger.service.modes import switch
from ledger.service.plans import phases as phasing
from ledger.service.rollbacks import rollback
from ledger.store.base import chain_after
from tests.simulation.books import Auditor
from tests.simulation.world import SYSTEM, Crash, World, killable

STEPS: Final = 80
CONFIGS: Final = 4
KINDS: Final = (PauseKind.HALT, PauseKind.REDUCE_ONLY, PauseKind.DRAIN)


def play(seed: int, folder: Path) -> None:
    """Play the story of ``seed`` with files in ``folder``; what goes wrong tells the whole of it."""
    story = Story(seed, folder)
    try:
        with killable(story.world.chaos.reach):
            story.play(STEPS)
    except Exception as problem:
        again = f"The story of seed {seed}; once more: make simulate SEEDS={seed}"
        problem.add_note("\n".join([again, *story.told]))
        raise


class Story:
    """One run of the world from a seed."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = random.Random(seed)
        self.world = World(folder)
        self.auditor = Auditor(self.world)
        self.told: list[str] = []
        self.fingerprints: list[str] = []
        for number in range(CONFIGS):
            path = self.world.config(number, "next.yaml")
            put = registration.put(
                self.world.ledger(), SYSTEM, [path], self.world.human("ann"), names=["config.yaml"],
                stable=number == 0, declare=number == 0,
            )  # fmt: skip
            self.fingerprints.append(put.fingerprint)
        self.auditor.open()
        self.auditor.close("setup", whole=True)

    STEPS: Final[dict[str, int]] = {
        "watch": 30, "metrics": 10, "switch": 6, "live": 6, "pause": 3, "resume": 2, "apply": 4,
        "vouch": 3, "rollback": 3, "prepare": 5, "phase": 3, "alert": 3, "incident": 2,
        "recover": 3, "hand": 2, "time": 4, "outage": 3, "kill": 2,
    }  # fmt: skip

    def play(self, steps: int) -> None:
        """Play ``steps`` random steps, then let the dust settle."""
        names, weights = list(self.STEPS), list(self.STEPS.values())
        for _ in range(steps):
            self.step(self.random.choices(names, weights)[0])
            if self.world.store.away and self.random.random() < 0.15:
                self.step("outage")
        self._settle()

    def step(self, name: str) -> None:
        """Play one step, perhaps with a crash in it, and have it audited."""
        self.world.clock.advance(self.random.choice([1, 1, 2, 5]) if name != "watch" else 15)
        if name not in {"hand", "time", "metrics", "outage"} and self.random.random() < 0.2:
            self.world.chaos.left = self.random.randint(1, 12)
        self.auditor.open()
        whole, answer = True, ""
        try:
            answer = str(getattr(self, f"_{name}")() or "")
        except Crash:
            whole, answer = False, "CRASH"
            self.world.die()
        except LedgerError as problem:
            answer = f"{type(problem).__name__}: {problem.message}"
            if name == "watch":
                raise
        self.world.chaos.left = None
        self.told.append(f"{iso(self.world.clock.now())[11:19]} {name}: {answer}")
        begun = set(self.auditor.begun)
        fresh = self.auditor.close(name, whole=whole)
        if (
            answer.startswith("skipped") and name != "live"
        ):  # but for what a crash had left to finish
            mine = [e for e in fresh if not e.late and e.operation not in begun]
            decided = [e.type for e in mine if e.actor == "human"]
            assert not decided, f"a no-op recorded {decided} (I16)"
        if name == "recover" and whole and answer == "recovered":
            self.auditor.recovered()

    # --- people ---

    def _ann(self, decide: Callable[[SystemState], Decision], who: str = "ann") -> str:
        decision = self.world.ledger().decide(SYSTEM, decide, self.world.human(who))
        return f"skipped ({decision.skipped})" if decision.skipped else ""

    def _switch(self) -> str:
        target = self.random.choice([Mode.MOCK, Mode.REAL, Mode.REAL, Mode.PAUSED])
        kind = self.random.choice(KINDS) if target is Mode.PAUSED else None
        return self._to(target, kind, said_yes=self.random.random() < 0.9)

    def _to(self, target: Mode, kind: PauseKind | None, *, said_yes: bool) -> str:
        ann = self.world.human("ann")
        if target is Mode.PAUSED:
            return self._paused(kind or PauseKind.HALT)
        result = switch.switch(
            self.world.ledger(), SYSTEM, target, kind, ann, said_yes=ann.actor if said_yes else None
        )
        return f"{result.outcome} {target}"

    def _paused(self, kind: PauseKind) -> str:
        ann = self.world.human("ann")
        try:
            ledger, away = self.world.ledger(), None
        except LedgerUnreachable as problem:
            ledger, away = self.world.cut_off(), problem
        try:
            result = offline.pause(ledger, SYSTEM, kind, ann, away=away)
        except LedgerError as problem:
            raise AssertionError("a pause acts, with the ledger or without it (I5)") from problem
        told = self.world.mode()
        assert told is not None, "a pause acts, with the ledger or without it (I5)"
        assert told[0] == "paused", "a pause acts, with the ledger or without it (I5)"
        return f"{result.outcome} paused/{kind}"

    def _pause(self) -> str:
        return self._paused(self.random.choice(KINDS))

    def _resume(self) -> str:
        return self._to(Mode.MOCK, None, said_yes=True)

    def _live(self) -> str:
        """Do all that real needs, and go there: as well as the evidence allows."""
        if self.world.ledger().load(SYSTEM).mode != "mock":
            self._to(Mode.MOCK, None, said_yes=True)
        self._check()
        self._ann(self._requested)
        self._ann(self._granted, "bob")
        return self._to(Mode.REAL, None, said_yes=True)

    def _apply(self) -> str:
        number = self.random.randrange(CONFIGS)
        result = apply.apply(
            self.world.ledger(), SYSTEM, self.fingerprints[number], self.world.human("ann")
        )
        return f"{result.outcome} {number}"

    def _vouch(self) -> str:
        chosen = self.random.choice(self.fingerprints)
        mark = self.random.choice(
            [configurations.mark_stable, configurations.mark_stable, configurations.quarantine]
        )
        return self._ann(lambda state: mark(state, chosen))

    def _rollback(self) -> str:
        selector = self.random.choice([LAST_STABLE, LAST_STABLE, *self.fingerprints])
        ann = self.world.human("ann")
        try:
            result = rollback.rollback(self.world.ledger(), SYSTEM, selector, ann)
        except LedgerUnreachable as problem:
            result = offline.rollback(self.world.cut_off(), SYSTEM, selector, ann, problem)
        return result.outcome

    def _prepare(self) -> str:
        """Gather the evidence that real needs: or what looks like it."""
        what = self.random.choice(["checks", "checks", "request", "grant", "all", "all", "spoil"])
        if what == "spoil":
            self.world.write("evidence.json", {"sharpe": self.random.choice([0.1, 1.0])})
        if what in {"checks", "all"}:
            self._check()
        if what in {"request", "all"}:
            self._ann(self._requested)
        if what == "all":
            self._ann(self._granted, "bob")
        return self._ann(self._granted, "bob") if what == "grant" else what

    def _check(self) -> None:
        preflight.run(
            self.world.ledger(), SYSTEM, self.world.human("ann"), params={}, skips={},
            base=self.world.folder,
        )  # fmt: skip

    def _requested(self, state: SystemState) -> Decision:
        quorum = Quorum(roles={"risk": 1}, expires_seconds=3600)
        now = self.world.clock.now()
        return approvals.request(state, "mode:real", quorum, f"APR-{state.revision}", now)

    def _granted(self, state: SystemState) -> Decision:
        now = self.world.clock.now()
        name = approvals.open_request(state, "mode:real", now) or "APR-0"
        return approvals.grant(state, name, "risk", self.world.human("bob").actor, now.date(), now)

    def _phase(self) -> str:
        what = self.random.choice(["shadow", "micro", "advance", "abort", "hold", "release"])
        ann = self.world.human("ann")
        if what in {"shadow", "micro"}:
            decision = phasing.enter(self.world.ledger(), SYSTEM, what, ann)
        elif what == "advance":
            decision = phasing.advance(self.world.ledger(), SYSTEM, ann)
        else:
            decide: dict[str, Callable[[SystemState], Decision]] = {
                "abort": phases.abort, "hold": phases.hold,
                "release": lambda state: phases.release(state, ann.actor),
            }  # fmt: skip
            return self._ann(decide[what])
        return f"skipped ({decision.skipped})" if decision.skipped else what

    def _alert(self) -> str:
        name = self.random.choice(["EceHigh", "LoadHigh", "LatencyHigh", "LatencyOdd"])
        what = self.random.choice(["acknowledge", "resolve", "silence", "hold actions"])
        if what == "acknowledge":
            return self._ann(lambda state: alerts.acknowledge(state, name))
        if what == "resolve":
            return self._ann(lambda state: alerts.resolve(state, name))
        until = self.world.clock.now() + timedelta(seconds=self.random.choice([30, 120]))
        silenced = events.AlertSilenced(
            silence=f"S{len(self.told)}", matchers={"alert": name}, until=iso(until),
            holds_actions=what == "hold actions",
        )  # fmt: skip
        return self._ann(lambda _: Decision((silenced,)))

    def _incident(self) -> str:
        def resolve(state: SystemState) -> Decision:
            for name, record in state.incidents.items():
                if record.status != "resolved":
                    return alerts.move_incident(state, name, "resolved", resolution="seen to")
            return Decision(skipped="there is none")

        return self._ann(resolve)

    def _recover(self) -> str:
        recovery.recover(self.world.ledger(), SYSTEM, self.world.human("ann"))
        return "recovered"

    # --- rules ---

    def _watch(self) -> str:
        if self.world.watch is None:
            self.auditor.begins()
            try:
                self.world.begin_watch()
            except LedgerUnreachable as problem:  # this machine has never seen its plan
                self.world.watch = None
                return problem.message
        assert self.world.watch is not None
        self.world.clock.advance(self.random.choice([0, 0, 0, 5]))
        done = self.world.watch.round()
        return "; ".join([*done.happened, *(["away"] if done.away else [])])

    def _metrics(self) -> str:
        chosen: dict[str, Any] = {
            "ece": self.random.choice([0.0, 0.2, 0.2]),
            "latency": self.random.choice([100, 100, 100, 400, 600]),
            "load": self.random.choice([0, 2, 2]),
        }
        for name in list(chosen):
            if self.random.random() < 0.1:
                del chosen[name]  # no data
        if self.random.random() < 0.05:
            (self.world.folder / "stats.json").unlink(missing_ok=True)
            return "gone"
        self.world.write("stats.json", chosen)
        return str(chosen)

    # --- what nobody decided ---

    def _hand(self) -> str:
        if self.random.random() < 0.5:
            number = self.random.randrange(CONFIGS + 1)
            self.world.config(number)
            return f"config {number}"
        mode = self.random.choice([{"mode": "mock"}, {"mode": "real"},
                                   {"mode": "paused", "pause_kind": "drain"}])  # fmt: skip
        self.world.write("mode.json", mode)
        self.auditor.edited_by_hand = True
        return str(mode)

    def _time(self) -> str:
        seconds = self.random.choice([30, 60, 300, 3600, -5, -60, -3600])
        if seconds > 0:
            self.world.clock.advance(seconds)
        else:
            self.world.clock.jump(seconds)
            self.auditor.set_back = True
        return f"{seconds:+}"

    def _outage(self) -> str:
        store = self.world.store
        if store.away:
            store.away = False
            self.world.clock.advance(6)  # the watch leaves it alone for five seconds
            return "over"
        if self.random.random() < 0.3:
            store.answers_lost = 1
            return "the next answer is lost"
        store.away = True
        return "begins"

    def _kill(self) -> str:
        self.world.die()
        return ""

    # --- the end ---

    def _settle(self) -> None:
        """Every process has ended and the ledger is back: a fresh one finishes what there is to finish."""
        self.world.die()
        self.world.store.away, self.world.store.answers_lost = False, 0
        self.step("recover")
        self.auditor.open()
        recovery.recover(self.world.ledger(), SYSTEM, self.world.human("ann"))
        self.auditor.close("recover", whole=True)
        self.auditor.recovered()
        assert not self.world.spooled(), "something was never appended (I5)"
        self._require_log(self.world.ledger())

    def _require_log(self, ledger: Ledger) -> None:
        stream = self.world.control()
        whole = fold(stream, SystemState(SYSTEM))
        middle = len(stream) // 2
        half = encode(fold(stream[:middle], SystemState(SYSTEM)))
        again = fold(stream[middle:], decode(half))
        assert encode(again) == encode(whole), "not the fold (I7)"
        assert ledger.load(SYSTEM).mode == self.auditor.mode, "the ledger's mode is not the books'"
        assert whole.fingerprint == self.auditor.in_force
        chain = None
        for position, event in enumerate(self.world.store.log, start=1):
            assert event.position == position, "not dense (I2)"
            if chain is not None:
                assert chain_after(chain, event) == event.chain, "the chain is broken (I3)"
            chain = event.chain
