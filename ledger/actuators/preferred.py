"""The two ways to a system's mode, together: HTTP preferred, the control file as the fallback."""

from __future__ import annotations

from typing import ClassVar, Final

from ledger.domain.errors import invariant
from ledger.domain.values.actuation import Attempt, Carried, NotCarried, Observed, Outcome
from ledger.domain.values.modes import Mode, PauseKind
from ledger.ports import ModeActuator


class PreferredActuator:
    """Carries a mode by the HTTP admin interface, by the control file, or by both.

    Where a system has both, both are brought in line, so that it finds the right mode when it
    restarts. ``carried_by`` is the HTTP interface if that took it. The order depends on the risk:

    - ``paused``: the file first (it takes milliseconds, and a hanging interface must not delay the
      pause by its timeouts), then HTTP. Either is enough.
    - ``mock``: HTTP, then the file, whatever HTTP answered. Either is enough.
    - ``real``: HTTP, and the file only when the system was seen to be in ``real``. If the interface
      can't be reached, the file alone carries it; if it was reached and did not say yes, nothing
      does: a system's own refusal is not got round by the back door.
    """

    name: ClassVar[str] = "http_admin, control_file"

    def __init__(
        self, *, http_admin: ModeActuator | None, control_file: ModeActuator | None
    ) -> None:
        invariant(
            http_admin is not None or control_file is not None, "a system has at least one way in"
        )
        self._http_admin: Final = http_admin
        self._control_file: Final = control_file

    def switch(
        self, *, mode: Mode, pause_kind: PauseKind | None, message: str, operation_id: str
    ) -> Carried:
        """Carry the mode. See `ledger.ports.ModeActuator`."""
        journey = _Journey(mode, pause_kind, message, operation_id)
        if mode is Mode.PAUSED:
            by_file = journey.ask(self._control_file)
            by_http = journey.ask(self._http_admin)
        else:
            by_http = journey.ask(self._http_admin)
            by_file = None
            if self._file_may_follow(mode, by_http, journey):
                by_file = journey.ask(self._control_file)
        return journey.end(by_http or by_file)

    def observe(self) -> Observed:
        """Return a reading of each source, the HTTP interface's first."""
        sources = [source for source in (self._http_admin, self._control_file) if source]
        return Observed(
            tuple(reading for source in sources for reading in source.observe().readings)
        )

    def _file_may_follow(self, mode: Mode, by_http: Carried | None, journey: _Journey) -> bool:
        if mode is not Mode.REAL or self._http_admin is None:
            return True
        if by_http is None:
            return all(attempt.outcome is Outcome.FAILED for attempt in journey.attempts)
        if not by_http.confirmed and self._control_file is not None:
            journey.warnings.append(
                "the control file was left as it is, since the system was not seen to be in real"
            )
        return by_http.confirmed


class _Journey:
    """One switch on its way: asks actuators, and gathers what they answered."""

    def __init__(
        self, mode: Mode, pause_kind: PauseKind | None, message: str, operation_id: str
    ) -> None:
        self._mode: Final = mode
        self._pause_kind: Final = pause_kind
        self._message: Final = message
        self._operation_id: Final = operation_id
        self._hints: Final[list[str]] = []
        self.attempts: Final[list[Attempt]] = []
        self.warnings: Final[list[str]] = []

    def ask(self, actuator: ModeActuator | None) -> Carried | None:
        """Return what an actuator made of it; ``None`` if there is none, or it did not take it."""
        if actuator is None:
            return None
        try:
            carried = actuator.switch(
                mode=self._mode,
                pause_kind=self._pause_kind,
                message=self._message,
                operation_id=self._operation_id,
            )
        except NotCarried as refusal:
            self.attempts.extend(refusal.attempts)
            self.warnings.append(f"{actuator.name} did not take it: {refusal.message}")
            if refusal.hint:
                self._hints.append(refusal.hint)
            return None
        except (
            Exception
        ) as problem:  # one way that fails as nobody foresaw leaves a pause the other (I33)
            if self._mode is not Mode.PAUSED:
                raise
            detail = f"it failed: {type(problem).__name__}"
            self.attempts.append(Attempt(actuator.name, Outcome.FAILED, detail, 0.0))
            self.warnings.append(f"{actuator.name} did not take it: {detail}")
            return None
        self.attempts.extend(carried.attempts)
        self.warnings.extend(carried.warnings)
        return carried

    def end(self, carried: Carried | None) -> Carried:
        """Return the whole: what the preferred actuator made of it, with everything on the way."""
        if carried is None:
            raise NotCarried(
                f"nothing took the switch to {self._mode}: {'; '.join(self.warnings)}",
                attempts=tuple(self.attempts),
                hint="; ".join(dict.fromkeys(self._hints)) or None,
            )
        return Carried(
            mode=carried.mode,
            pause_kind=carried.pause_kind,
            carried_by=carried.carried_by,
            confirmed=carried.confirmed,
            attempts=tuple(self.attempts),
            warnings=tuple(self.warnings),
        )
