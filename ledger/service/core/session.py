"""What use cases work with: the recorder, the folder of this machine, the locks, the local memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from ledger import files
from ledger.domain.errors import FileNotWritten, LedgerError, OperationInProgress, UnknownName
from ledger.domain.state import SystemState
from ledger.domain.values.fingerprints import flatten
from ledger.service.core.local_cache import LocalMemory
from ledger.service.core.recorder import Origin, Recorder
from ledger.store.spool import Spool

if TYPE_CHECKING:
    from ledger.configuration.keys import KeyProvider
    from ledger.domain.decision import Decision

LOCK_TIMEOUT_SECONDS: Final = 10.0
PAUSE_LOCK_TIMEOUT_SECONDS: Final = 0.5
DEAD_HOLDER_SECONDS: Final = 2.0
LOCK_POLL_SECONDS: Final = 0.05
SPOOL_LOCK_TIMEOUT_SECONDS: Final = 2.0

Warn = Callable[[str], None]
"""Tells the person at the terminal something that went wrong but does not stop the work."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of operations whose processes are dead, in sentences."""

    completed: list[str]
    abandoned: list[str]
    problems: list[str]
    """What stays open, and why."""


Finish = Callable[["Ledger", str, Origin], Finished]


@dataclass(frozen=True, slots=True)
class Ledger:
    """One command's hold on the ledger and on this machine."""

    recorder: Recorder
    home: Path
    warn: Warn
    keys: KeyProvider
    """Gives the key that secrets are digested under, when the first one is met."""
    memory: LocalMemory
    finish: Finish
    """Finishes what dead processes began. Handed in: it knows every kind of operation, none knows it."""

    @property
    def spool(self) -> Spool:
        """What this machine did while the ledger was away."""
        return Spool(self.home / "spool", lock_timeout_seconds=SPOOL_LOCK_TIMEOUT_SECONDS)

    def load(self, system: str) -> SystemState:
        """Return a system's state.

        Raises:
            UnknownName: it was never registered.
        """
        from ledger.domain.decision import require_registered

        state = self.recorder.load(system)
        require_registered(state)
        return state

    def decide(
        self, system: str, decision: Callable[[SystemState], Decision], origin: Origin
    ) -> Decision:
        """Decide and append as `Recorder.decide` does."""
        return self.recorder.decide(system, decision, origin)[1]

    def keep_blob(self, content: bytes) -> str:
        """Keep bytes in the ledger and on this machine; return their SHA-256."""
        sha256 = self.recorder.store.put_blob(content)
        self.memory.keep_blob(sha256, content)
        return sha256

    def blob(self, sha256: str) -> bytes:
        """Return the bytes of a hash or a fingerprint, from the ledger or, failing that, from this machine.

        Raises:
            UnknownName: neither has them.
        """
        sha256 = sha256.removeprefix("sha256:")
        kept = self.memory.blob(sha256)
        if kept is not None:
            return kept
        content = self.recorder.store.get_blob(sha256)
        if content is None:
            raise UnknownName(
                f"The bytes {sha256[:12]} are not in the ledger.", hint="Run: rollout verify"
            )
        self.memory.keep_blob(sha256, content)
        return content

    def configuration(self, fingerprint: str) -> dict[str, str]:
        """Return what a configuration says, flat: key -> canonical JSON text. Raises as `blob` does."""
        return flatten(orjson.loads(self.blob(fingerprint)))

    def code_commit(self, state: SystemState) -> str | None:
        """Return where the system's code stands; None where there is no checkout, or it can't be told."""
        from ledger.service.core.actuators import world_of

        checkout = world_of(state.actuators, self.recorder.clock).code()
        if checkout is None:
            return None
        try:
            return checkout.observe().commit
        except LedgerError as problem:
            self.warn(f"the code's version can't be told: {problem.message}")
            return None

    @contextlib.contextmanager
    def operating(
        self,
        system: str,
        what: str,
        *,
        wait_seconds: float = LOCK_TIMEOUT_SECONDS,
        lowers: bool = False,
    ) -> Iterator[None]:
        """Be the only one at work on ``system``: on this machine, and on all that share the ledger.

        Who only ``lowers`` goes ahead where this machine has no room for its lock: the ledger's own is held.

        Both locks end with the process, so whoever gets them and finds an operation in flight knows
        that its process is dead. ``wait_seconds`` is for whoever is at work here to end.

        Raises:
            OperationInProgress: somebody else is at work.
            FileNotWritten: the lock can't be made here.
        """
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self.alone_here(system, what, wait_seconds=wait_seconds))
            except FileNotWritten as problem:
                if not lowers:
                    raise
                self.warn(f"not locked on this machine: {problem.message}")
            self._lock_everywhere(system)
            try:
                yield
            finally:
                with contextlib.suppress(LedgerError):
                    self.recorder.store.unlock(system)

    def _lock_everywhere(self, system: str) -> None:
        """Take the ledger's own lock. A server may take a moment to see that its last holder is dead."""
        clock = self.recorder.clock
        deadline = clock.monotonic() + DEAD_HOLDER_SECONDS
        while not self.recorder.store.try_lock(system):
            if clock.monotonic() >= deadline:
                raise OperationInProgress(
                    f"Somebody on another machine is at work on {system}.",
                    hint=f"rollout log {system} shows what was begun; wait for it, then try again",
                )
            clock.sleep(LOCK_POLL_SECONDS)

    def alone_here(
        self, system: str, what: str, *, wait_seconds: float = LOCK_TIMEOUT_SECONDS
    ) -> contextlib.AbstractContextManager[object]:
        """Be the only one on this machine at work on ``system``. Raises as `operating` does."""
        return files.exclusive_lock(self.lock_file(system), timeout_seconds=wait_seconds, what=what)

    @contextlib.contextmanager
    def pausing(self, system: str) -> Iterator[None]:
        """Wait a moment for whoever is at work here, then go ahead all the same: a pause never waits."""
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(
                    files.exclusive_lock(
                        self.lock_file(system),
                        timeout_seconds=PAUSE_LOCK_TIMEOUT_SECONDS,
                        what="pause",
                    )
                )
            except (LedgerError, OSError) as problem:  # some network disks know no locks
                self.warn(f"pausing without the lock: {problem}")
            yield

    def finish_dead_operations(self, system: str, origin: Origin) -> Finished:
        """Complete or abandon every operation in flight on ``system``.

        The caller holds the locks of `operating`: they say that whoever began it is dead.
        """
        return self.finish(self, system, origin)

    def lock_file(self, system: str) -> Path:
        """Return the file that is locked while somebody on this machine works on ``system``."""
        return self.home / "locks" / f"{system.replace('/', '%2F')}.lock"
