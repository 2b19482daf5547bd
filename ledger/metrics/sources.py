"""Reading metric sources. No data is no sample, never 0; what goes wrong is a sentence."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from ledger import files, web
from ledger.clock import age_of_file
from ledger.domain.clock import Clock
from ledger.domain.errors import LedgerError
from ledger.domain.log.event import decimal_text
from ledger.domain.values.moments import moment_of
from ledger.domain.values.shapes import is_list, is_mapping
from ledger.metrics import exposition
from ledger.metrics.log_lines import LogLines
from ledger.metrics.specs import (
    CsvFile,
    JsonFile,
    JsonLines,
    LogFile,
    MetricSource,
    PrometheusApi,
    PrometheusText,
)  # fmt: skip
from ledger.metrics.tailing import Place, Tail, Taken

DOCUMENT_BYTES_MAX: Final = 16 * 2**20
PROBLEM_CHARS_MAX: Final = 300
SAMPLES_MAX: Final = 20_000
AHEAD_MAX: Final = timedelta(minutes=10)
"""What an endpoint says is of a later time than that is not taken, as Prometheus does not."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One measured value. ``value`` is decimal text."""

    metric: str
    labels: Mapping[str, str]
    value: str
    at: datetime

    @property
    def number(self) -> float:
        """The value as a float."""
        return float(self.value.replace("Inf", "inf"))


@dataclass(frozen=True, slots=True)
class SourceReading:
    """What a source said this time."""

    samples: tuple[Measured, ...]
    problem: str | None = None
    lost: str | None = None
    """What was measured, and can't be read any more."""


@dataclass(slots=True)
class Source:
    """One source, and how far into its file it has read."""

    spec: MetricSource
    base: Path
    clock: Clock
    environment: Mapping[str, str]
    resume: Place | None = None
    """How far a file that grows was read by whoever read it before."""
    tail: Tail | None = None
    header: list[str] = field(default_factory=list)
    stamped: dict[tuple[str, tuple[tuple[str, str], ...]], float] = field(default_factory=dict)
    """The times of the samples that bear one, as of the last reading."""
    trial: bool = False
    """Whether it is read once, to see what it says: what stands in a log already counts then."""
    log: LogLines | None = None

    def read(self) -> SourceReading:
        """Return what is new."""
        try:
            return self._read()
        except LedgerError as problem:
            return SourceReading((), self._problem(problem.message))
        except Exception as error:  # noqa: BLE001 -- whatever another program writes, the watch goes on
            return SourceReading((), self._problem(f"it can't be understood ({error})"))

    def _read(self) -> SourceReading:
        spec = self.spec
        if isinstance(spec, PrometheusText):
            return self._prometheus_text(spec)
        if isinstance(spec, PrometheusApi):
            return self._prometheus_api(spec)
        if isinstance(spec, JsonFile):
            return self._json_file(spec)
        if isinstance(spec, CsvFile):
            taken = self._tail(spec.path).take()
            return self._together(self._of_csv(spec, one) for one in taken)
        if isinstance(spec, LogFile):
            return self._log(spec)
        return self._json_lines(spec)

    def _measured(
        self, metric: str, value: float, labels: Mapping[str, str], at: datetime
    ) -> Measured:
        merged = {str(k): str(v) for k, v in {**labels, **self.spec.labels}.items()}
        return Measured(metric, merged, decimal_text(value), at)

    # --- over HTTP ---

    def _asked(self, url: str, params: Mapping[str, str] | None = None) -> bytes:
        whole = web.with_variables(url, self.environment, self.spec.name)
        answer = web.request(
            whole, timeout_seconds=self.spec.timeout.total_seconds(), params=params
        )
        if answer.status != 200:
            reason = _error_in(answer.body)
            raise LedgerError(f"{web.place_of(whole)} answered {answer.status}{reason}.")
        return answer.body

    def _prometheus_text(self, spec: PrometheusText) -> SourceReading:
        now = self.clock.now()
        wanted = frozenset(spec.metrics)
        measured: list[Measured] = []
        ahead = 0
        for exposed, labels, value, written in exposition.samples(self._asked(spec.url)):
            name = spec.rename.get(exposed, exposed)
            if math.isnan(value) or (wanted and name not in wanted):
                continue
            at = now if written is None else datetime.fromtimestamp(written, UTC)
            if at - now > AHEAD_MAX:
                ahead += 1
            elif written is None or self._is_newer(exposed, labels, written):
                measured.append(self._measured(name, value, labels, at))
        problem = f"{self.spec.name}: {ahead} of its samples are of more than ten minutes from now"
        return self._bounded(measured, problem if ahead else None)

    def _is_newer(self, name: str, labels: Mapping[str, str], at: float) -> bool:
        """Tell whether a sample that bears its time is another one than the last time it was read."""
        series = (name, tuple(sorted(labels.items())))
        newer = self.stamped.get(series) != at
        self.stamped[series] = at
        return newer

    def _bounded(self, measured: list[Measured], problem: str | None = None) -> SourceReading:
        if len(measured) <= SAMPLES_MAX:
            return SourceReading(tuple(measured), problem)
        return SourceReading(
            (),
            f"{self.spec.name}: {len(measured):,} samples at once; name the metrics that are wanted",
        )

    def _prometheus_api(self, spec: PrometheusApi) -> SourceReading:
        measured: list[Measured] = []
        for metric, query in spec.queries.items():
            answer = self._asked(f"{spec.url.rstrip('/')}/api/v1/query", {"query": query})
            body: dict[str, Any] = json.loads(answer)
            if body.get("status") != "success":
                raise LedgerError(f"{metric}: the server says: {body.get('error', 'no success')}")
            data = body["data"]
            if data["resultType"] not in {"scalar", "vector"}:
                raise LedgerError(
                    f"{metric}: the query gives a {data['resultType']}, and one value each is wanted"
                )
            scalar = data["resultType"] == "scalar"
            results: list[dict[str, Any]] = (
                [{"metric": {}, "value": data["result"]}] if scalar else data["result"]
            )
            for result in results:
                at, value = result["value"]
                labels = {k: v for k, v in result["metric"].items() if k != "__name__"}
                number = float(value)
                if not math.isnan(number):
                    moment = moment_of(at)
                    measured.append(self._measured(metric, number, labels, moment))
        return self._bounded(measured)

    # --- files ---

    def _json_file(self, spec: JsonFile) -> SourceReading:
        path = self.base / spec.path
        content = files.read_bounded(path, bytes_max=DOCUMENT_BYTES_MAX)
        if content is None:
            return SourceReading((), f"{self.spec.name}: {path} does not exist")
        now = self.clock.now()
        age = age_of_file(path.stat().st_mtime, self.clock).total_seconds()
        if spec.max_age is not None and age > spec.max_age.total_seconds():
            return SourceReading((), f"{self.spec.name}: {path} was written {age:.0f} s ago")
        document = json.loads(content)
        measured = [
            self._measured(metric, number, {}, now)
            for metric, where in spec.values.items()
            if (number := _number(at_path(document, where), spec.texts)) is not None
        ]
        missing = spec.values.keys() - {one.metric for one in measured}
        problem = f"{self.spec.name}: nothing at {', '.join(sorted(missing))}" if missing else None
        return SourceReading(tuple(measured), problem)

    def _of_csv(self, spec: CsvFile, taken: Taken) -> SourceReading:
        if taken.first is not None:
            self.header = next(csv.reader([taken.first]), list[str]())
        lines = taken.lines[1:] if taken.from_start else taken.lines
        columns = [spec.time, *spec.label_columns, *spec.metrics.values()]
        missing = [name for name in columns if name not in self.header]
        if self.header and missing:
            problem = (
                f"the header has no column {', '.join(missing)}; it has: {', '.join(self.header)}"
            )
            return SourceReading((), self._problem(problem))
        return self._understood(taken, lines, lambda line: self._row(spec, line))

    def _row(self, spec: CsvFile, line: str) -> list[Measured]:
        record = dict(zip(self.header, next(csv.reader([line])), strict=False))
        at = moment_of(record[spec.time])
        labels = {name: record[name] for name in spec.label_columns}
        numbers = {
            metric: _parsed(record[column])
            for metric, column in spec.metrics.items()
            if record[column].strip()
        }
        return [
            self._measured(metric, number, labels, at)
            for metric, number in numbers.items()
            if not math.isnan(number)
        ]

    def _json_lines(self, spec: JsonLines) -> SourceReading:
        def understood(line: str) -> list[Measured]:
            record = json.loads(line)
            value = record["value"]
            if isinstance(value, float) and math.isnan(value):
                return []
            return [measured_of(record, self.clock.now(), self.spec.labels)]

        return self._together(
            self._understood(one, one.lines, understood) for one in self._tail(spec.path).take()
        )

    def _together(self, readings: Iterable[SourceReading]) -> SourceReading:
        """Return as one what was read of a file and of those that it took the place of."""
        read = tuple(readings)
        samples = tuple(sample for one in read for sample in one.samples)
        problem = next((one.problem for one in read if one.problem is not None), None)
        return SourceReading(samples, problem, next((one.lost for one in read if one.lost), None))

    def _log(self, spec: LogFile) -> SourceReading:
        if self.log is None:
            self.log = LogLines(spec.count, spec.values, spec.time, ZoneInfo(spec.zone))
        new = self.trial or self.tail is not None or self.resume is not None
        taken = self._tail(spec.path).take()
        lines = [line for one in taken for line in one.lines]
        problem = next((one.problem for one in taken if one.problem), None)
        lost = next((self._problem(one.lost) for one in taken if one.lost), None)
        if problem and not lines:
            return SourceReading((), self._problem(problem), lost)
        numbers = self.log.read(lines, self.clock.now(), new=new)
        if self.log.unread:
            problem = problem or f"in {self.log.unread} lines a number or a time could not be read"
        samples = [
            self._measured(metric, value, dict(labels), at)
            for (metric, labels, at), value in numbers.items()
        ]
        bounded = self._bounded(samples)
        shown = bounded.problem or (self._problem(problem) if problem else lost)
        return SourceReading(bounded.samples, shown, lost)

    def _tail(self, path: str) -> Tail:
        if self.tail is None:
            self.tail = Tail(self.base / path, self.resume)
        return self.tail

    def _understood(
        self, taken: Taken, lines: Sequence[str], each: Callable[[str], list[Measured]]
    ) -> SourceReading:
        """Return what lines say; one that says nothing costs that line."""
        measured: list[Measured] = []
        bad = 0
        for line in lines:
            text = line.lstrip("\0")  # which a file has before a record after a power cut
            if not text.strip():
                continue
            try:
                measured += each(text)
            except (
                LookupError,
                ValueError,
                TypeError,
                AttributeError,
                ArithmeticError,
                OSError,
                csv.Error,
            ):
                bad += 1
        problem = taken.problem or (f"{bad} lines could not be read" if bad else None)
        lost = self._problem(taken.lost) if taken.lost else None
        return SourceReading(tuple(measured), self._problem(problem) if problem else lost, lost)

    def _problem(self, sentence: str) -> str:
        """Return what is wrong, in a few words: what another program writes may be long."""
        sentence = (
            sentence if len(sentence) <= PROBLEM_CHARS_MAX else f"{sentence[:PROBLEM_CHARS_MAX]}…"
        )
        return f"{self.spec.name}: {sentence}"


def measured_of(record: Any, now: datetime, labels: Mapping[str, str] | None = None) -> Measured:
    """Return the sample that a JSON line says.

    Raises:
        KeyError, ValueError, TypeError: it says none.
    """
    value = _number(record["value"], {})
    if value is None or not isinstance(record["metric"], str):
        raise ValueError("it has no metric and no number")
    at = moment_of(record["at"]) if "at" in record else now
    named: Any = record.get("labels") or {}
    if not is_mapping(named):
        raise TypeError("its labels are no names with values")
    given = {str(k): str(v) for k, v in named.items()}
    return Measured(record["metric"], {**given, **(labels or {})}, decimal_text(value), at)


def _error_in(body: bytes) -> str:
    """Return what a Prometheus server says is wrong, if it is one."""
    try:
        return f": {json.loads(body)['error']}"
    except (ValueError, LookupError, TypeError):
        return ""


def at_path(document: Any, where: str) -> Any:
    """Return what stands at ``stats.list[0].name``, or None; ``#`` at the end counts."""
    value = document
    for step in _steps(where):
        if step == "#":
            return len(value) if is_list(value) or is_mapping(value) else None
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _steps(where: str) -> Iterator[str | int]:
    for part in where.replace("[", ".[").split("."):
        if part.startswith("["):
            yield int(part.strip("[]"))
        elif part:
            yield part


def _parsed(text: str) -> float:
    """Return the number that ``text`` is; one beyond all bounds is no infinity that anybody measured."""
    number = float(text)
    if math.isinf(number) and "inf" not in text.lower():
        raise ValueError("the number is too large")
    return number


def _number(value: Any, texts: Mapping[str, float]) -> float | None:
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float):
        try:
            number = float(value)
        except OverflowError:  # an integer of hundreds of digits
            return None
        return None if math.isnan(number) else number
    if isinstance(value, str):
        if value in texts:
            return texts[value]
        try:
            number = _parsed(value)
        except ValueError:
            return None
        return None if math.isnan(number) else number
    return None
