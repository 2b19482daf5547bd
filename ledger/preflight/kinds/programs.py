"""Programs: how one ends, which version it says it has. Nothing that one starts is left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, cast

from packaging.version import InvalidVersion, Version

from ledger.preflight.context import CheckContext
from ledger.preflight.finding import CheckError, Outcome, Result
from ledger.preflight.guard import Guard
from ledger.preflight.judging import number_text
from ledger.preflight.specs import Command, ProgramVersion
from ledger.programs import of_our_own, start_fault

_HEAD_BYTES: Final = 4096
_TAIL_BYTES: Final = 8192
_LAST_WORDS_SECONDS: Final = 1.0


def command(check: Command, context: CheckContext) -> Outcome:
    """Run the program to its end, and look at its exit code."""
    folder = context.base / check.cwd
    codes = ", ".join(number_text(code) for code in check.exit_codes)
    threshold = f"exit {codes}"
    if check.warn_codes:
        threshold += f", warn at {', '.join(map(number_text, check.warn_codes))}"
    ended = run_program(check.command, folder, {**context.environment, **check.env}, context.guard)
    if isinstance(ended, str):
        return Outcome(Result.FAIL, ended, threshold)
    result = Result.FAIL
    if ended.code in check.exit_codes:
        result = Result.PASS
    elif ended.code in check.warn_codes:
        result = Result.WARN
    detail, program = ended.tail, check.command[0]
    ours = of_our_own(program, context.environment) if result is Result.FAIL else None
    if ours is not None:
        detail = f"{detail}\n{program} was {ours}, of the environment that rollout runs in"
    return Outcome(result, ended.told, threshold, detail)


def program_version(check: ProgramVersion, context: CheckContext) -> Outcome:
    """Ask the program, and compare as versions compare: 3.9 is below 3.11, 3.13.0rc1 below 3.13."""
    threshold = _versions_wanted(check)
    ended = run_program(check.command, context.base, context.environment, context.guard)
    if isinstance(ended, str):
        return Outcome(Result.FAIL, ended, threshold)
    match = re.search(check.pattern, ended.head)
    if match is None or match[1] is None:
        raise CheckError(f"no version in what {check.command[0]} says ({ended.told}): {ended.head}")
    try:
        version = Version(match[1])
    except InvalidVersion as error:
        raise CheckError(f"{match[1]!r} is no version; mend the pattern") from error
    result = Result.PASS
    if (check.min and version < Version(check.min)) or (check.max and version > Version(check.max)):
        result = Result.FAIL
    elif check.warn_min and version < Version(check.warn_min):
        result = Result.WARN
    return Outcome(result, str(version), threshold)


class Ended:
    """How a program ended, and the beginning and the end of what it said."""

    def __init__(self, code: int, head: str, tail: str) -> None:
        self.code = code
        self.head = head
        self.tail = tail

    @property
    def told(self) -> str:
        """The exit code, or the signal that ended it."""
        if self.code >= 0:
            return f"exit {self.code}"
        try:
            return f"ended by {signal.Signals(-self.code).name}"
        except ValueError:
            return f"ended by signal {-self.code}"


def run_program(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], guard: Guard
) -> Ended | str:
    """Run a program in a process group of its own, and end the whole group when it or its time ends.

    Returns a sentence if it can't be started.
    """
    try:
        process = subprocess.Popen(
            list(arguments),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        fault = start_fault(arguments[0], error, environment)
        return f"{arguments[0]} can't be started: {fault}"
    group = _Group(process)
    guard.on_stop(group.kill)
    said = _Said(process)
    # Not reaped yet, so that the group's number can't be another's when the rest of it is killed.
    _ = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    group.kill()
    code = group.reap()
    head, tail = said.all()
    return Ended(code, head, tail)


class _Group:
    """A program and whatever it has started, as long as it stayed in the program's group."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._lock = threading.Lock()
        self._reaped = False

    def kill(self) -> None:
        with self._lock, suppress(ProcessLookupError, PermissionError):
            if not self._reaped:
                os.killpg(self._process.pid, signal.SIGKILL)

    def reap(self) -> int:
        with self._lock:
            self._reaped = True
            return self._process.wait()


class _Said:
    """Collects what a program says: all of it is read, and only both ends are kept."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._head = bytearray()
        self._tail = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def all(self) -> tuple[str, str]:
        # One that left the group may hold the pipe open: what it says later is not waited for.
        self._thread.join(_LAST_WORDS_SECONDS)
        return _text(self._head), _text(self._tail)

    def _read(self) -> None:
        with cast("IO[bytes]", self._process.stdout) as pipe:
            while chunk := os.read(pipe.fileno(), 65_536):
                self._head += chunk[: max(0, _HEAD_BYTES - len(self._head))]
                self._tail += chunk
                del self._tail[:-_TAIL_BYTES]


def _text(said: bytearray) -> str:
    return said.decode("utf-8", errors="replace")


def _versions_wanted(check: ProgramVersion) -> str:
    parts: list[str] = []
    if check.min:
        parts.append(f"at least {check.min}")
    if check.max:
        parts.append(f"at most {check.max}")
    if check.warn_min:
        parts.append(f"warn below {check.warn_min}")
    return ", ".join(parts)
