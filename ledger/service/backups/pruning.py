"""Which backups may go: not the last that is known to be good, nor what an open gate still rests on."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from ledger import files
from ledger.domain.state import SystemState
from ledger.domain.values.durations import duration_text
from ledger.service.backups import opening, recording
from ledger.service.backups.opening import Entry
from ledger.service.core.plan_in_force import plan_of
from ledger.service.core.session import Ledger
from ledger.store.checkpoint import ledger_id

KEEP_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the exit gate of a system's present phase looks back on."""

    system: str
    phase: str
    since: datetime
    over: timedelta

    @property
    def told(self) -> str:
        """The same in words."""
        return (
            f"the exit gate of {self.system}/{self.phase} needs {duration_text(self.over)} of evidence, "
            f"from {self.since:%Y-%m-%d %H:%M}Z on"
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """What becomes of one backup."""

    entry: Entry
    kept: str | None
    """Why it stays; None: it may go."""
    protected: bool = False
    """It is older than was asked for, and stays all the same."""


def prune(
    ledger: Ledger, folder: Path, now: datetime, keep: timedelta | None, *, dry_run: bool
) -> list[Judged]:
    """Remove the backups in ``folder`` that are older than ``keep``, and that nothing rests on.

    ``keep`` None: as long as the plan that keeps them longest says. Returns what becomes of each.

    Raises:
        LedgerError: a plan can't be read: then nobody knows, and nothing may go.
        FileNotWritten: one is there still.
    """
    store = ledger.recorder.store
    systems = store.systems()
    judged = judge(
        opening.listed(folder),
        ledger_id(store),
        [each["backup"] for each in recording.verified(store)],
        evidence(ledger, systems, now),
        now,
        keep if keep is not None else _retention(ledger, systems),
    )
    if not dry_run:
        sweep(folder)
        for each in judged:
            if each.kept is None:
                remove(folder / each.entry.name)
    return judged


def _retention(ledger: Ledger, systems: Sequence[str]) -> timedelta:
    """Return how long the adopted plans keep backups: the longest that one says."""
    states = [ledger.recorder.load(system) for system in systems]
    said = [plan_of(ledger, state).profile.retention.backups for state in states if state.profile]
    return max(said, default=timedelta(days=KEEP_DAYS))


def evidence(ledger: Ledger, systems: Sequence[str], now: datetime) -> list[Evidence]:
    """Return what open gates look back on: a phase that has criteria and was not left.

    Raises:
        LedgerError: a plan can't be read: then nobody knows, and nothing may go.
    """
    needed: list[Evidence] = []
    for system in systems:
        state: SystemState = ledger.recorder.load(system)
        if state.phase is None or state.profile is None or state.phase.is_over:
            continue
        phase = plan_of(ledger, state).profile.phase(state.phase.name)
        if phase is None or not phase.success:
            continue
        over = max(one.over or phase.min_duration for one in phase.success)
        entered = datetime.fromisoformat(state.phase.since).astimezone(UTC)
        needed.append(Evidence(system, phase.name, max(entered, now - over), over))
    return needed


def judge(
    entries: Sequence[Entry],
    ledger: str | None,
    verified: Sequence[str],
    needed: Sequence[Evidence],
    now: datetime,
    keep: timedelta,
) -> list[Judged]:
    """Say of each backup whether it may go.

    ``ledger`` is the id of the one at hand: nothing is known of what others need. ``verified`` names
    backups, oldest first.
    """
    there = {
        entry.name
        for entry in entries
        if entry.backup is not None and entry.backup.metadata.ledger == ledger
    }
    last_good = next((name for name in reversed(verified) if name in there), None)
    newest = max(there, default=None)
    return [
        _judged(entry, last_good or newest, last_good, needed, now - keep)
        if entry.name in there or entry.backup is None
        else Judged(entry, "it is of another ledger")
        for entry in entries
    ]


def _judged(
    entry: Entry,
    never: str | None,
    last_good: str | None,
    needed: Sequence[Evidence],
    before: datetime,
) -> Judged:
    made = entry.made
    if made is None:
        return Judged(entry, f"it can't be read: {entry.problem}")
    if made >= before:
        return Judged(entry, "it is not old enough")
    if entry.name == never:
        why = "it is the last verified one" if last_good else "no backup was verified yet"
        return Judged(entry, why, protected=True)
    for each in needed:
        if made >= each.since:
            return Judged(entry, each.told, protected=True)
    return Judged(entry, None)


def remove(path: Path) -> None:
    """Remove a backup. It loses its name first: killed in between, no half of it is taken for a backup.

    Raises:
        FileNotWritten: it is there still.
    """
    doomed = path.with_name(f".{path.name}.gone.rollout-tmp")
    with files.told_as_not_written(path):
        path.rename(doomed)
        files.sync_folder(path.parent)
    shutil.rmtree(doomed, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what a killed `remove` has left."""
    for path in folder.glob(".*.gone.rollout-tmp"):
        shutil.rmtree(path, ignore_errors=True)
