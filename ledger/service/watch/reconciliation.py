"""What a watch looks after besides its rules: what has run its time, and files that were changed by hand."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

from ledger.actuators.code_checkout import traces
from ledger.domain.alerts import decide as alerts
from ledger.domain.errors import LedgerError, LedgerUnreachable, OperationInProgress, StaleRevision
from ledger.service import recovery
from ledger.service.core.session import Ledger
from ledger.service.mitigations import mitigation
from ledger.service.watch.store_and_forward import StoreAndForward

WAIT_SECONDS: Final = 0.1
"""A round must not wait for whoever is at work."""


class Reconciler:
    """Looks after one system, for as long as the ledger answers."""

    def __init__(self, ledger: Ledger, line: StoreAndForward) -> None:
        self._ledger = ledger
        self._line = line
        self._seen_files: object = None
        self._in_flight: set[str] = set()
        self._tried: set[str] = set()

    def look_after(self, now: datetime) -> list[str]:
        """Do what is due at ``now``; return sentences on what was done and found."""
        lines: list[str] = []
        try:
            lines += self._mitigations()
            if alerts.expired_silences(self._line.state, now).events:
                self._line.append(lambda state: alerts.expired_silences(state, now))
            if alerts.twin_incidents(self._line.state).events:
                self._line.append(alerts.twin_incidents)
            lines += self._finish()
            lines += self._drift()
        except LedgerUnreachable as problem:
            self._line.lost(problem)
        except StaleRevision:
            pass  # somebody is at work: the next round sees it
        except LedgerError as problem:
            lines.append(problem.message)
        return lines

    def _mitigations(self) -> list[str]:
        """Have the system told of its mitigations, where the file does not say what the log says."""
        if not mitigation.due(self._ledger, self._line.state):
            return []
        try:
            mitigation.settle(
                self._ledger, self._line.system, self._line.origin, wait_seconds=WAIT_SECONDS
            )
        except OperationInProgress:
            return []  # perhaps by who writes the file: the next round sees it
        return ["mitigations were written anew"]

    def _finish(self) -> list[str]:
        """Finish what a process that died had begun: for as long as it is in flight, nothing is compared.

        A pause holds no lock for long: what has been in flight since the round before is nobody's. What
        can't be finished is tried once, and then left to people.
        """
        operations = self._line.state.operations
        in_flight = set(operations)
        stuck, self._in_flight = (in_flight & self._in_flight) - self._tried, in_flight
        if not stuck:
            return []
        try:
            with self._ledger.operating(self._line.system, "watch", wait_seconds=WAIT_SECONDS):
                done = self._ledger.finish_dead_operations(self._line.system, self._line.origin)
        except OperationInProgress:
            return []  # by somebody who takes his time
        self._tried |= stuck
        self._line.state = self._ledger.load(self._line.system)
        return [*done.completed, *done.abandoned, *done.problems]

    def _drift(self) -> list[str]:
        """Compare the world with the ledger when a file changed, or nothing was compared yet."""
        seen = self._files()
        if seen == self._seen_files and not self._line.state.drift:
            return []
        if self._line.state.operations:
            return []  # somebody is writing them
        before = dict(self._line.state.drift)
        self._line.state, problems = recovery.detect_drift(
            self._ledger, self._line.system, self._line.origin
        )
        self._seen_files = seen
        lines = [
            f"{subject} was changed by hand: {drift.expected} → {drift.found}"
            for subject, drift in self._line.state.drift.items()
            if subject not in before
        ]
        return lines + problems

    def _files(self) -> object:
        """Return what tells whether a file, or what is expected of it, has changed."""
        actuators = self._line.state.actuators
        paths: list[str | Path] = [file.path for file in actuators.config_files]
        paths += [actuators.control_file] if actuators.control_file else []
        if actuators.code is not None:
            paths += traces(Path(actuators.code.repository))
        state = self._line.state
        marks: list[object] = [state.mode_position, state.fingerprint, state.code]
        for path in paths:
            try:
                status = Path(path).stat()
                marks.append((path, status.st_mtime_ns, status.st_size, status.st_ino))
            except OSError as error:
                marks.append((path, error.errno))
        return marks
