"""The HTTP admin interface of a running system: ``POST /mode`` and ``GET /status``."""

from __future__ import annotations

import json
from typing import ClassVar, Final

from ledger.actuators.status import told_mode
from ledger.clock import SystemClock
from ledger.domain.clock import Clock
from ledger.domain.values.actuation import Attempt, Carried, NotCarried, Observed, Outcome, Reading
from ledger.domain.values.modes import Mode, PauseKind, full_kind
from ledger.web import ADMIN_BYTES_MAX, AdminInterface, Answer, NoAnswer, NotReached

_CONFIRM_POLL_SECONDS: Final = 0.1
_OK: Final = 200
_SYSTEM_CLOCK: Final = SystemClock()


class HttpAdmin:
    """Switches a system by ``POST {url}/mode {"mode": …}``, and asks ``GET {url}/status``.

    A pause that is no plain halt also sends ``"pause_kind"``. A switch is confirmed when
    ``/status`` tells the mode; it is asked until ``confirm_timeout_seconds`` are over.
    """

    name: ClassVar[str] = "http_admin"

    def __init__(
        self,
        url: str,
        *,
        connect_timeout_seconds: float = 2.0,
        answer_timeout_seconds: float = 3.0,
        confirm_timeout_seconds: float = 5.0,
        clock: Clock = _SYSTEM_CLOCK,
    ) -> None:
        """Take the interface's root address.

        Raises:
            BadInput: the URL is off, or holds a password.
        """
        self._clock: Final = clock
        self._confirm_timeout_seconds: Final = confirm_timeout_seconds
        self._http: Final = AdminInterface(
            url,
            connect_timeout_seconds=connect_timeout_seconds,
            answer_timeout_seconds=answer_timeout_seconds,
            clock=clock,
        )

    def switch(
        self,
        *,
        mode: Mode,
        pause_kind: PauseKind | None,
        message: str,
        operation_id: str,
    ) -> Carried:
        """Post the mode, and wait until ``/status`` tells it. See `ledger.ports.ModeActuator`.

        ``message`` and ``operation_id`` stay here: the interface knows of no such keys.
        """
        kind = full_kind(mode, pause_kind)
        attempt = self._post(mode, kind)
        if attempt.outcome is not Outcome.TOOK_IT:
            raise NotCarried(
                attempt.detail,
                attempts=(attempt,),
                hint=f"look whether the system runs and listens at {self._http.place}",
            )
        confirmed, warnings = self._confirm(mode, kind)
        return Carried(
            mode=mode,
            pause_kind=kind,
            carried_by=self.name,
            confirmed=confirmed,
            attempts=(attempt,),
            warnings=warnings,
        )

    def observe(self) -> Observed:
        """Ask ``/status`` once."""
        return Observed((self._read(),))

    def _post(self, mode: Mode, kind: PauseKind | None) -> Attempt:
        wanted = {"mode": mode.value}
        # A plain halt is what "paused" has always meant, so systems that take no other key are
        # sent none.
        if kind not in {None, PauseKind.HALT}:
            wanted["pause_kind"] = str(kind)
        started_seconds = self._clock.monotonic()
        try:
            answer = self._http.post("/mode", json.dumps(wanted).encode())
        except NotReached as problem:
            outcome, detail = Outcome.FAILED, str(problem)
        except NoAnswer as problem:
            outcome, detail = Outcome.UNKNOWN, str(problem)
        else:
            outcome, detail = _judged(answer), f"POST /mode was answered by {_told(answer)}"
        return Attempt(self.name, outcome, detail, self._clock.monotonic() - started_seconds)

    def _confirm(self, mode: Mode, kind: PauseKind | None) -> tuple[bool, tuple[str, ...]]:
        deadline = self._clock.monotonic() + self._confirm_timeout_seconds
        while True:
            reading = self._read()
            if reading.mode is mode and reading.problem is None:
                if reading.pause_kind is kind:
                    return True, ()
                if reading.pause_kind is None:
                    return True, _doubt(kind)
            if self._clock.monotonic() + _CONFIRM_POLL_SECONDS >= deadline:
                last_seen = (
                    reading.problem or f"/status tells {reading.mode} {reading.pause_kind or ''}"
                )
                seconds = self._confirm_timeout_seconds
                return False, (f"not confirmed within {seconds:g} s: {last_seen.strip()}",)
            self._clock.sleep(_CONFIRM_POLL_SECONDS)

    def _read(self) -> Reading:
        try:
            answer = self._http.get("/status")
        except (NotReached, NoAnswer) as problem:
            return Reading(self.name, None, problem=str(problem))
        source = f"GET /status of {self._http.place}"
        if answer.status != _OK:
            problem = f"{source} was answered by {_told(answer)}"
            return Reading(self.name, None, problem=problem)
        if len(answer.body) > ADMIN_BYTES_MAX:
            problem = f"{source} was answered by more than {ADMIN_BYTES_MAX} bytes"
            return Reading(self.name, None, problem=problem)
        return told_mode(self.name, answer.body, source=source)


def _judged(answer: Answer) -> Outcome:
    if answer.status == _OK:
        return Outcome.TOOK_IT
    # A server that failed may have acted before it did; so may one that accepts for later.
    return Outcome.REFUSED if 300 <= answer.status < 500 else Outcome.UNKNOWN


def _told(answer: Answer) -> str:
    # The body is not quoted: nobody knows what is in it.
    if 300 <= answer.status < 400:
        return f"HTTP {answer.status} (redirects are not followed), expected {_OK}"
    return (
        f"HTTP {answer.status}" if answer.status == _OK else f"HTTP {answer.status}, expected 200"
    )


def _doubt(kind: PauseKind | None) -> tuple[str, ...]:
    """Say so where a system tells that it is paused, and not how, and the how matters."""
    if kind in {None, PauseKind.HALT}:
        return ()
    return (f"/status tells paused and no pause_kind: whether it is {kind} can't be seen",)
