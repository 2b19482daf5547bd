"""A stored file with its real secrets put back, byte for byte, or a clear refusal.

The ledger has no secret. Each is looked for in the files that are in place and in the environment,
and known by its digest; the whole is then proven by the digest of the original bytes.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from ledger.configuration import loader, secrets
from ledger.configuration.keys import KEY_FILE, KEY_VARIABLE, HomeKey, SecretKey
from ledger.configuration.redaction import Redactor
from ledger.configuration.secrets import DIGEST
from ledger.configuration.source import Source, decode
from ledger.domain.errors import BadInput, IntegrityFailure, SecretMissing
from ledger.domain.values.fingerprints import ROOT_KEY, Value, child_key, shortened

_PLACE: Final = re.compile(rf'"{DIGEST}/[0-9a-f]{{64}}"|{DIGEST}(?:~[0-9a-f]{{64}})?')
_QUOTED: Final = re.compile(r"\"((?:[^\"\\\n]|\\.)*)\"|'((?:[^'\n]|'')*)'")
_RUN: Final = re.compile(r"[^\s\"',;<>{}\[\]()]+")
_SEPARATORS: Final = re.compile(r"[=:@/?&]")


def restore(
    name: str,
    redacted: bytes,
    *,
    content_digest: str | None,
    in_place: Iterable[tuple[str, bytes]],
    home: Path,
    environ: Mapping[str, str] | None = None,
) -> bytes:
    """Return the original bytes of a stored file.

    ``in_place`` are (name, bytes) of files that may hold the secrets, best the ones to be replaced;
    ``environ`` the variables that may (the process's own by default); ``home`` has the key.

    Raises:
        SecretMissing: a secret is nowhere to be found, or was digested under another key.
        IntegrityFailure: the result is not what was recorded.
    """
    if content_digest is None:
        return redacted
    environ = os.environ if environ is None else environ
    key = HomeKey(home, environ, create=False)()
    _check_key(name, content_digest, key)
    source = decode(name, redacted)
    missing = {_wanted(match) for match in _PLACE.finditer(source.text)}
    spellings: dict[str, str] = {}
    for text in _candidates(list(in_place), environ, key):
        if not missing:
            break
        digest = key.digest(text.encode(errors="surrogateescape"))
        if digest in missing:
            spellings[digest] = text
            missing.discard(digest)
    if missing:
        raise _secret_missing(source, missing)
    content = source.encoded(_PLACE.sub(lambda match: spellings[_wanted(match)], source.text))
    if key.content_digest(content) != content_digest:
        raise IntegrityFailure(f"{name} can't be restored to the bytes that were recorded")
    return content


def _wanted(match: re.Match[str]) -> str:
    """Return the digest of the text that belongs where a token stands: the last one in it."""
    return match.group().rstrip('"')[-64:]


def _check_key(name: str, content_digest: str, key: SecretKey) -> None:
    recorded = content_digest.split(":")[1:2]
    if recorded != [key.key_id]:
        raise SecretMissing(
            f"the secrets of {name} were digested under the key {''.join(recorded)}, "
            f"and here is the key {key.key_id}",
            hint=f"copy {KEY_FILE} from the home it was made in, or set {KEY_VARIABLE} to its text",
        )


def _candidates(
    in_place: list[tuple[str, bytes]], environ: Mapping[str, str], key: SecretKey
) -> Iterator[str]:
    """Yield texts that may be what is missing, the likeliest first."""
    for name, raw in in_place:
        yield from _secrets_in(name, raw, key)
    for value in environ.values():
        yield from _spellings(value)
    for _, raw in in_place:
        yield from _words_in(raw.decode(errors="replace"))
    for value in environ.values():
        yield from _words_in(value)


def _secrets_in(name: str, raw: bytes, key: SecretKey) -> Iterator[str]:
    """Yield what would be cut out of a file, as it is spelled there and as it is meant."""
    try:
        redactor = Redactor([decode(name, raw)])
        finding = redactor.findings[0]
        text = redactor.sources[0].text
        for start, end, _ in redactor.redact(0, key).edits:
            yield text[start:end]
    except BadInput:
        return  # Broken as it may be, its words are still looked at.
    for path, leaf in finding.leaves.items():
        if path in finding.spans or isinstance(leaf, str):
            yield from _spellings(secrets.text_of(leaf))


def _spellings(value: str) -> Iterator[str]:
    yield value
    stripped = value.strip()
    yield stripped
    yield stripped.replace("\\n", "\n")
    yield f'"{stripped}"'
    yield "'" + stripped.replace("'", "''") + "'"
    escaped = json.dumps(stripped, ensure_ascii=False)[1:-1]
    yield escaped
    yield f'"{escaped}"'


def _words_in(text: str) -> Iterator[str]:
    for match in _QUOTED.finditer(text):
        yield match.group()
        yield match.group()[1:-1]
    for match in _RUN.finditer(text):
        word = match.group()
        yield word
        if len(word) < 4096:
            yield from _SEPARATORS.split(word)


def _secret_missing(source: Source, missing: set[str]) -> SecretMissing:
    keys = list(_keys_of(loader.parse(source), "", missing))
    if not keys:
        lines = (
            source.text.count("\n", 0, match.start()) + 1
            for match in _PLACE.finditer(source.text)
            if _wanted(match) in missing
        )
        keys = [f"the comment on line {line}" for line in lines]
    shown = ", ".join(shortened(key) for key in keys[:5])
    more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
    return SecretMissing(
        f"{source.name} can't be restored: its secret for {shown}{more} "
        f"is neither in the files in place nor in the environment",
        hint="export the value under any name (export NAME=...), or put a file that holds it in place",
    )


def _keys_of(value: Value, key: str, missing: set[str]) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _keys_of(item, child_key(key, name), missing)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _keys_of(item, f"{key}[{index}]", missing)
    elif isinstance(value, str) and any(part in value for part in missing):
        yield key or ROOT_KEY
