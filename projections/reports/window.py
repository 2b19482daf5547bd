"""The time that a report is about: a run, the present phase, or all that there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ledger.domain.errors import UnknownName
from ledger.domain.log.envelope import Recorded
from ledger.domain.log.ids import control_stream
from ledger.domain.state import SystemState
from ledger.domain.values.spelling import nearest
from projections.core import log
from projections.core.base import Db

ENDS: Final = ("RunStopped", "CrashDetected")


@dataclass(frozen=True, slots=True)
class Run:
    """One supervised run, from its start to its end, if it has ended."""

    started: Recorded
    ended: Recorded | None = None

    @property
    def tag(self) -> str:
        """Return the run tag."""
        return str(self.started.data["run"])

    @property
    def place(self) -> str:
        """Return what names this run and no other: ``#14``, the position of its start."""
        return f"#{self.started.position}"

    @property
    def crashed(self) -> bool:
        """Return whether it died without being asked to."""
        return self.ended is not None and self.ended.type == "CrashDetected"

    @property
    def end(self) -> Mapping[str, Any]:
        """Return what is known of its end: exit_code, signal, seconds, asked."""
        return self.ended.data if self.ended is not None else {}


@dataclass(frozen=True, slots=True)
class Window:
    """[since, until], and why it is that one: ``run``, ``phase`` or ``all``."""

    since: datetime
    until: datetime
    why: str
    ended: bool
    """Whether it lies behind us; otherwise ``until`` is now."""
    runs: tuple[Run, ...]
    """The runs that fall into it, the oldest first."""
    run: Run | None = None
    """The run that it is about, where it is about one."""
    namesakes: tuple[Run, ...] = ()
    """Other runs with its tag."""

    @property
    def seconds(self) -> int:
        """Return its length in whole seconds."""
        return int((self.until - self.since).total_seconds())


def runs_of(db: Db, system: str) -> list[Run]:
    """Return all runs of ``system``, the oldest first."""
    runs: list[Run] = []
    for event in control_events(db, system, "RunStarted", *ENDS):
        if event.type == "RunStarted":
            runs.append(Run(event))
            continue
        for index in range(len(runs) - 1, -1, -1):
            if runs[index].tag == event.data["run"] and runs[index].ended is None:
                runs[index] = Run(runs[index].started, event)
                break
    return runs


def control_events(db: Db, system: str, *types: str) -> list[Recorded]:
    """Return the events of those types that were decided about ``system``, in order."""
    return log.select(
        db,
        log.RECORDED + "WHERE stream = %s AND type = ANY (%s) ORDER BY revision",
        control_stream(system),
        list(types),
    )


def window_of(db: Db, state: SystemState, run_tag: str | None, now: datetime) -> Window:
    """Return the time of the run ``run_tag`` (the last of that tag, or ``#POSITION`` of its start).

    Without one, it is that of the present phase, or of the last run.

    Raises:
        UnknownName: there was no such run.
    """
    runs = runs_of(db, state.system)
    if run_tag is not None:
        return _of_run(named(runs, run_tag, state.system), runs, now)
    if state.phase is not None:
        since = datetime.fromisoformat(state.phase.since).astimezone(UTC)
        within = tuple(
            run
            for run in runs
            if run.started.occurred_at <= now
            and (run.ended is None or run.ended.occurred_at >= since)
        )
        return Window(since, now, "phase", ended=False, runs=within)
    if runs:
        return _of_run(runs[-1], runs, now)
    first = log.one(db, "WHERE stream = %s AND revision = 1", control_stream(state.system))
    return Window(first.occurred_at if first else now, now, "all", ended=False, runs=())


def named(runs: Sequence[Run], tag: str, system: str) -> Run:
    """Return the run of that tag, the last of several, or the one that began at ``#POSITION``.

    Raises:
        UnknownName: there was none.
    """
    for run in reversed(runs):
        if tag in {run.tag, run.place}:
            return run
    tags = list(dict.fromkeys(run.tag for run in reversed(runs)))
    near = nearest(tag, tags)
    meant = f" Did you mean {near!r}?" if near else ""
    raise UnknownName(
        f"{system} had no run {tag!r}.{meant}",
        hint=f"Its last runs: {', '.join(tags[:3]) or 'none was recorded'}",
    )


def _of_run(run: Run, runs: Sequence[Run], now: datetime) -> Window:
    until = run.ended.occurred_at if run.ended is not None else now
    return Window(
        run.started.occurred_at, until, "run", ended=run.ended is not None, runs=(run,), run=run,
        namesakes=namesakes(run, runs),
    )  # fmt: skip


def namesakes(run: Run, runs: Sequence[Run]) -> tuple[Run, ...]:
    """Return the other runs with the tag of ``run``: a program that was begun anew on the same day."""
    return tuple(one for one in runs if one.tag == run.tag and one.place != run.place)
