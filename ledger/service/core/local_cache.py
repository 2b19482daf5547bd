"""What this machine remembers of a ledger: a head start, and all there is while Postgres is away.

Decisions start from it, so only whoever acts here may write it: it lies in the home, and is for its owner
alone. The log says whether it still holds (`Recorder.load`).
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from ledger import files
from ledger.domain.errors import FileProblem
from ledger.domain.state import SystemState, decode, encode
from ledger.fold_version import fold_version
from ledger.service.core.recorder import Folded

UNKNOWN: Final = "unknown"
"""Stands for the name of a ledger that holds no event yet, or that this machine can't tell."""
_BYTES_MAX: Final = 64 * 1024 * 1024


class _Kept(msgspec.Struct, frozen=True):
    """What a file holds: the state, by which fold, and the log's chain there; none if it was imagined."""

    fold: int = 0
    chain: str = ""
    state: msgspec.Raw = msgspec.Raw()


@dataclass(frozen=True, slots=True)
class LocalMemory:
    """The states and the configurations of one ledger's systems.

    The folder is named after the ledger: one home may work with several (staging, production), and a
    pause while both are away must not take the one's "bot" for the other's.
    """

    folder: Path

    @property
    def ledger(self) -> str | None:
        """The id of the ledger's first event; None if that is not known."""
        return None if self.folder.name == UNKNOWN else self.folder.name

    def keep(self, folded: Folded) -> None:
        """Keep a state that was folded. A full disk must not stop the command that did the work."""
        self._write(folded.state, folded.chain.hex())

    def imagine(self, state: SystemState) -> None:
        """Keep what the log will say once it is told: for who goes on without it, never to decide on."""
        self._write(state, "")

    def _write(self, state: SystemState, chain: str) -> None:
        if self.ledger is None:
            return  # it could be taken for another ledger's
        kept = _Kept(fold=fold_version(), chain=chain, state=msgspec.Raw(encode(state)))
        path, content = self._state_file(state.system), msgspec.json.encode(kept)
        with contextlib.suppress(FileProblem):
            files.write_atomically(path, content, create_folder=True, new_file_mode=0o600)

    def folded(self, system: str) -> Folded | None:
        """Return the state last kept, if this program's fold made it from the log; else None."""
        kept = self._read(system)
        if kept is None or not kept.chain or kept.fold != fold_version():
            return None
        with contextlib.suppress(ValueError):
            return Folded(decode(bytes(kept.state)), bytes.fromhex(kept.chain))
        return None

    def recall(self, system: str) -> SystemState | None:
        """Return the state last kept, or None.

        It counts whichever fold made it, and if it was imagined: nothing is decided on it while the ledger
        answers, and at an hour when it does not, a pause right after an upgrade still finds its system (I5).
        """
        kept = self._read(system)
        with contextlib.suppress(ValueError):
            return decode(bytes(kept.state)) if kept is not None else None
        return None  # another version of this program wrote it in a form that can't be read

    def _read(self, system: str) -> _Kept | None:
        with contextlib.suppress(FileProblem, ValueError):
            content = files.read_bounded(self._state_file(system), bytes_max=_BYTES_MAX)
            if content is not None:
                kept = msgspec.json.decode(content, type=_Kept)
                # Up to the first release the state alone was kept.
                return kept if kept.state else _Kept(state=msgspec.Raw(content))
        return None

    def systems(self) -> list[str]:
        """Return the names of the systems that are remembered, sorted."""
        states = (self.folder / "systems").glob("*.json")
        return sorted(path.stem.replace("%2F", "/") for path in states)

    def keep_blob(self, sha256: str, content: bytes) -> None:
        """Keep the bytes of a configuration."""
        path = self._blob_file(sha256)
        if self.blob(sha256) is None:
            with contextlib.suppress(FileProblem):
                files.write_atomically(path, content, create_folder=True, new_file_mode=0o600)

    def blob(self, sha256: str) -> bytes | None:
        """Return the bytes of a hash, or None. Bytes that are not those any more are none."""
        with contextlib.suppress(FileProblem):
            content = files.read_bounded(self._blob_file(sha256), bytes_max=_BYTES_MAX)
            if content is not None and hashlib.sha256(content).hexdigest() == sha256:
                return content
        return None

    def _state_file(self, system: str) -> Path:
        return self.folder / "systems" / f"{system.replace('/', '%2F')}.json"

    def _blob_file(self, sha256: str) -> Path:
        return self.folder / "blobs" / sha256[:2] / sha256


def memory_of(home: Path, ledger: str | None, place: str) -> LocalMemory:
    """Return the memory of a ledger that answers, and note that this is the one at ``place``."""
    memory = LocalMemory(home / "cache" / (ledger or UNKNOWN))
    if ledger is not None:
        note = _note(home, place)
        with contextlib.suppress(FileProblem):
            if files.read_bounded(note, bytes_max=100) != ledger.encode():
                files.write_atomically(note, ledger.encode(), create_folder=True)
    return memory


def memory_at(home: Path, place: str) -> LocalMemory:
    """Return the memory of the ledger last met at ``place``; else of the only one that this home knows."""
    cache = home / "cache"
    with contextlib.suppress(FileProblem, UnicodeDecodeError):
        noted = files.read_bounded(_note(home, place), bytes_max=100)
        if noted is not None:
            return LocalMemory(cache / noted.decode())
    ledgers: list[Path] = []
    with contextlib.suppress(OSError):  # a home that can't be looked into
        ledgers = [folder.parent for folder in cache.glob("*/systems")]
    return LocalMemory(ledgers[0] if len(ledgers) == 1 else cache / UNKNOWN)


def _note(home: Path, place: str) -> Path:
    return home / "cache" / "places" / hashlib.sha256(place.encode()).hexdigest()[:16]
