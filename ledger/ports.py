"""The ports of the core: what a service asks of the world, whoever answers.

Every implementation of a port passes one contract suite (tests/contract).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

from ledger.domain.values.actuation import Carried, CodeStanding, Observed, Written
from ledger.domain.values.modes import Mode, PauseKind


class ModeActuator(Protocol):
    """Carries a mode into a running system, and reads it back."""

    name: ClassVar[str]
    """What events call it, e.g. ``control_file``."""

    def switch(
        self, *, mode: Mode, pause_kind: PauseKind | None, message: str, operation_id: str
    ) -> Carried:
        """Put the system into ``mode`` and look whether it is. Safe to repeat.

        ``message`` says who and why, and must hold no secret: anybody may read where it goes.
        A switch that was taken but not confirmed is no error; the result says which it is.

        Raises:
            BadInput: a pause kind for a mode that is no pause.
            NotCarried: no actuator took it; ``attempts`` says what each one answered.
        """
        ...

    def observe(self) -> Observed:
        """Return what the world says. A source that can't be read is a reading with a problem."""
        ...


class ConfigActuator(Protocol):
    """Puts a system's configuration files in place, and reads them back, by their names."""

    def write(self, files: Mapping[str, bytes]) -> Written:
        """Put ``files`` in place, byte for byte, verified by reading them back. Safe to repeat.

        Files of the system that are not in ``files`` are left alone.

        Raises:
            BadInput: a name that is not among the system's files.
            FileProblem: a file could not be written or read; the sentence says which were replaced.
            IntegrityFailure: a file, read back, is not what was written.
        """
        ...

    def read(self) -> dict[str, bytes]:
        """Return the files that are in place. One that does not exist is left out.

        Raises:
            FileProblem: a file is there and can't be read.
        """
        ...


class CodeActuator(Protocol):
    """Puts the code that a system runs from at a commit, and tells where it stands.

    Each raises `FileProblem` where there is no checkout, or it can't be read.
    """

    def observe(self) -> CodeStanding:
        """Return the commit, and what was changed by hand."""
        ...

    def resolve(self, ref: str) -> str:
        """Return the full id of the commit that ``ref`` names.

        Raises:
            UnknownName: there is none.
        """
        ...

    def is_ancestor(self, commit: str, of: str) -> bool:
        """Tell whether ``commit`` is part of the history of the commit ``of``."""
        ...

    def require_clean(self, commit: str) -> None:
        """Raise unless the code can go to ``commit`` without losing what somebody has written.

        Raises:
            Refused: it says which files; nothing was touched.
        """
        ...

    def check_out(self, commit: str) -> bool:
        """Put the code at ``commit``, verified; return whether it was elsewhere. Safe to repeat.

        Raises:
            Refused: as `require_clean` does.
            FileNotWritten: it could not be done whole; the same again goes on from there.
            IntegrityFailure: it stands elsewhere all the same.
        """
        ...
