"""A system's own command for starting it again: run to its end, within its time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ledger import files
from ledger.domain.errors import NotRestarted
from ledger.programs import start_fault


def restart(command: Sequence[str], folder: Path, *, timeout_seconds: float, said: Path) -> None:
    """Run ``command`` in ``folder``; what it says goes to the file ``said``.

    What it starts in the background is left alone: that is what it is for. It can't write to a pipe of
    ours either, which would end with us.

    Raises:
        NotRestarted: it can't be started, fails, or does not end within its time (then it is killed).
    """
    with files.told_as_not_written(said):
        said.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            list(command), cwd=folder, stdin=subprocess.DEVNULL, stdout=descriptor,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        fault = start_fault(command[0], error, os.environ)
        raise NotRestarted(f"{command[0]} can't be started: {fault}.") from error
    finally:
        os.close(descriptor)
    try:
        code = process.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise NotRestarted(
            f"{command[0]} did not end within {timeout_seconds:g} s, and was killed.",
            hint=f"What it said is in {said}",
        ) from None
    if code != 0:
        how = f"exit code {code}" if code > 0 else f"signal {-code}"
        raise NotRestarted(f"{command[0]} ended with {how}.", hint=f"What it said is in {said}")
