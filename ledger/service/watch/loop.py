"""The watch: sample, evaluate, act, look at the world; over and over, with the ledger and without it.

One round never depends on the one before but by the log (and, while the ledger is away, by what this
process imagines the log to say until it can be appended).
"""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from ledger import fail_points
from ledger.alerts import own
from ledger.alerts.judge import Look, concerns, judge
from ledger.alerts.muting import inhibitions
from ledger.alerts.recording import Recorded, record
from ledger.alerts.rules import AlertRule, RecordingRule
from ledger.alerts.series import SeriesStore
from ledger.domain import events
from ledger.domain.alerts.decide import incident_name
from ledger.domain.decision import Decision
from ledger.domain.errors import LedgerError, LedgerUnreachable
from ledger.domain.log.event import decimal_text
from ledger.domain.state import SystemState
from ledger.metrics.sources import Measured, Source, SourceReading
from ledger.profiles.plan import Plan
from ledger.profiles.rule_sets import rules_of
from ledger.service.alerts import actions, notifications
from ledger.service.alerts.notifications import Notifier
from ledger.service.core.recorder import Origin
from ledger.service.core.sampling import WATCH_UP
from ledger.service.core.session import Ledger
from ledger.service.watch import read_offsets
from ledger.service.watch.heartbeat import beat
from ledger.service.watch.reconciliation import Reconciler
from ledger.service.watch.store_and_forward import StoreAndForward

READERS_MAX: Final = 8
FINISH_SECONDS: Final = 10.0
"""How long a watch that ends waits for channels; what they have not taken by then, the next one sends."""
WATCH_WAS_SILENT: Final = "WatchWasSilent"
"""The alert that nobody watched for longer than the plan's ``dead_man``."""
TRY_AGAIN_SECONDS: Final = 60.0
"""How long after a pause that failed it is tried again, for as long as its alert fires."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round saw and did."""

    at: datetime
    samples: int
    problems: tuple[str, ...]
    happened: tuple[str, ...]
    """Sentences on alerts that changed and on what was done."""
    away: str | None
    """Why the ledger could not be reached."""


class Watch:
    """Watches over one system by its plan."""

    def __init__(
        self,
        ledger: Ledger,
        plan: Plan,
        state: SystemState,
        origin: Origin,
        *,
        base: Path,
        last: datetime | None,
        say: Callable[[str], None],
    ) -> None:
        self._ledger = ledger
        self._clock = ledger.recorder.clock
        self._line = StoreAndForward(ledger, state, origin, say)
        self._base = base
        self._say = say
        self._notifier = Notifier(base)
        self._series = SeriesStore()
        self._last = last
        self._tried: dict[str, float] = {}
        self._reconciler = Reconciler(ledger, self._line)
        self.go_by(plan)

    def go_by(self, plan: Plan) -> None:
        """Watch by ``plan`` from here on."""
        self._plan = plan
        self._rules = rules_of(plan)
        self._by_key = {rule.key: rule for rule in self._rules}
        self._recordings = [one for file in plan.rule_files for one in file.recordings]
        self._places = read_offsets.recall(self._ledger.home, self.system)
        self._sources = [
            Source(spec, self._base, self._clock, os.environ, resume=self._places.get(spec.name))
            for spec in plan.profile.metrics
        ]
        expressions = [rule.expression for rule in (*self._rules, *self._recordings)]
        self.reach = max((one.reach_seconds for one in expressions), default=300.0)
        """How many seconds back the rules look."""

    @property
    def state(self) -> SystemState:
        """The system's state, as of the last round."""
        return self._line.state

    @property
    def away(self) -> str | None:
        """Why the ledger can't be reached, if it can't."""
        return self._line.problem.message if self._line.problem is not None else None

    @property
    def system(self) -> str:
        """The system that is watched."""
        return self._line.state.system

    def begin(self, away: LedgerUnreachable | None, silent_seconds: int | None) -> None:
        """Record that the watch begins, and for how long nobody watched, where that was too long."""
        if away is not None:
            self._line.lost(away)
        begun: list[events.Event] = [
            events.WatchStarted(
                host=socket.gethostname(),
                pid=os.getpid(),
                rules=len(self._rules),
                sources=len(self._sources),
                silent_seconds=silent_seconds,
            )
        ]
        if silent_seconds is not None:
            message = f"nobody watched for {silent_seconds} seconds"
            fired = events.AlertFired(alert=WATCH_WAS_SILENT, severity="warning", message=message)
            begun.append(fired)
        self._line.append(lambda _: Decision(tuple(begun)))

    @property
    def plan(self) -> Plan:
        """The plan that is watched by."""
        return self._plan

    def remember(self, measured: Iterable[Measured]) -> None:
        """Take in what was recorded before this watch began, so that windows are full."""
        for one in measured:
            self._series.add(one.metric, one.labels, one.at.timestamp(), one.number)

    # --- a round ---

    def round(self) -> Round:
        """Look once, and do what has to be done."""
        self._line.reach_out()
        # Before a source can hang, and before an alert ends that nobody was told of.
        self._notify(self._clock.now())
        self.remember(self._line.recorded())
        readings = self._sample()
        now = self._clock.now()  # after the samples: what was measured a moment ago counts
        measured = [one for reading in readings for one in reading.samples]
        self.remember(measured)
        actions.provide(self._series, self._line.state, self._line.state.mode, now)
        self._series.drop_before(now.timestamp() - self.reach - 3600)
        recorded = record(self._recordings, self._series, now)
        happened = self._evaluate(now, readings, measured, recorded)
        fail_points.reach("watch.after_evaluate")
        lines = [_told(event) for event in happened]
        self._notify(now)
        lines += self._act(now)
        if self._line.problem is None:
            lines += self._reconciler.look_after(now)
        self._last = now
        beat(
            self._ledger.home,
            self.system,
            now,
            self._plan.profile.watch.heartbeat_url,
            self._say,
            away=self._line.problem is not None,
        )
        problems = tuple(r.problem for r in readings if r.problem is not None)
        return Round(now, len(measured), problems, tuple(filter(None, lines)), self.away)

    def _sample(self) -> list[SourceReading]:
        if len(self._sources) < 2:
            return [source.read() for source in self._sources]
        with ThreadPoolExecutor(min(len(self._sources), READERS_MAX)) as pool:
            return list(pool.map(Source.read, self._sources))

    def _evaluate(
        self,
        now: datetime,
        readings: Sequence[SourceReading],
        measured: Sequence[Measured],
        recorded: Recorded,
    ) -> list[events.Event]:
        looked: list[events.Event] = []

        def decide(state: SystemState) -> Decision:
            looked[:] = self._judged(state, now, readings, recorded)
            return Decision(tuple(looked))

        # What recording rules found is evidence for gates, and for whoever comes next. So is the round
        # itself: that somebody looked, even where nothing came.
        made = [
            Measured(name, dict(labels), decimal_text(value), now)
            for name, labels, value in recorded.samples
            if not math.isnan(value)
        ]
        self._line.record([*measured, *made, Measured(WATCH_UP, {}, "1", now)])
        self._line.append(decide)
        self._keep_places()
        return looked

    def _keep_places(self) -> None:
        """Note how far the files that grow were read: what is recorded is not read again."""
        places = {s.spec.name: s.tail.place for s in self._sources if s.tail and s.tail.place}
        if places == self._places:
            return
        try:
            read_offsets.keep(self._ledger.home, self.system, places)
            self._places = places
        except LedgerError as problem:
            self._say(f"warning: {problem.message}")

    def _end_of_silence(self, state: SystemState, now: datetime) -> list[events.Event]:
        """Say at the second look in time that somebody watches again."""
        if WATCH_WAS_SILENT not in state.alerts or self._last is None:
            return []
        if now - self._last > self._plan.profile.watch.dead_man:
            return []
        return [events.AlertResolved(alert=WATCH_WAS_SILENT, how="condition_cleared")]

    def _judged(
        self,
        state: SystemState,
        now: datetime,
        readings: Sequence[SourceReading],
        recorded: Recorded,
    ) -> list[events.Event]:
        facts = {
            "mode": state.mode or "mock",
            "phase": state.phase_name or "",
            "environment": self._plan.profile.environment,
        }
        watch = self._plan.profile.watch
        look = Look(now, watch.interval, self._last, watch.lookback, facts, self._rules)
        happened: list[events.Event] = []
        for rule in self._rules:
            if not concerns(rule, state, facts):
                continue
            # In one round two alerts may each open an incident: their names must differ.
            name = incident_name(state, self._ledger.recorder.clock.now())
            incident = f"{name}{f'-{len(happened)}' if happened else ''}"
            happened += self._judge(rule, state, look, incident)
        happened += _sources(self._sources, readings, state)
        happened += _recordings(self._recordings, recorded, state)
        others = {rule.key for rule in self._recordings} | set(map(source_name, self._sources))
        happened += own.forgotten(state, self._rules, others)
        over = {event.alert for event in happened if isinstance(event, events.AlertResolved)}
        happened += [*self._end_of_silence(state, now), *own.moot(state, over)]
        return _ended_once(happened)

    def _judge(
        self, rule: AlertRule, state: SystemState, look: Look, incident: str
    ) -> list[events.Event]:
        """Judge one rule; where that can't be done, say so once: it must not blind the others."""
        try:
            happened = judge(rule, self._series, state, look, incident)
        except Exception as error:  # noqa: BLE001 -- arithmetic on what anybody may have measured
            return own.blind(state, rule.key, f"{rule.expression.text}: {error}")
        return [*happened, *own.seeing(state, rule.key)]

    # --- acting ---

    def _act(self, now: datetime) -> list[str]:
        lines: list[str] = []
        for key in actions.due(self._line.state, now):
            since = self._clock.monotonic() - self._tried.get(key, -TRY_AGAIN_SECONDS)
            if self._line.state.alerts[key].acted == "failed" and since < TRY_AGAIN_SECONDS:
                continue
            self._tried[key] = self._clock.monotonic()
            fail_points.reach("watch.before_act")
            taken = actions.act(
                self._ledger,
                self._plan,
                self._by_key,
                self._line.state,
                key,
                away=self._line.problem,
            )
            fail_points.reach("watch.after_act")
            lines += [_told(event) for event in taken]
            answer = Decision(own.answered(self._line.state, taken))
            self._line.append(lambda _, answer=answer: answer)
            self._imagine_paused(taken)
        for key in actions.fires_on(self._line.state, self._by_key, now):
            escalated = actions.escalate(self._ledger, self._line.state, key, self._line.problem)
            lines += [_told(event) for event in escalated]
            self._line.append(lambda _, events=escalated: Decision(events))
            self._imagine_paused(escalated)
        return lines

    def _imagine_paused(self, taken: Sequence[events.Event]) -> None:
        """Take a system for paused that was paused without the ledger."""
        if self._line.problem is not None and any(
            isinstance(one, events.AlertActionTaken)
            and (one.action, one.outcome) == ("pause", "done")
            for one in taken
        ):
            remembered = self._ledger.memory.recall(self.system)
            kind = remembered.pause_kind if remembered is not None else None
            self._line.state = replace(self._line.state, mode="paused", pause_kind=kind or "halt")

    def _notify(self, now: datetime) -> None:
        """Record what came of notices, and have sent what is due by the log."""
        outcomes = self._notifier.outcomes()
        if outcomes:
            self._line.append(lambda _: Decision(tuple(outcomes)))
        rules = self._plan.profile.inhibit
        if inhibitions(self._line.state, rules):
            self._line.append(lambda state: Decision(inhibitions(state, rules)))
        channels = self._plan.profile.notify
        self._notifier.tell(notifications.due(self._line.state, channels, self._by_key, now))

    def finish(self, why: str) -> None:
        """End the watch in order."""
        stopped = [*self._notifier.finish(FINISH_SECONDS), events.WatchStopped(explanation=why)]
        self._line.append(lambda _: Decision(tuple(stopped)))


def source_name(source: Source) -> str:
    """Return what a source is called where rules have names too."""
    return f"source:{source.spec.name}"


def _recordings(
    rules: Sequence[RecordingRule], recorded: Recorded, state: SystemState
) -> list[events.Event]:
    """Say once that a recording rule can't be evaluated, and once that it can be again."""
    happened: list[events.Event] = []
    for key in dict.fromkeys(rule.key for rule in rules):
        why = recorded.failed.get(key)
        happened += own.seeing(state, key) if why is None else own.blind(state, key, why)
    return happened


def _ended_once(happened: Sequence[events.Event]) -> list[events.Event]:
    """Return ``happened`` without an end that stands there before: two rules may follow one that was."""
    over: set[str] = set()
    kept: list[events.Event] = []
    for event in happened:
        if isinstance(event, events.AlertResolved):
            if event.alert in over:
                continue
            over.add(event.alert)
        kept.append(event)
    return kept


def _sources(
    sources: Sequence[Source], readings: Sequence[SourceReading], state: SystemState
) -> list[events.Event]:
    """Say once that a source can't be read, and once that it can be read again."""
    happened: list[events.Event] = []
    for source, reading in zip(sources, readings, strict=True):
        name = source_name(source)
        if reading.lost is not None:
            happened += own.lost(state, name, reading.lost)
        elif reading.problem is not None and not reading.samples and name not in state.failing:
            happened.append(events.EvaluationFailed(rule=name, explanation=reading.problem))
        elif reading.problem is None:
            happened += own.seeing(state, name)
    return happened


def _told(event: events.Event) -> str:
    data = event.payload()
    verb = {
        "AlertPending": "is pending", "AlertFired": "is firing", "AlertResolved": "is resolved",
        "NoDataDetected": "has no data", "DataReturned": "has data again",
    }.get(event.type)  # fmt: skip
    if event.type == "AlertActionTaken":
        return f"{data['alert']}: {data['action']} {data['outcome']}: {data.get('explanation', '')}"
    return f"{data['alert']} {verb}" if verb else ""
