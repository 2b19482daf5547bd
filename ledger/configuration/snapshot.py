"""Configuration files -> a snapshot: what is stored, fingerprinted, compared and restored."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import rfc8785

from ledger.configuration import loader, places
from ledger.configuration.keys import HomeKey, KeyProvider
from ledger.configuration.redaction import Redactor, without_spellings
from ledger.configuration.source import BYTES_MAX, Source, decode
from ledger.domain.errors import BadInput
from ledger.domain.values import fingerprints

_LFS_POINTER: Final = "version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """One file, with digests in the place of its secrets and every other byte as it was."""

    name: str
    size: int
    """Of ``redacted``, in bytes."""
    sha256: str
    """Of ``redacted``, 64 hex digits."""
    redacted: bytes = field(repr=False)
    content_digest: str | None = None
    """``hmac-sha256:<key id>:<64 hex>`` of the real bytes if they held secrets, else None."""
    secrets: tuple[str, ...] = ()
    """Key paths of what was replaced, and ``comment on line N``."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A configuration: its files, and the fingerprint of what they mean together."""

    fingerprint: str
    """``sha256:<64 hex>`` of ``canonical``."""
    canonical: bytes = field(repr=False)
    """The RFC 8785 form of the resolved value, with digests in the place of secrets."""
    files: tuple[SnapshotFile, ...]
    rules: int = 1
    """The first version of the fingerprint's rules that reads these files so (docs/fingerprint.md)."""

    @property
    def snapshot_id(self) -> str:
        """64 hex digits: SHA-256 over the files' names and stored bytes, in their order."""
        manifest = {"files": [{"name": f.name, "sha256": f.sha256} for f in self.files]}
        return hashlib.sha256(rfc8785.dumps(manifest)).hexdigest()


def snapshot_of_files(
    contents: Iterable[tuple[str, bytes]], *, home: Path, create_key: bool = True
) -> Snapshot:
    """Return a snapshot of (name, bytes), each laid over the ones before it.

    ``home`` holds the key for digests of secrets, unless ``ROLLOUT_SECRET_KEY`` gives it; it is
    looked for only if there is a secret, and made if it is missing and ``create_key`` says so.

    Raises:
        BadInput: a file is unclear, too large, or holds a secret that can't be cut out; it says in
            which file, on which line and under which key.
    """
    return snapshot_under(contents, HomeKey(home, os.environ, create=create_key))


def snapshot_under(
    contents: Iterable[tuple[str, bytes]], keys: KeyProvider, *, new: bool = False
) -> Snapshot:
    """Return a snapshot as `snapshot_of_files` does; ``keys`` is asked for the key if there is a secret.

    ``new``: it is to be kept from now on, and a file without any keys is refused.
    """
    pairs = list(contents)
    _check(pairs)
    sources = [decode(name, raw) for name, raw in pairs]
    redactor = Redactor(sources)
    for source, finding in zip(sources, redactor.findings, strict=True):
        if new and not isinstance(finding.value, dict | list):
            raise _without_keys(source)
    if not redactor.found:
        values = [(finding.name, finding.value) for finding in redactor.findings]
        files = [_file(name, raw) for name, raw in pairs]
    else:
        key = keys()
        redacted = [redactor.redact(number, key) for number in range(len(sources))]
        values = [(s.name, r.value) for s, r in zip(sources, redacted, strict=True)]
        files = [
            _file(name, s.encoded(r.text), key.content_digest(raw), r.secrets)
            if r.secrets
            else _file(name, raw)
            for (name, raw), s, r in zip(pairs, sources, redacted, strict=True)
        ]
    canonical = fingerprints.canonical(loader.resolve(values))
    rules = max(places.rules_of(source) for source in sources)
    return Snapshot(fingerprints.fingerprint_of(canonical), canonical, tuple(files), rules)


def canonical_of_redacted(contents: Iterable[tuple[str, bytes]]) -> bytes:
    """Return the canonical form made anew from (name, stored bytes), as this program makes it."""
    sources = [decode(name, raw) for name, raw in contents]
    values = [(s.name, without_spellings(loader.parse(s))) for s in sources]
    return fingerprints.canonical(loader.resolve(values))


def fingerprint_of_redacted(contents: Iterable[tuple[str, bytes]]) -> str:
    """Return the fingerprint computed anew from (name, stored bytes): it must be that of their snapshot."""
    return fingerprints.fingerprint_of(canonical_of_redacted(contents))


def _check(pairs: list[tuple[str, bytes]]) -> None:
    if not pairs:
        raise BadInput("no configuration file was named", hint="name one or several")
    if len({name for name, _ in pairs}) < len(pairs):
        raise BadInput(
            "two files of the configuration have the same name",
            hint="name each file once, and give files of one name in two folders other names",
        )
    size = 0
    for name, raw in pairs:
        size += len(raw)
        if size > BYTES_MAX:
            raise BadInput(
                f"with {name} the configuration is larger than {BYTES_MAX // 2**20} MiB",
                hint="keep data out of the configuration",
            )


def _without_keys(source: Source) -> BadInput:
    if source.text.startswith(_LFS_POINTER):
        return BadInput(
            f"{source.name} is a Git LFS pointer: what it points to is not here",
            hint="fetch it (git lfs pull); in a history, it is in none of the repository's commits",
        )
    return BadInput(
        f"{source.name} is one single value, without any keys",
        hint="a configuration gives values to keys, as in size: 3",
    )


def _file(
    name: str, stored: bytes, content_digest: str | None = None, secrets: tuple[str, ...] = ()
) -> SnapshotFile:
    sha256 = hashlib.sha256(stored).hexdigest()
    return SnapshotFile(name, len(stored), sha256, stored, content_digest, secrets)
