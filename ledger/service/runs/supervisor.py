"""One program under supervision: started, signalled, waited for."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ledger import files
from ledger.domain.clock import Clock
from ledger.domain.errors import BadInput
from ledger.domain.runs.decide import crashed

PASSED_ON: Final = (
    signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2,
)  # fmt: skip
ASKS_TO_STOP: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP})


@dataclass(frozen=True, slots=True)
class Ended:
    """How the program ended."""

    exit_code: int | None
    signal_number: int | None
    seconds: int
    asked: bool

    @property
    def signal(self) -> str | None:
        """The name of the signal that ended it. Those between SIGRTMIN and SIGRTMAX have none in Python."""
        number = self.signal_number
        if number is None:
            return None
        try:
            return signal.Signals(number).name
        except ValueError:
            return f"SIGRTMIN+{number - signal.SIGRTMIN}"

    @property
    def exit_status(self) -> int:
        """What a shell would say of it."""
        return self.exit_code if self.exit_code is not None else 128 + (self.signal_number or 0)

    @property
    def crashed(self) -> bool:
        """Whether it died without being asked to."""
        return crashed(self.exit_code, asked=self.asked)

    @property
    def told(self) -> str:
        """How it ended, in words."""
        return f"killed by {self.signal}" if self.signal else f"exit code {self.exit_code}"


def require_program(command: Sequence[str]) -> None:
    """Raise unless there is a program of that name: nothing has to be prepared for one that is not.

    Raises:
        BadInput: there is none, or it can't be executed.
    """
    if shutil.which(command[0]) is None:
        raise _not_startable(command, "there is no such program, or it can't be executed")


def _not_startable(command: Sequence[str], why: str) -> BadInput:
    return BadInput(
        f"{command[0]} can't be started: {why}.", hint="Give the program and its arguments after --"
    )


class Program:
    """A program under supervision. Within the block signals go to it, and none of them ends us."""

    def __init__(
        self,
        command: Sequence[str],
        clock: Clock,
        say: Callable[[str], None],
        lock: int,
    ) -> None:
        """``lock`` is the descriptor of `alone_here`, which the program inherits."""
        self._command = command
        self._clock = clock
        self._say = say
        self._lock = lock
        self._process: subprocess.Popen[bytes] | None = None
        self._heard: set[int] = set()
        self._before: dict[int, Any] = {}
        self._to_say: list[str] = []
        self._saying = False

    def __enter__(self) -> Program:
        for number in PASSED_ON:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
                self._before[number] = signal.signal(number, self._pass_on)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _pass_on(self, number: int, _frame: object) -> None:
        self._heard.add(number)
        process, name = self._process, signal.Signals(number).name
        if process is None or process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError, OSError):  # it ended, or the terminal is gone
            try:
                os.killpg(process.pid, number)
            except PermissionError:
                self._tell(f"warning: {name} can't be passed on: process {process.pid} is not ours")
                return
            if number in ASKS_TO_STOP:
                self._tell(f"{name} was passed on; waiting for process {process.pid} to end")

    def _tell(self, message: str) -> None:
        """Say what a signal's handler has to say.

        The next signal may come before that is written, and a stream takes no second message meanwhile: the
        handler that was interrupted says that one too.
        """
        self._to_say.append(message)
        if self._saying:
            return
        self._saying = True
        try:
            while self._to_say:
                self._say(self._to_say.pop(0))
        finally:
            self._saying = False

    def run(self, environment: Mapping[str, str]) -> Ended:
        """Run it to its end.

        Raises:
            BadInput: it can't be started.
        """
        if self._heard & ASKS_TO_STOP:  # between the record and the start: then there is no start
            return Ended(None, min(self._heard & ASKS_TO_STOP), 0, asked=True)
        began = self._clock.monotonic()
        try:
            self._process = subprocess.Popen(
                list(self._command),
                env=dict(environment),
                # A group of its own: a signal from the terminal must not reach it twice. Such a group
                # is stopped without a word when it reads from the terminal, so it gets none.
                process_group=0,
                stdin=subprocess.DEVNULL if _is_terminal(0) else None,
                pass_fds=(self._lock,),
            )
        except OSError as error:
            raise _not_startable(self._command, (error.strerror or "it failed").lower()) from None
        with contextlib.suppress(OSError):
            files.name_holder(self._lock, self._process.pid, self._command[0])
        code = self._process.wait()
        seconds = int(self._clock.monotonic() - began)
        if code < 0:
            return Ended(None, -code, seconds, self._was_asked(-code))
        return Ended(code, None, seconds, self._was_asked(0))

    def _was_asked(self, by: int) -> bool:
        """Whether somebody asked it to stop. SIGHUP may have meant "read your files again"."""
        hung_up = signal.SIGHUP in self._heard and by == signal.SIGHUP
        return hung_up or bool(self._heard & (ASKS_TO_STOP - {signal.SIGHUP}))


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:  # closed
        return False
