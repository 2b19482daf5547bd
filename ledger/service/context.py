"""What use cases work with: the recorder, the folder of this machine, the locks, the local memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from ledger import files
from ledger.domain.errors import FileProblem, LedgerError, OperationInProgress, UnknownName
from ledger.domain.state import SystemState
from ledger.service.recorder import Recorder
from ledger.store.spool import Spool

if TYPE_CHECKING:
    from ledger.configuration.keys import KeyProvider

LOCK_TIMEOUT_SECONDS: Final = 10.0
PAUSE_LOCK_TIMEOUT_SECONDS: Final = 0.5
_CACHE_BYTES_MAX: Final = 64 * 1024 * 1024

Warn = Callable[[str], None]
"""Tells the person at the terminal something that went wrong but does not stop the work."""


@dataclass(frozen=True, slots=True)
class LocalMemory:
    """What this machine remembers of the ledger, for the hour when Postgres is away. Never the truth."""

    folder: Path

    def remember(self, state: SystemState) -> None:
        """Keep a system's state. A full disk must not stop the command that did the work."""
        with contextlib.suppress(FileProblem):
            files.write_atomically(
                self._state_file(state.system),
                orjson.dumps(state.to_json()),
                create_folder=True,
                new_file_mode=0o600,
            )

    def recall(self, system: str) -> SystemState | None:
        """Return the state last kept, or None."""
        content = files.read_bounded(self._state_file(system), bytes_max=_CACHE_BYTES_MAX)
        if content is None:
            return None
        with contextlib.suppress(orjson.JSONDecodeError, TypeError):
            return SystemState.from_json(orjson.loads(content))
        return None  # written by another version of this program

    def keep_blob(self, sha256: str, content: bytes) -> None:
        """Keep the bytes of a configuration."""
        path = self._blob_file(sha256)
        if not path.exists():
            with contextlib.suppress(FileProblem):
                files.write_atomically(path, content, create_folder=True, new_file_mode=0o600)

    def blob(self, sha256: str) -> bytes | None:
        """Return the bytes kept under a hash, or None."""
        return files.read_bounded(self._blob_file(sha256), bytes_max=_CACHE_BYTES_MAX)

    def _state_file(self, system: str) -> Path:
        return self.folder / "systems" / f"{system.replace('/', '%2F')}.json"

    def _blob_file(self, sha256: str) -> Path:
        return self.folder / "blobs" / sha256[:2] / sha256


@dataclass(frozen=True, slots=True)
class Ledger:
    """One command's hold on the ledger and on this machine."""

    recorder: Recorder
    home: Path
    warn: Warn
    keys: KeyProvider
    """Gives the key that secrets are digested under, when the first one is met."""

    @property
    def memory(self) -> LocalMemory:
        """What this machine remembers."""
        return LocalMemory(self.home / "cache")

    @property
    def spool(self) -> Spool:
        """What this machine did while the ledger was away."""
        return Spool(self.home / "spool")

    def load(self, system: str) -> SystemState:
        """Return a system's state, and remember it.

        Raises:
            UnknownName: it was never registered.
        """
        from ledger.domain.decisions import insist_on_registered

        state = self.recorder.load(system)
        insist_on_registered(state)
        self.memory.remember(state)
        return state

    def keep_blob(self, content: bytes) -> str:
        """Keep bytes in the ledger and on this machine; return their SHA-256."""
        sha256 = self.recorder.store.put_blob(content)
        self.memory.keep_blob(sha256, content)
        return sha256

    def blob(self, sha256: str) -> bytes:
        """Return the bytes of a hash, from the ledger or, failing that, from this machine.

        Raises:
            UnknownName: neither has them.
        """
        kept = self.memory.blob(sha256)
        if kept is not None:
            return kept
        found = self.recorder.store.get_blob(sha256)
        if found is None:
            raise UnknownName(
                f"The bytes {sha256[:12]} are not in the ledger.", hint="Run: rollout verify"
            )
        self.memory.keep_blob(sha256, found)
        return found

    @contextlib.contextmanager
    def operating(self, system: str, what: str) -> Iterator[None]:
        """Be the only one at work on ``system``: on this machine, and on all that share the ledger.

        Both locks end with the process, so whoever gets them and finds an operation in flight knows
        that its process is dead.

        Raises:
            OperationInProgress: somebody else is at work.
        """
        with files.exclusive_lock(
            self.lock_file(system), timeout_seconds=LOCK_TIMEOUT_SECONDS, what=what
        ):
            if not self.recorder.store.try_lock(system):
                raise OperationInProgress(
                    f"Somebody on another machine is at work on {system}.",
                    hint=f"rollout log {system} shows what was begun; wait for it, then try again",
                )
            try:
                yield
            finally:
                with contextlib.suppress(LedgerError):
                    self.recorder.store.unlock(system)

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
            except (OperationInProgress, FileProblem) as problem:
                self.warn(f"pausing without the lock: {problem.message}")
            yield

    def lock_file(self, system: str) -> Path:
        """Return the file that is locked while somebody on this machine works on ``system``."""
        return self.home / "locks" / f"{system.replace('/', '%2F')}.lock"
