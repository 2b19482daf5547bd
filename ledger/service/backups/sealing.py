"""Encryption at rest, by age (https://age-encryption.org): to recipients, or under a passphrase.

A passphrase protects a key that is made for one backup and lies beside its files (``key.age``), as age keeps
such keys: stretching a passphrase takes a second, which no one wants for each file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ledger import files
from ledger.domain.errors import BadInput, Refused

KEY_FILE_BYTES_MAX: Final = 65_536
PASSPHRASE_LENGTH_MIN: Final = 12


@dataclass(frozen=True, repr=False)
class Seal:
    """Encrypts what goes into a backup. Without recipients it leaves things as they are."""

    recipients: tuple[str, ...] = ()
    key: bytes | None = None
    """The content of key.age, if there is a passphrase."""

    @property
    def suffix(self) -> str:
        """What the names of encrypted files end with."""
        return ".age" if self.recipients else ""

    def close(self, content: bytes) -> bytes:
        """Return ``content`` as it is to be written."""
        if not self.recipients:
            return content
        return _age().encrypt(content, [_recipient(each) for each in self.recipients])


@dataclass(frozen=True, repr=False)
class Opener:
    """Decrypts what is in a backup, by the identities (private keys) that it was given."""

    identities: tuple[Any, ...] = ()
    passphrase: str | None = None

    def with_key(self, key: bytes | None, backup: str) -> Opener:
        """Return an opener that knows the identity in ``key``, the backup's key.age, too.

        Raises:
            Refused: the passphrase is another one.
        """
        if key is None or self.passphrase is None:
            return self
        try:
            identity = _age().passphrase.decrypt(key, self.passphrase).decode()
        except _age().DecryptError:
            if self.identities:  # one of them may open it
                return self
            raise Refused(
                f"The backup {backup} was made under another passphrase.",
                hint="Give the one it was made with: --passphrase-file FILE",
            ) from None
        return Opener((*self.identities, _age().x25519.Identity.from_str(identity)))

    def open(self, content: bytes, name: str, *, encrypted: bool) -> bytes:
        """Return what `Seal.close` was given.

        Raises:
            Refused: none of the identities opens it.
        """
        if not encrypted:
            return content
        if not self.identities:
            raise Refused(
                f"{name} is encrypted, and no key was given.",
                hint="Give one: --identity FILE or --passphrase-file FILE",
            )
        try:
            return _age().decrypt(content, list(self.identities))
        except _age().DecryptError:
            raise Refused(
                f"{name} can't be decrypted by the key that was given.",
                hint="Give the identity of one of its recipients: metadata.json names them",
            ) from None


def seal_for(recipients: Sequence[str], passphrase: str | None, key: bytes | None = None) -> Seal:
    """Return what encrypts to ``recipients`` (age1…), and to who knows ``passphrase``.

    ``key`` is the key.age of a backup that was interrupted; it is gone on with if the passphrase opens it.

    Raises:
        BadInput: one is no recipient.
    """
    for each in recipients:
        _ = _recipient(each)
    if passphrase is None:
        return Seal(tuple(recipients))
    try:
        text = _age().passphrase.decrypt(key or b"", passphrase).decode()
        identity = _age().x25519.Identity.from_str(text)
    except (_age().DecryptError, _age().IdentityError, UnicodeDecodeError):
        identity = _age().x25519.Identity.generate()
        key = _age().passphrase.encrypt(str(identity).encode(), passphrase)
    return Seal((*recipients, str(identity.to_public())), key)


def opener_of(identity_file: Path | None, passphrase: str | None) -> Opener:
    """Return what decrypts with the identities in a file, as age-keygen writes it.

    Raises:
        BadInput: there is no such file, or no identity in it.
        FileNotRead: it can't be read.
    """
    if identity_file is None:
        return Opener(passphrase=passphrase)
    lines = [line.strip() for line in _text(identity_file).splitlines()]
    try:
        identities = [
            _age().x25519.Identity.from_str(line)
            for line in lines
            if line and not line.startswith("#")
        ]
    except _age().IdentityError:
        identities = []
    if not identities:
        raise BadInput(
            f"{identity_file} holds no age identity.",
            hint="A line of it is AGE-SECRET-KEY-1…; age-keygen writes such a file",
        )
    return Opener(tuple(identities), passphrase)


def passphrase_in(path: Path) -> str:
    """Return the first line of a file.

    Raises:
        BadInput: there is no such file, or it is too short a passphrase.
        FileNotRead: it can't be read.
    """
    return checked(_text(path).partition("\n")[0].strip(), str(path))


def checked(passphrase: str, source: str) -> str:
    """Return ``passphrase`` if it is long enough.

    Raises:
        BadInput: it is not.
    """
    if len(passphrase) < PASSPHRASE_LENGTH_MIN:
        raise BadInput(
            f"The passphrase in {source} is shorter than {PASSPHRASE_LENGTH_MIN} characters.",
            hint="Take a few words that do not belong together.",
        )
    return passphrase


def _text(path: Path) -> str:
    content = files.read_bounded(path, bytes_max=KEY_FILE_BYTES_MAX)
    if content is None:
        raise BadInput(f"{path} does not exist.", hint="Correct the path.")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8 text.", hint="Correct the path.") from None


def _age() -> Any:
    """Return the library, which has no types; loaded only where something is encrypted."""
    import pyrage  # pyright: ignore[reportMissingTypeStubs] -- it has none

    return pyrage


def _recipient(text: str) -> Any:
    try:
        return _age().x25519.Recipient.from_str(text)
    except _age().RecipientError:
        # Whoever mistakes the private key for the public one must not find it in a log.
        shown = repr(text) if text.startswith("age1") else "What was given as --recipient"
        raise BadInput(
            f"{shown} is no age recipient.", hint="It is what age-keygen -y prints: age1…"
        ) from None
