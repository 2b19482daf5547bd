"""Which key opens what a backup was closed with."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from ledger.domain.errors import Refused
from ledger.service.backups.sealing import Seal, opener_of, seal_for

WORDS = "correct horse battery staple"
OTHER = "another four words here"


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A recipient, and the file with its identity."""
    age: Any = import_module("pyrage")
    key = age.x25519.Identity.generate()
    path = tmp_path_factory.mktemp("keys") / "key.txt"
    path.write_text(f"# made today\n{key}\n")
    return str(key.to_public()), path


@pytest.fixture(scope="module")
def seal(identity: tuple[str, Path]) -> Seal:
    """A seal to the recipient and under the passphrase: to stretch one takes a second."""
    return seal_for([identity[0]], WORDS)


def test_a_recipient_needs_no_passphrase_and_a_passphrase_no_identity(
    identity: tuple[str, Path], seal: Seal
) -> None:
    """Each of them opens it alone; an old passphrase in the environment does not lock the identity out."""
    _, path = identity
    closed = seal.close(b"the log")
    assert b"the log" not in closed
    for opener in (opener_of(path, None), opener_of(None, WORDS), opener_of(path, OTHER)):
        assert opener.with_key(seal.key, "one").open(closed, "a file", encrypted=True) == b"the log"
    with pytest.raises(Refused, match="another passphrase"):
        opener_of(None, OTHER).with_key(seal.key, "one")


def test_an_interrupted_backup_goes_on_under_its_own_key(
    identity: tuple[str, Path], seal: Seal
) -> None:
    """The same passphrase finds the key that was made before; another one begins anew."""
    recipient, _ = identity
    assert seal_for([recipient], WORDS, seal.key).recipients == seal.recipients
    assert seal_for([recipient], OTHER, seal.key).recipients != seal.recipients
    assert seal_for([recipient], WORDS, b"spoilt").recipients != seal.recipients


def test_nothing_shows_a_key(identity: tuple[str, Path], seal: Seal) -> None:
    """I6: neither what closes nor what opens says in its repr what it knows."""
    _, path = identity
    secret = path.read_text().splitlines()[1]
    shown = repr(opener_of(path, WORDS)) + repr(seal) + repr(Seal())
    assert secret not in shown
    assert "battery" not in shown
