"""The key under which secrets are digested: one per home, made once, never stored in the ledger.

On another host the digests agree only under the same key, so a missing one is not made up there:
copy ``secret.key``, or set ``ROLLOUT_SECRET_KEY`` to what is in it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from ledger.configuration.source import read_bytes
from ledger.domain.errors import BadInput, FileNotWritten
from ledger.files import sync_folder

KEY_BYTES: Final = 32
KEY_VARIABLE: Final = "ROLLOUT_SECRET_KEY"
KEY_FILE: Final = "secret.key"

_HEX: Final = re.compile(rf"[0-9a-fA-F]{{{2 * KEY_BYTES}}}")


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A key for digests. Neither it nor what it digests ever shows in a repr."""

    material: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        """Eight hex digits that tell keys apart and say nothing about them."""
        return self.digest(b"rollout-ledger key id")[:8]

    def digest(self, content: bytes) -> str:
        """HMAC-SHA256 of the content under this key, as 64 hex digits."""
        return hmac.digest(self.material, content, hashlib.sha256).hex()

    def content_digest(self, content: bytes) -> str:
        """Return the digest of a whole file, as it is recorded: ``hmac-sha256:<key id>:<64 hex>``."""
        return f"hmac-sha256:{self.key_id}:{self.digest(content)}"


class KeyProvider(Protocol):
    """Gives the key when the first secret is met: without secrets there need not be one."""

    def __call__(self) -> SecretKey:
        """Return the key; `BadInput` or `FileNotWritten` if there is none and none can be made."""
        ...


@dataclass(slots=True)
class HomeKey:
    """The key of a data folder, or the one that the environment gives. Read at most once."""

    home: Path
    environ: Mapping[str, str] = field(repr=False)
    create: bool
    """Whether a missing key may be made: for the ledger's own home, not for a bot's other host."""
    _key: SecretKey | None = field(default=None, repr=False)

    def __call__(self) -> SecretKey:
        if self._key is None:
            self._key = self._found()
        return self._key

    def _found(self) -> SecretKey:
        given = self.environ.get(KEY_VARIABLE, "").strip()
        if given:
            return _from_hex(given, KEY_VARIABLE)
        path = self.home / KEY_FILE
        if not path.exists():
            if not self.create:
                raise BadInput(
                    f"a secret has to be digested, and there is no key for that in {path}",
                    hint=f"copy {KEY_FILE} from the ledger's home, or set {KEY_VARIABLE} to its text",
                )
            _make(path)
        text = read_bytes(path, bytes_max=1024).decode("ascii", errors="replace")
        return _from_hex(text.strip(), str(path))


def load_key(home: Path, *, create: bool = True) -> SecretKey:
    """Return the key of a data folder, or the one in ``ROLLOUT_SECRET_KEY``.

    Raises:
        BadInput: there is none and ``create`` is false, or what is there is no key.
        FileNotWritten: there is none and it can't be written.
    """
    return HomeKey(home, os.environ, create=create)()


def _from_hex(text: str, where: str) -> SecretKey:
    if not _HEX.fullmatch(text):
        raise BadInput(
            f"{where} holds no key: {2 * KEY_BYTES} hex digits were expected",
            hint=f"restore {KEY_FILE} from a backup: under a new key every digest would differ",
        )
    return SecretKey(bytes.fromhex(text))


def _make(path: Path) -> None:
    """Write a new key, unless another process has just done so: then its key stands."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                _ = file.write(secrets.token_hex(KEY_BYTES) + "\n")
                file.flush()
                os.fsync(file.fileno())
            # A link, because it fails if the name is taken and never shows a half-written file.
            with suppress(FileExistsError):
                os.link(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise FileNotWritten(
            f"{path}, the key for digests of secrets, can't be written: {error.strerror}",
            hint="make the folder writable, or set ROLLOUT_HOME to one that is",
        ) from error
