"""What an endpoint exposes, as Prometheus reads it: names and times as they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, TextIO, TypeAlias, cast

from ledger.domain.errors import LedgerError

_COUNTER: Final = re.compile(r"^(\s*#\s*TYPE\s+\S+\s+)counter\s*$")
Exposed: TypeAlias = tuple[str, Mapping[str, str], float, float | None]
"""Name, labels, value, and the time in Unix seconds, if one is written."""


def samples(body: bytes) -> Iterator[Exposed]:
    """Yield the samples of Prometheus' text format, or of OpenMetrics, which ends with ``# EOF``.

    Raises:
        LedgerError: a line is none of it; its number, and what was expected.
    """
    lines = body.split(b"\n")
    end = next((line for line in reversed(lines) if line.strip()), b"")
    return _open_metrics(lines) if end.strip() == b"# EOF" else _text_format(lines)


def _text_format(lines: list[bytes]) -> Iterator[Exposed]:
    from prometheus_client.parser import text_fd_to_metric_families

    number = 0

    def sampled() -> Iterator[str]:
        # A counter is taken as untyped: the parser would give it another name, as OpenMetrics wants it.
        nonlocal number
        for number, line in enumerate(lines, start=1):  # noqa: B007 -- told on failure
            yield _COUNTER.sub(r"\1untyped", line.decode())

    try:
        for family in text_fd_to_metric_families(
            cast("TextIO", sampled())
        ):  # it only goes through it
            for one in family.samples:
                at = one.timestamp
                yield one.name, one.labels, one.value, None if at is None else float(at)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise LedgerError(
            f"line {number} is not in Prometheus' text format; expected: "
            'name{label="value"} number, # TYPE name kind, or # HELP name text'
        ) from None


def _open_metrics(lines: list[bytes]) -> Iterator[Exposed]:
    from prometheus_client.openmetrics.parser import text_fd_to_metric_families  # pyright: ignore[reportUnknownVariableType] -- types in part

    number = 0

    def numbered() -> Iterator[str]:
        nonlocal number
        for number, line in enumerate(lines, start=1):  # noqa: B007 -- told on failure
            if line:
                yield line.decode() + "\n"

    try:
        for family in text_fd_to_metric_families(cast("TextIO", numbered())):
            for one in family.samples:
                at = one.timestamp
                yield one.name, one.labels, one.value, None if at is None else float(at)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise LedgerError(f"line {number} is not in the format of OpenMetrics: {error}") from None
