"""What an endpoint exposes, as Prometheus reads it: names and times as they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from ledger.domain.errors import LedgerError

_COUNTER: Final = re.compile(r"^(\s*#\s*TYPE\s+\S+\s+)counter\s*$")
Exposed: TypeAlias = tuple[str, Mapping[str, str], float, float | None]
"""Name, labels, value, and the time in Unix seconds, if one is written."""


def samples(body: bytes) -> Iterator[Exposed]:
    """Yield the samples of Prometheus' text format, or of OpenMetrics, which ends with ``# EOF``.

    Raises:
        LedgerError: a line is none of it; its number, and what was expected.
    """
    from prometheus_client import parser
    from prometheus_client.openmetrics import parser as open_metrics

    lines = body.split(b"\n")
    end = next((line for line in reversed(lines) if line.strip()), b"")
    is_open = end.strip() == b"# EOF"
    number = 0

    def text() -> Iterator[str]:
        nonlocal number
        for number, line in enumerate(lines, start=1):  # noqa: B007 -- told on failure
            if not is_open:
                # A counter is taken as untyped: the parser would give it OpenMetrics' name for it.
                yield _COUNTER.sub(r"\1untyped", line.decode())
            elif line:
                yield line.decode() + "\n"

    reader: Any = open_metrics if is_open else parser  # types in part
    try:
        for family in reader.text_fd_to_metric_families(text()):
            for one in family.samples:
                at = one.timestamp
                yield one.name, one.labels, one.value, None if at is None else float(at)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        if is_open:
            raise LedgerError(
                f"line {number} is not in the format of OpenMetrics: {error}"
            ) from None
        raise LedgerError(
            f"line {number} is not in Prometheus' text format; expected: "
            'name{label="value"} number, # TYPE name kind, or # HELP name text'
        ) from None
