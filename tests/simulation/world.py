"""A small world for one bot: its files, a log in memory that may go away, processes that may die.

What a process knows dies with it; files, the log and the spool stay. A crash is an exception that nothing
catches, at any place where a real process could be killed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ledger import fail_points
from ledger.domain import events
from ledger.domain.errors import LedgerUnreachable
from ledger.domain.log.envelope import Appended, NewEvent, Recorded
from ledger.domain.log.ids import Actor, ActorKind, Channel, control_stream
from ledger.domain.systems import decide as systems
from ledger.service import offline, recovery
from ledger.service.core.local_cache import LocalMemory
from ledger.service.core.recorder import Origin, Recorder
from ledger.service.core.session import Finished, Ledger
from ledger.service.plans import adoption
from ledger.service.watch import start
from ledger.service.watch.loop import Watch
from ledger.store.memory import MemoryStore
from tests.support.fakes import FrozenClock

T = TypeVar("T")
SYSTEM = "bot"
RULES = """
groups:
  - name: guards
    rules:
      - alert: EceHigh
        expr: ece > 0.1
        for: 2m
        labels: {severity: critical}
        annotations: {rollout_action: rollback, rollout_cooldown: 10m}
      - alert: LoadHigh
        expr: load > 1
        for: 45s
        annotations: {rollout_action: pause}
      - alert: LatencyHigh
        expr: latency > 500
        annotations: {rollout_action: pause, rollout_pause_kind: reduce_only}
      - alert: LatencyOdd
        expr: latency > 300
        annotations: {rollout_action: mitigate, rollout_mitigation: calm}
"""
PROFILE = """
profile: simulated
environment: production
rules: [rules.yaml]
metrics:
  - {name: stats, kind: json_file, path: stats.json, values: {ece: ece, latency: latency, load: load}}
checks: [{name: evidence, kind: json_thresholds, path: evidence.json, values: {sharpe: {min: 0.2}}}]
modes: {real: {preflight: 10m, approvals: {roles: {risk: 1}, expires: 1h}}}
mitigations:
  calm: {kind: pause_calibration, expires: 5m}
watch: {interval: 15s, lookback: 10s, dead_man: 2m}
phases:
  - {name: shadow, mode: mock}
  - {name: micro, mode: real, entry: {preflight: 10m}}
"""


class Crash(BaseException):
    """The process is gone."""


class Chaos:
    """Kills the process at the n-th place that it comes by, once armed."""

    def __init__(self) -> None:
        self.left: int | None = None

    def reach(self, _name: str) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left <= 0:
            self.left = None
            raise Crash


class Store(MemoryStore):
    """The log in memory; it may be away, and it may take events without an answer."""

    def __init__(self, clock: FrozenClock, chaos: Chaos) -> None:
        super().__init__(clock)
        self.away = False
        self.answers_lost = 0
        self._chaos = chaos

    def append(self, events: Sequence[NewEvent], *, all_or_nothing: bool = False) -> list[Appended]:
        self._require_allowed()
        self._chaos.reach("store.before_append")
        answers = super().append(events, all_or_nothing=all_or_nothing)
        self._chaos.reach("store.after_append")
        if self.answers_lost and events:
            self.answers_lost -= 1
            self.away = True
            raise LedgerUnreachable("No answer came.")
        return answers

    def read_stream(
        self, stream: str, after_revision: int = 0, up_to_position: int | None = None
    ) -> Iterator[Recorded]:
        self._require_allowed()
        return super().read_stream(stream, after_revision, up_to_position)

    def get_blob(self, sha256: str) -> bytes | None:
        self._require_allowed()
        return super().get_blob(sha256)

    def put_blob(self, content: bytes) -> str:
        self._require_allowed()
        return super().put_blob(content)

    def try_lock(self, name: str) -> bool:
        self._require_allowed()
        return super().try_lock(name)

    def _require_allowed(self) -> None:
        if self.away:
            raise LedgerUnreachable("Postgres is away.")

    @property
    def log(self) -> list[Recorded]:
        """All events, whether or not the log is away."""
        return self._events


class World:
    """Everything that outlives a process, and the one process that watches."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FrozenClock()
        self.chaos = Chaos()
        self.store = Store(self.clock, self.chaos)
        self.watch: Watch | None = None
        self.said: list[str] = []
        (folder / "rules.yaml").write_text(RULES)
        (folder / "plan.yaml").write_text(PROFILE)
        self.write("evidence.json", {"sharpe": 1.0})
        self.write("stats.json", {"ece": 0.0, "latency": 100, "load": 0})
        self.config(0)
        actuators = events.Actuators(
            control_file=str(folder / "mode.json"),
            config_files=(events.ConfigFile(name="config.yaml", path=str(folder / "config.yaml")),),
            mitigation_file=str(folder / "mitigations.json"),
        )
        ann, ledger = self.human("ann"), self.ledger()
        ledger.decide(
            SYSTEM,
            lambda state: systems.register(
                state, environment="production", description="", actuators=actuators
            ),
            ann,
        )
        adoption.adopt(ledger, SYSTEM, folder / "plan.yaml", ann)

    # --- processes ---

    def ledger(self) -> Ledger:
        """What a fresh process works with; what waits here is appended first, as every command does."""
        ledger = self._over(self.store)
        self.store.try_lock("")  # raises while it is away
        if ledger.spool.read().records:
            offline.drain(ledger)
        return ledger

    def cut_off(self) -> Ledger:
        """What a fresh process works with while the log is away."""
        return self._over(MemoryStore(self.clock))

    def _over(self, store: MemoryStore) -> Ledger:
        def keys() -> Any:
            raise AssertionError("these configurations hold no secrets")

        memory = LocalMemory(self.folder / "home" / "cache" / "the-ledger")
        recorder = Recorder(
            store, self.clock, lambda text, **_: text, memory if store is self.store else None
        )

        def finish(ledger: Ledger, system: str, origin: Origin) -> Finished:
            return recovery.finish_dead_operations(ledger, system, origin)

        return Ledger(recorder, self.folder / "home", self.said.append, keys, memory, finish)

    def begin_watch(self) -> Watch:
        """Start a process that watches, with the log or without it."""
        origin = Origin(Actor("watch", "watch", ActorKind.SERVICE), Channel.SCHEDULER)
        away = LedgerUnreachable("Postgres is away.") if self.store.away else None
        ledger = self._over(self.store) if away else self.ledger()
        self.watch = start.begin(
            ledger, SYSTEM, origin, base=self.folder, say=self.said.append, away=away
        )
        return self.watch

    def die(self) -> None:
        """End every process at once: locks go with them, and so does what the watch had in mind."""
        self.watch = None
        self.chaos.left = None

    @staticmethod
    def human(name: str) -> Origin:
        """Return a person at the command line."""
        return Origin(Actor(name, name.title(), ActorKind.HUMAN), Channel.CLI, "because")

    # --- files ---

    def write(self, name: str, document: object) -> None:
        """Write a JSON file."""
        (self.folder / name).write_text(json.dumps(document))

    def config(self, number: int, name: str = "config.yaml") -> Path:
        """Write configuration ``number``."""
        path = self.folder / name
        path.write_text(f"size: {number}\n")
        return path

    def standing(self) -> int | None:
        """Return which configuration stands in place."""
        with contextlib.suppress(FileNotFoundError):
            return int((self.folder / "config.yaml").read_text().removeprefix("size: "))
        return None

    def mode(self) -> tuple[str, str | None] | None:
        """Return what the bot reads."""
        with contextlib.suppress(FileNotFoundError):
            told = json.loads((self.folder / "mode.json").read_text())
            return told["mode"], told.get("pause_kind")
        return None

    def control(self) -> list[Recorded]:
        """Return the control stream, whether or not the log is away."""
        return [event for event in self.store.log if event.stream == control_stream(SYSTEM)]

    def spooled(self) -> list[dict[str, Any]]:
        """Return what waits here for the log."""
        path = self.folder / "home" / "spool" / "spool.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@contextlib.contextmanager
def killable(reach: Callable[[str], None]) -> Iterator[None]:
    """Have every fail point come by ``reach``."""
    before = fail_points.reach
    fail_points.reach = reach
    try:
        yield
    finally:
        fail_points.reach = before
