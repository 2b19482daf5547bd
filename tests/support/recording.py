"""Actuators that only write down what they would do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from ledger.actuators.config_files import compare, require_known
from ledger.domain.errors import Refused, UnknownName
from ledger.domain.values.actuation import (
    Attempt,
    Carried,
    CodeStanding,
    Observed,
    Outcome,
    Reading,
    Written,
)
from ledger.domain.values.modes import Mode, PauseKind, full_kind


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch that was asked for."""

    mode: Mode
    pause_kind: PauseKind | None
    message: str
    operation_id: str


class RecordingModeActuator:
    """Keeps every switch in ``switches``, and behaves like a system that obeys at once."""

    name: ClassVar[str] = "recording"

    def __init__(self, mode: Mode | None = None, pause_kind: PauseKind | None = None) -> None:
        """Start with a system that is in ``mode``, or whose mode can't be told."""
        self.switches: Final[list[Switch]] = []
        self._reading: Reading = _reading(mode, pause_kind)

    def switch(
        self, *, mode: Mode, pause_kind: PauseKind | None, message: str, operation_id: str
    ) -> Carried:
        """Write the switch down. See `ledger.ports.ModeActuator`."""
        kind = full_kind(mode, pause_kind)
        self.switches.append(Switch(mode, kind, message, operation_id))
        self._reading = _reading(mode, kind)
        attempt = Attempt(self.name, Outcome.TOOK_IT, f"would switch to {mode}", 0.0)
        return Carried(
            mode=mode,
            pause_kind=kind,
            carried_by=self.name,
            confirmed=True,
            attempts=(attempt,),
        )

    def observe(self) -> Observed:
        """Return the mode of the last switch."""
        return Observed((self._reading,))


class RecordingConfigActuator:
    """Keeps files in memory (``files``), and what each write would have replaced (``writes``)."""

    def __init__(self, names: Collection[str], in_place: Mapping[str, bytes] | None = None) -> None:
        """Take the names of the system's files, and the content of those that exist."""
        self._names: Final = frozenset(names)
        self.files: Final = dict(in_place or {})
        self.writes: Final[list[Written]] = []

    def write(self, files: Mapping[str, bytes]) -> Written:
        """Keep the files. See `ledger.ports.ConfigActuator`."""
        require_known(files, self._names)
        written = compare(files, self.files)
        self.files.update(files)
        self.writes.append(written)
        return written

    def read(self) -> dict[str, bytes]:
        """Return the files."""
        return dict(self.files)


class RecordingCodeActuator:
    """Stands at the last of ``commits`` (names by id, oldest first); keeps what was checked out."""

    def __init__(self, commits: Mapping[str, str], edited: Sequence[str] = ()) -> None:
        self._commits: Final = dict(commits)
        self._edited: Final = tuple(edited)
        self._at = list(self._commits)[-1]
        self.checked_out: Final[list[str]] = []

    def observe(self) -> CodeStanding:
        """Return where it stands."""
        return CodeStanding(self._at, self._edited)

    def resolve(self, ref: str) -> str:
        """Return the commit of a name, of an id, or of its start."""
        for commit, name in self._commits.items():
            if ref == name or commit.startswith(ref):
                return commit
        raise UnknownName(f"There is no commit {ref!r}.")

    def is_ancestor(self, commit: str, of: str) -> bool:
        """Tell whether one comes before the other, or is it."""
        order = list(self._commits)
        return order.index(commit) <= order.index(of)

    def require_clean(self, commit: str) -> None:
        """Raise `Refused` if it was made with edited files."""
        if self._edited:
            raise Refused(f"files are changed by hand: {', '.join(self._edited)}")

    def check_out(self, commit: str) -> bool:
        """Stand at ``commit``."""
        self.require_clean(commit)
        moved, self._at = self._at != commit, commit
        self.checked_out.append(commit)
        return moved


def _reading(mode: Mode | None, pause_kind: PauseKind | None) -> Reading:
    if mode is None:
        return Reading(RecordingModeActuator.name, None, problem="it was never switched")
    return Reading(RecordingModeActuator.name, mode, full_kind(mode, pause_kind))
