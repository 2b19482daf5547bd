"""Rules put to samples, step by step, with the log in memory."""

from __future__ import annotations

from datetime import datetime, timedelta

from ledger.alerts.judge import Look, judge
from ledger.alerts.rules import AlertRule, load_rules
from ledger.alerts.series import SeriesStore
from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.log.ids import Actor, ActorKind, Channel
from ledger.service.core.recorder import Origin, Recorder
from ledger.store.memory import MemoryStore
from tests.support.fakes import FrozenClock

ORIGIN = Origin(Actor("watch", "watch", ActorKind.SERVICE), Channel.SCHEDULER)


def rule(text: str) -> AlertRule:
    """Return the one rule that the YAML of a rule says."""
    lines = "".join(f"        {line}\n" for line in text.strip().splitlines())
    (found,) = load_rules(
        f"groups:\n  - name: g\n    rules:\n      -\n{lines}".encode(), "r.yaml"
    ).rules
    return found


def rules_of(*texts: str) -> tuple[AlertRule, ...]:
    """Return the rules of a file, each as the YAML of a mapping says it."""
    listed = "".join(f"      - {text}\n" for text in texts)
    return load_rules(f"groups:\n  - name: g\n    rules:\n{listed}".encode(), "r.yaml").rules


class Desk:
    """A system in a log in memory, and what watches it."""

    def __init__(self, *rules: AlertRule, interval_seconds: float = 15) -> None:
        self.clock = FrozenClock()
        self.recorder = Recorder(MemoryStore(self.clock), self.clock, lambda text, **_: text)
        self.rules = rules
        self.series = SeriesStore()
        self.interval = timedelta(seconds=interval_seconds)
        self.last: datetime | None = None
        self.lookback = timedelta(minutes=5)
        self.facts = {"mode": "real"}
        registered = events.SystemRegistered(environment="staging", actuators=events.Actuators())
        self.recorder.decide("bot", lambda _: Decision((registered,)), ORIGIN)

    def sample(self, metric: str, value: float, **labels: str) -> None:
        """Record a sample as of now."""
        self.series.add(metric, labels, self.clock.now().timestamp(), value)

    def look(self, seconds: float | None = None) -> list[str]:
        """Let time pass, look at the rules, append; return what happened, as ``Type alert``."""
        self.clock.advance(self.interval.total_seconds() if seconds is None else seconds)
        return self.look_now()

    def look_now(self) -> list[str]:
        told: list[str] = []
        for one in self.rules:
            state = self.recorder.load("bot")
            look = Look(
                self.clock.now(), self.interval, self.last, self.lookback, self.facts, self.rules
            )
            found = tuple(judge(one, self.series, state, look, f"INC-{state.revision + 1}"))
            self.recorder.decide("bot", lambda _, found=found: Decision(found), ORIGIN)
            told += [
                f"{event.type} {event.payload().get('alert', '')}".strip()
                for event in found
                if event.type != "IncidentOpened"
            ]
        self.last = self.clock.now()
        return told
