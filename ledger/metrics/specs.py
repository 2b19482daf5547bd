"""Metric sources as a plan names them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from ledger.configuration.strict import Strict
from ledger.domain.values.spans import Duration
from ledger.metrics.log_lines import compiled, number_group

NAME_PATTERN: Final = r"^[a-zA-Z_:][a-zA-Z0-9_:]*$"
"""Of a metric, as Prometheus has it: no rule could name another one."""
MetricName = Annotated[str, Field(pattern=NAME_PATTERN, max_length=200)]
TEN_SECONDS = timedelta(seconds=10)


class _Source(Strict):
    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$")]
    labels: dict[str, str] = {}
    """Added to every sample."""
    timeout: Duration = TEN_SECONDS


class PrometheusText(_Source):
    """An endpoint in Prometheus' text format."""

    kind: Literal["prometheus_text"]
    url: str
    metrics: tuple[MetricName, ...] = ()
    """Only these, by our names; none named: all."""
    rename: dict[str, MetricName] = {}
    """Their name -> ours."""


class PrometheusApi(_Source):
    """A Prometheus server's query API: it evaluates what we can't."""

    kind: Literal["prometheus_api"]
    url: str
    queries: Annotated[dict[MetricName, str], Field(min_length=1)]
    """Our name -> PromQL."""


class JsonFile(_Source):
    """A JSON document that is written anew."""

    kind: Literal["json_file"]
    path: str
    values: Annotated[dict[MetricName, str], Field(min_length=1)]
    """Our name -> where it stands: ``stats.latency.p95``, ``levels[0].size``; ``#`` at the end counts."""
    texts: dict[str, float] = {}
    """What texts count as: OPEN: 1. true and false are 1 and 0."""
    max_age: Duration | None = None
    """A document older than this tells nothing."""


class CsvFile(_Source):
    """A CSV file that grows."""

    kind: Literal["csv_file"]
    path: str
    time: str
    """The column that says when; ISO 8601 or Unix seconds. Without a zone it is UTC."""
    metrics: Annotated[dict[MetricName, str], Field(min_length=1)]
    """Our name -> column."""
    label_columns: tuple[str, ...] = ()


class JsonLines(_Source):
    """JSON lines that grow: {"metric": …, "value": …, "labels": {…}, "at": …}."""

    kind: Literal["jsonl_file"]
    path: str


def _pattern(text: str) -> str:
    compiled(text)
    return text


def _with_number(text: str) -> str:
    number_group(text)
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{name!r} is no time zone; Asia/Shanghai is one") from None
    return name


Pattern = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_pattern)]
NumberPattern = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_with_number)]


class LogFile(_Source):
    """A log that grows, read line by line by regular expressions (RE2's); named groups are labels."""

    kind: Literal["log_file"]
    path: str
    count: dict[MetricName, Pattern] = {}
    """Our name -> what is found in the lines that it counts: a counter."""
    values: dict[MetricName, NumberPattern] = {}
    """Our name -> what is found; the number is in the group ``value``, or in the only one without a name."""
    time: Pattern | None = None
    """What finds a line's time, in its group ``time``, its first one, or all of it. None: when it is read."""
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    """Of times that name none."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.count and not self.values:
            raise ValueError("give count, values, or both: without a pattern a log says nothing")
        return self


MetricSource = Annotated[
    PrometheusText | PrometheusApi | JsonFile | CsvFile | JsonLines | LogFile,
    Field(discriminator="kind"),
]
