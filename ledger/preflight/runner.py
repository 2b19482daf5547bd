"""Running checks side by side. One that throws or hangs is an ERROR, and holds nothing else up."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from ledger.clock import SystemClock
from ledger.domain.errors import BadInput, LedgerError
from ledger.preflight.clean import Cleaner
from ledger.preflight.context import CheckContext
from ledger.preflight.fields import seconds_of
from ledger.preflight.finding import CheckError, Finding, Outcome, Result
from ledger.preflight.guard import Guard
from ledger.preflight.kinds import measure
from ledger.preflight.params import nearest, resolved
from ledger.preflight.specs import Check

AT_A_TIME: Final = 8

Report: TypeAlias = Callable[[str, Finding | None], None]
"""Told the name of a check when it begins (None), and its finding when it ends or is left out."""

_STOPWATCH: Final = SystemClock()


def run_checks(
    checks: Sequence[Check],
    context: CheckContext,
    *,
    skips: Mapping[str, str] | None = None,
    report: Report | None = None,
    at_a_time: int = AT_A_TIME,
) -> tuple[Finding, ...]:
    """Run ``checks`` and return a finding for each, in their order.

    ``skips``: names of checks to leave out, with the reason. ``report`` is called by the caller's own
    thread. Whatever ends this early (Ctrl-C too) also ends the programs that checks have started.

    Raises:
        BadInput: a skipped name that is no check, or a parameter without a value; nothing was run.
    """
    skips = skips or {}
    names = [check.name for check in checks]
    for name in skips:
        if name not in names:
            raise BadInput(
                f"there is no check {name!r} to skip{nearest(name, names)}",
                hint=f"the checks are: {', '.join(names) or 'none'}",
            )
    params = {**context.params, "system": context.system}
    ready = [check if check.name in skips else resolved(check, params) for check in checks]
    run = _Run(ready, context, report or (lambda _name, _finding: None))
    for index, check in enumerate(ready):
        if check.name in skips:
            run.finish(index, Outcome(Result.SKIP, "", "", skips[check.name]), 0)
    run.through([i for i, check in enumerate(ready) if check.name not in skips], at_a_time)
    return tuple(run.findings[index] for index in range(len(ready)))


@dataclass(frozen=True, slots=True)
class _Started:
    guard: Guard
    deadline: float


class _Run:
    """The checks of one run, those under way, and what was found."""

    def __init__(self, checks: Sequence[Check], context: CheckContext, report: Report) -> None:
        self.findings: dict[int, Finding] = {}
        self._checks = checks
        self._context = context
        self._report = report
        self._cleaner = Cleaner(context.environment)
        self._running: dict[int, _Started] = {}
        self._ended: queue.SimpleQueue[tuple[int, Outcome, int]] = queue.SimpleQueue()

    def through(self, indexes: Sequence[int], at_a_time: int) -> None:
        waiting = deque(indexes)
        try:
            while waiting or self._running:
                while waiting and len(self._running) < at_a_time:
                    self._start(waiting.popleft())
                self._wait()
        finally:
            for started in self._running.values():
                started.guard.stop()

    def finish(self, index: int, outcome: Outcome, took_ms: int) -> None:
        check = self._checks[index]
        clean = self._cleaner
        finding = Finding(
            name=check.name,
            kind=getattr(check, "kind", ""),
            priority=check.priority,
            category=check.category,
            result=outcome.result,
            measured=clean.line(outcome.measured),
            threshold=clean.line(outcome.threshold),
            detail=clean.lines(outcome.detail),
            took_ms=took_ms,
        )
        self.findings[index] = finding
        self._report(check.name, finding)

    def _start(self, index: int) -> None:
        check = self._checks[index]
        guard = Guard()
        deadline = _STOPWATCH.monotonic() + seconds_of(check.timeout)
        self._running[index] = _Started(guard, deadline)
        self._report(check.name, None)
        # A daemon, so that one that hangs for ever does not keep the process from ending.
        threading.Thread(target=self._measure, args=(index, check, guard), daemon=True).start()

    def _measure(self, index: int, check: Check, guard: Guard) -> None:
        began = _STOPWATCH.monotonic()
        try:
            outcome = measure(check, replace(self._context, guard=guard))
        except (CheckError, LedgerError) as error:
            outcome = Outcome(Result.ERROR, "", "", str(error))
        except Exception as error:  # noqa: BLE001 -- whatever a check throws is its result
            explanation = f"the check broke off: {type(error).__name__}: {error}"
            outcome = Outcome(Result.ERROR, "", "", explanation)
        self._ended.put((index, outcome, round(1000 * (_STOPWATCH.monotonic() - began))))

    def _wait(self) -> None:
        """Wait for the next check to end, or for the next time to be up."""
        soonest = min(started.deadline for started in self._running.values())
        try:
            patience = max(0.0, soonest - _STOPWATCH.monotonic())
            index, outcome, took_ms = self._ended.get(timeout=patience)
        except queue.Empty:
            self._give_up()
            return
        if self._running.pop(index, None) is not None:  # else it was given up
            self.finish(index, outcome, took_ms)

    def _give_up(self) -> None:
        now = _STOPWATCH.monotonic()
        for index, started in list(self._running.items()):
            if started.deadline <= now:
                del self._running[index]
                started.guard.stop()
                timeout = self._checks[index].timeout
                explanation = f"no answer within {timeout}"
                self.finish(
                    index,
                    Outcome(Result.ERROR, "", "", explanation),
                    round(1000 * seconds_of(timeout)),
                )
