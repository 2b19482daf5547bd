"""Rules over time that has passed: what they would have done, and promtool's unit tests."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field

from ledger.alerts import own
from ledger.alerts.judge import Look, concerns, filled, judge
from ledger.alerts.promql import LOOKBACK_SECONDS, Moment
from ledger.alerts.recording import record
from ledger.alerts.rules import AlertRule, RecordingRule, load_rules, owner, tell_apart
from ledger.alerts.series import STALE, Labels, SeriesStore
from ledger.alerts.vectors import EvaluationError
from ledger.configuration.source import read_bytes
from ledger.configuration.strict import Strict, read_model
from ledger.domain import events
from ledger.domain.errors import BadInput
from ledger.domain.evolve import evolve
from ledger.domain.log.envelope import Recorded
from ledger.domain.log.ids import Actor, ActorKind, Channel, control_stream
from ledger.domain.state import SystemState
from ledger.domain.values.durations import parse_duration
from ledger.service.alerts import actions
from ledger.service.core.recorder import Origin, Recorder
from ledger.store.memory import MemoryStore

SYSTEM: Final = "replayed"
ORIGIN: Final = Origin(Actor("replay", "replay", ActorKind.SERVICE), Channel.SCHEDULER)
AS_REAL: Final[Mapping[str, str]] = {"mode": "real"}
"""Unit tests are of what happens when it counts."""
START: Final = datetime(1970, 1, 1, tzinfo=UTC)
GO_EXPONENT_FROM: Final = 1e21
_SERIES_VALUE: Final = re.compile(
    r"(?P<start>-?[\d.]+(?:e-?\d+)?|_|stale|NaN|[+-]?Inf)(?:(?P<step>[+-][\d.]+))?(?:x(?P<times>\d+))?"
)


class _Stopped:
    """A clock that the replay sets."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        """Return the moment that is replayed."""
        return self.at

    def monotonic(self) -> float:
        """Return seconds since 1970, replayed."""
        return self.at.timestamp()

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.at += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Step:
    """Something that would have happened."""

    at: datetime
    event: events.Event


def _as_written(text: str, **_: object) -> str:
    return text


class Replay:
    """Rules put to samples, step by step, with a state of their own that nobody else sees."""

    def __init__(
        self,
        rules: Sequence[AlertRule],
        recordings: Sequence[RecordingRule],
        series: SeriesStore,
        interval: timedelta,
        *,
        own_series: bool = False,
        lookback: timedelta = timedelta(seconds=LOOKBACK_SECONDS),
    ) -> None:
        """``own_series``: those that the watch provides are provided here too."""
        self.failed: dict[str, str] = {}
        """Rules that could not be evaluated at the last look, and why."""
        self._rules = rules
        self._recordings = recordings
        self._series = series
        self._interval = interval
        self._own_series = own_series
        self._lookback = lookback
        self._last: datetime | None = None
        self._clock = _Stopped(START)
        self._recorder = Recorder(MemoryStore(self._clock), self._clock, _as_written)
        self.state = SystemState(SYSTEM)

    def look(self, at: datetime, facts: Mapping[str, str] = AS_REAL) -> list[Step]:
        """Look at the rules as of ``at``, in the mode and phase of ``facts``; return what happened."""
        self._clock.at = at
        if self._own_series:
            actions.provide(self._series, self.state, facts["mode"], at)
        self.failed = dict(record(self._recordings, self._series, at).failed)
        steps: list[Step] = []
        for rule in self._rules:
            if not concerns(rule, self.state, facts):
                continue
            look = Look(at, self._interval, self._last, self._lookback, facts, self._rules)
            incident = f"INC-{self.state.revision + len(steps) + 1}"
            for event in self._judge(rule, look, incident):
                self._fold(event)
                steps.append(Step(at, event))
        self._last = at
        return steps

    def warm_up(self, start: datetime, end: datetime) -> None:
        """Have the recording rules looked at from ``start`` on, so that at ``end`` windows are full."""
        at = start
        while self._recordings and at < end:
            record(self._recordings, self._series, at)
            at += self._interval

    def look_before(self, at: datetime) -> None:
        """Look at the recording rules alone, as of a look before those that are told of."""
        record(self._recordings, self._series, at)
        self._last = at

    def _judge(self, rule: AlertRule, look: Look, incident: str) -> list[events.Event]:
        try:
            happened = judge(rule, self._series, self.state, look, incident)
        except EvaluationError as problem:
            self.failed[rule.key] = f"{rule.expression.text}: {problem}"
            return own.blind(self.state, rule.key, self.failed[rule.key])
        return [*happened, *own.seeing(self.state, rule.key)]

    def _fold(self, event: events.Event) -> None:
        new = self._recorder.prepare(
            event, ORIGIN, stream=control_stream(SYSTEM), system=SYSTEM, redacted=True
        )
        self.state = evolve(
            self.state,
            Recorded(
                position=self.state.position + 1, revision=self.state.revision + 1,
                schema_version=new.schema_version, event_id=new.event_id,
                occurred_at=new.occurred_at, recorded_at=new.occurred_at, stream=new.stream,
                type=new.type, body=new.body, body_hash=b"", chain=b"",
            ),
        )  # fmt: skip


# --- promtool's unit tests -------------------------------------------------------------------


class _Series(Strict):
    series: str
    values: str | int | float


class _Expected(Strict):
    exp_labels: dict[str, str] = {}
    exp_annotations: dict[str, str] = {}


class _AlertTest(Strict):
    eval_time: str
    alertname: str
    exp_alerts: tuple[_Expected, ...] | None = None


class _Case(Strict):
    name: str = ""
    interval: str = "1m"
    input_series: tuple[_Series, ...] = ()
    alert_rule_test: tuple[_AlertTest, ...] = ()
    external_labels: dict[str, str] = {}
    external_url: str = ""


class _TestFile(Strict):
    rule_files: Annotated[tuple[str, ...], Field(min_length=1)]
    evaluation_interval: str = "1m"
    group_eval_order: tuple[str, ...] = ()
    tests: Annotated[tuple[_Case, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Tested:
    """One expectation, and whether it was met."""

    case: str
    alert: str
    at: str
    passed: bool
    expected: str
    got: str


def run_tests(path: Path) -> list[Tested]:
    """Run a file of promtool's unit tests by our own evaluator.

    Raises:
        BadInput: it is no such file, names rules that can't be read, or tests expressions.
    """
    written = read_model(read_bytes(path), path.name, _TestFile)
    rule_files = [load_rules(read_bytes(path.parent / name), name) for name in written.rule_files]
    rules = tell_apart(rule for file in rule_files for rule in file.rules)
    recordings = [rule for file in rule_files for rule in file.recordings]
    interval = parse_duration(written.evaluation_interval)
    return [
        one
        for number, case in enumerate(written.tests, start=1)
        for one in _run_case(case.name or f"test {number}", case, rules, recordings, interval)
    ]


def _run_case(
    name: str,
    case: _Case,
    rules: Sequence[AlertRule],
    recordings: Sequence[RecordingRule],
    interval: timedelta,
) -> Iterator[Tested]:
    series = SeriesStore()
    every = parse_duration(case.interval).total_seconds()
    for written in case.input_series:
        metric, labels = _selector(written.series)
        for number, value in enumerate(_values(str(written.values))):
            if value is not None:
                series.add(metric, labels, number * every, value)
    replay = Replay(rules, recordings, series, interval)
    at = START
    for test in sorted(case.alert_rule_test, key=lambda test: parse_duration(test.eval_time)):
        until = START + parse_duration(test.eval_time)
        while at <= until:
            replay.look(at)
            at += interval
        named = [rule for rule in rules if rule.name == test.alertname]
        moment = Moment(series, until.timestamp())
        yield _compared(name, test, named, moment, replay)


def _compared(
    case: str, test: _AlertTest, rules: Sequence[AlertRule], moment: Moment, replay: Replay
) -> Tested:
    """Compare labels and annotations, both as a whole: what is not expected must not be there either.

    As in promtool, a rule that can't be evaluated fails every expectation.
    """
    got = [
        (
            _labels(rule, alert.labels),
            _annotations(rule, moment, alert.labels, alert.observed or "NaN"),
        )
        for alert in replay.state.alerts.values()
        if (rule := owner(rules, alert)) is not None
    ]
    wanted = [
        (
            {k: v for k, v in expected.exp_labels.items() if k != "alertname"},
            expected.exp_annotations,
        )
        for expected in test.exp_alerts or ()
    ]
    expects, has = sorted(map(_shown, wanted)), sorted(map(_shown, got))
    has += [f"{rule} can't be evaluated: {why}" for rule, why in replay.failed.items()]
    return Tested(
        case, test.alertname, test.eval_time, expects == has,
        "; ".join(expects) or "nothing", "; ".join(has) or "nothing",
    )  # fmt: skip


def _labels(rule: AlertRule, alert: Mapping[str, str]) -> dict[str, str]:
    return {**alert, **({"severity": rule.severity_label} if rule.severity_label else {})}


def _annotations(
    rule: AlertRule, moment: Moment, alert: Mapping[str, str], observed: str
) -> dict[str, str]:
    """Return the annotations of an alert as Prometheus fills them in: by the series as it is just now."""
    with contextlib.suppress(EvaluationError):
        for labels, element in rule.expression.evaluate(moment).items():
            if dict(rule.labelled(labels)) == alert and element.holds:
                return _filled(rule, labels, element.value)
    # The series is gone, and the alert holds: what is known of it is what it fired by.
    return _filled(rule, tuple(sorted(alert.items())), float(observed))


def _filled(rule: AlertRule, labels: Labels, value: float) -> dict[str, str]:
    number = _as_go(value)
    return {name: filled(text, labels, value, number) for name, text in rule.annotations}


def _as_go(value: float) -> str:
    """Return a number as Go's templates write it: the shortest that is exact."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{value:+.0f}".replace("inf", "Inf")
    text = repr(value)
    if abs(value) >= GO_EXPONENT_FROM or "e-" in text:
        return text
    return f"{Decimal(text):f}".removesuffix(".0")


def _shown(alert: tuple[Mapping[str, str], Mapping[str, str]]) -> str:
    labels, annotations = (
        ", ".join(f"{name}={value}" for name, value in sorted(part.items())) for part in alert
    )
    return f"{labels} [{annotations}]" if annotations else labels


def _selector(text: str) -> tuple[str, dict[str, str]]:
    import promql_parser

    try:
        node: Any = promql_parser.parse(text)
        return str(node.name), {m.name: m.value for m in node.matchers.matchers}
    except (ValueError, AttributeError):
        raise BadInput(f"{text!r} is no series.", hint='Write metric{label="value"}') from None


def _values(text: str) -> Iterator[float | None]:
    """Yield the values of promtool's notation: ``1 2 3``, ``0+10x5``, ``_x3``, ``stale``; None: no value."""
    for word in text.split():
        match = _SERIES_VALUE.fullmatch(word)
        if match is None:
            raise BadInput(f"{word!r} is no series value.", hint="1 2 3, 0+10x5, _x3, stale")
        times, step = match["times"], float(match["step"] or 0)
        if match["start"] in {"_", "stale"}:
            yield from [None if match["start"] == "_" else STALE] * int(times or 1)
            continue
        start = float(match["start"].replace("Inf", "inf"))
        for number in range(int(times) + 1 if times is not None else 1):
            yield start + number * step


def reach_of(rules: Sequence[AlertRule | RecordingRule]) -> float:
    """Return how many seconds back the rules look."""
    return max((rule.expression.reach_seconds for rule in rules), default=300.0)
