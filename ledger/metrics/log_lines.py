"""Lines of a log as metrics, by regular expressions (RE2's): how many there were, and the numbers in them.

How many is a counter, as Prometheus has them: it goes up, and begins at 0 when a watch does, so that
`increase(name[5m])` is right across restarts. What stood in a log before anybody watched is not counted; a
number is taken from it where the line says when it was.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, TypeAlias

from ledger.alerts.regexes import Match, Pattern, compiled
from ledger.domain.values.moments import moment_of

NUMBER: Final = "value"
"""The group that holds the number, where a pattern has several."""
TIME: Final = "time"
SERIES_MAX: Final = 1000
Labels: TypeAlias = tuple[tuple[str, str], ...]
Series: TypeAlias = tuple[str, Labels]
Numbers: TypeAlias = dict[tuple[str, Labels, datetime], float]
"""A number by metric, labels and time. Of several of one series at one moment the last counts."""
A_MOMENT: Final = timedelta(milliseconds=1)


def number_group(pattern: str) -> int | str:
    """Return the group that holds a number: the one called ``value``, or the only one without a name.

    Raises:
        ValueError: there is none, or it can't be told which it is.
    """
    expression = compiled(pattern)
    if NUMBER in expression.groupindex:
        return NUMBER
    named = expression.groupindex.values()
    unnamed = [group for group in range(1, expression.groups + 1) if group not in named]
    if len(unnamed) != 1:
        raise ValueError(
            f"{pattern!r} has {len(unnamed)} groups that may be the number: give it one in brackets, "
            "or call it (?P<value>…)"
        )
    return unnamed[0]


class LogLines:
    """What was counted so far in one log."""

    def __init__(
        self,
        counts: Mapping[str, str],
        values: Mapping[str, str],
        time: str | None = None,
        zone: tzinfo = UTC,
    ) -> None:
        """Take patterns by the name of their metric, and the one that finds a line's time, with its zone."""
        self._zone = zone
        self._counts = {name: compiled(pattern) for name, pattern in counts.items()}
        self._values = {
            name: (compiled(pattern), number_group(pattern)) for name, pattern in values.items()
        }
        self._time = compiled(time) if time is not None else None
        self._totals: dict[Series, int] = {}
        self._read_at: datetime | None = None
        self._line_at: datetime | None = None
        self.unread = 0
        """Lines of the last time whose number or time could not be read."""

    def read(self, lines: Sequence[str], now: datetime, *, new: bool) -> Numbers:
        """Return what the ``lines`` say that came since the last time, and how many there are now.

        ``new``: whether they came since somebody looks; what stood there before is not counted.
        """
        self.unread = 0
        numbers: Numbers = {}
        if self._read_at is None:
            for name, pattern in self._counts.items():
                if not _labels_of(pattern):
                    self._begin(numbers, (name, ()), now)
        for line in lines if new or self._time is not None else ():
            at = self._moment(line, now)
            for name, labels, number in self._numbers(line):
                numbers[name, labels, at] = number
            if new:
                self._count(line, numbers, now)
        for (name, labels), total in self._totals.items():
            numbers[name, labels, now] = total
        self._read_at = now
        return numbers

    def _begin(self, numbers: Numbers, series: Series, now: datetime) -> None:
        """Begin a counter: it stood at 0 when the log was last looked at, so that an increase is seen."""
        self._totals[series] = 0
        numbers[(*series, (self._read_at or now) - A_MOMENT)] = 0

    def _moment(self, line: str, now: datetime) -> datetime:
        """Return when a line was written: what it says, or else the one before; never before that one."""
        if self._time is None:
            return now
        match = self._time.search(line)
        if match is not None:
            named = TIME in self._time.groupindex
            text = match.group(TIME if named else min(1, self._time.groups))
            try:
                at = min(moment_of(text, self._zone), now)
            except ValueError:
                self.unread += 1
            else:
                self._line_at = max(at, self._line_at or at)
        return self._line_at or now

    def _numbers(self, line: str) -> Iterator[tuple[str, Labels, float]]:
        for name, (pattern, group) in self._values.items():
            match = pattern.search(line)
            text = match.group(group) if match is not None else None
            if match is None or text is None:
                continue
            try:
                number = float(text.replace(",", ""))
            except ValueError:
                self.unread += 1
                continue
            if not math.isnan(number):
                yield name, _labels(pattern, match), number

    def _count(self, line: str, numbers: Numbers, now: datetime) -> None:
        for name, pattern in self._counts.items():
            match = pattern.search(line)
            if match is None:
                continue
            series = (name, _labels(pattern, match))
            if series not in self._totals:
                if len(self._totals) >= SERIES_MAX:
                    self.unread += 1
                    continue
                self._begin(numbers, series, now)
            self._totals[series] += 1


def _labels_of(pattern: Pattern) -> list[str]:
    return [name for name in pattern.groupindex if name != NUMBER]


def _labels(pattern: Pattern, match: Match) -> Labels:
    return tuple((name, match.group(name) or "") for name in sorted(_labels_of(pattern)))
