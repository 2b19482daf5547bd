"""The control file: a small JSON file that the running system reads its mode from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, Final, cast

from ledger import files
from ledger.actuators.in_place import overwrite
from ledger.actuators.status import told_mode
from ledger.clock import SystemClock
from ledger.domain.clock import Clock
from ledger.domain.errors import FileNotWritten, FileProblem
from ledger.domain.values.actuation import Attempt, Carried, NotCarried, Observed, Outcome, Reading
from ledger.domain.values.modes import Mode, PauseKind, full_kind

# Readable by all: the system often runs as another user, and nothing in it is secret.
_NEW_FILE_MODE: Final = 0o644
_OUR_KEYS: Final = frozenset({"mode", "pause_kind", "message"})
_FILE_BYTES_MAX: Final = 64 * 1024
_MESSAGE_CHARACTERS_MAX: Final = 2000
_SYSTEM_CLOCK: Final = SystemClock()


class ControlFile:
    """Switches a system by its control file: ``{"mode": …, "message": …}``.

    A pause also has ``"pause_kind"``. Keys that are not ours are kept as they are. A switch is
    confirmed by reading the file back, which shows what the system *will* read, not that it has.
    """

    name: ClassVar[str] = "control_file"

    def __init__(self, path: Path, *, clock: Clock = _SYSTEM_CLOCK) -> None:
        self.path: Final = path
        self._clock: Final = clock

    def switch(
        self, *, mode: Mode, pause_kind: PauseKind | None, message: str, operation_id: str
    ) -> Carried:
        """Write the mode, and read it back. See `ledger.ports.ModeActuator`."""
        kind = full_kind(mode, pause_kind)
        started_seconds = self._clock.monotonic()
        try:
            kept, warnings = self._keys_to_keep()
            own: dict[str, object] = {"mode": mode.value}
            if kind is not None:
                own["pause_kind"] = kind.value
            suffix = f" [operation {operation_id}]" if operation_id else ""
            own["message"] = message[:_MESSAGE_CHARACTERS_MAX] + suffix
            warnings += self._replace(own | kept, lowers=mode is Mode.PAUSED)
        except FileProblem as problem:
            attempt = self._attempt(Outcome.FAILED, problem.message, started_seconds)
            raise NotCarried(problem.message, attempts=(attempt,), hint=problem.hint) from problem
        reading = self._read()
        confirmed = (reading.mode, reading.pause_kind) == (mode, kind)
        if not confirmed:
            warnings.append(
                f"{self.path} does not hold what was just written to it; who else writes to it?"
            )
        attempt = self._attempt(Outcome.TOOK_IT, f"{self.path} says {mode}", started_seconds)
        return Carried(
            mode=mode,
            pause_kind=kind,
            carried_by=self.name,
            confirmed=confirmed,
            attempts=(attempt,),
            warnings=tuple(warnings),
        )

    def _replace(self, content: dict[str, object], *, lowers: bool) -> list[str]:
        """Replace the file as a whole; where that can't be and it lowers, write in place. Return warnings.

        Half a file is better than none only where the mode in it lowers: what can't be read is no
        leave to trade, and the mode comes first.
        """
        try:
            files.write_atomically(
                self.path, _encoded(content), create_folder=True, new_file_mode=_NEW_FILE_MODE
            )
        except FileNotWritten as problem:
            if not lowers or not isinstance(problem.__cause__, OSError):
                raise
            # On a full disk there is room for what fits where the old content stands.
            brief = {key: value for key, value in content.items() if key in {"mode", "pause_kind"}}
            if not any(overwrite(self.path, _encoded(each)) for each in (content, brief)):
                raise
            why = problem.message.removesuffix("; what was there is untouched")
            return [f"it was written in place, since it could not be replaced as a whole: {why}"]
        return []

    def observe(self) -> Observed:
        """Return what the file says."""
        return Observed((self._read(),))

    def _attempt(self, outcome: Outcome, detail: str, started_seconds: float) -> Attempt:
        seconds = self._clock.monotonic() - started_seconds
        return Attempt(self.name, outcome, detail, seconds)

    def _read(self) -> Reading:
        try:
            content = files.read_bounded(self.path, bytes_max=_FILE_BYTES_MAX)
            if content is None:
                return Reading(self.name, None, problem=f"{self.path} does not exist")
            return told_mode(self.name, content, source=str(self.path))
        except FileProblem as problem:
            return Reading(self.name, None, problem=problem.message)

    def _keys_to_keep(self) -> tuple[dict[str, object], list[str]]:
        """Return the keys in the file that are the system's own, and warnings.

        A file that can't be understood is replaced all the same: it must not stand in the way of a
        pause, and no system could read its mode from it either.
        """
        try:
            content = files.read_bounded(self.path, bytes_max=_FILE_BYTES_MAX)
            if content is None:
                return {}, []
            keys = cast("object", json.loads(content.decode("utf-8-sig")))
        except (FileProblem, ValueError, RecursionError):
            return {}, [f"{self.path} was no readable JSON, and was replaced as a whole"]
        if not isinstance(keys, dict):
            return {}, [f"{self.path} held no JSON object, and was replaced as a whole"]
        present = cast("dict[str, object]", keys)
        return {key: value for key, value in present.items() if key not in _OUR_KEYS}, []


def _encoded(content: dict[str, object]) -> bytes:
    try:
        return json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        # A reason given in another encoding than the terminal's; escaped, it is still JSON.
        return json.dumps(content, indent=2).encode() + b"\n"
