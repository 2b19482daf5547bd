"""Finding the secrets of a configuration and writing keyed digests in their place (promise I6).

A digest is the text ``secret:hmac-sha256:<key id>:<64 hex>``: equal secrets have equal digests, so a
change of one shows, and its value does not. A leaf is found by the name of its key, by the look of
its value, or because it holds a secret that was found elsewhere in the same configuration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

from ledger.configuration import names, patterns
from ledger.configuration.keys import KeyProvider, SecretKey
from ledger.configuration.lexing import edited
from ledger.configuration.names import Hint
from ledger.configuration.patterns import Span
from ledger.domain.errors import BadInput, LedgerError
from ledger.domain.values.fingerprints import Value, key_path, leaf_text, shortened, tag_of

Path: TypeAlias = tuple[str | int, ...]

DIGEST: Final = r"secret:hmac-sha256:[0-9a-f]{8}:[0-9a-f]{64}"
TOKEN: Final = re.compile(rf"({DIGEST})(?:[~/][0-9a-f]{{64}})?")
"""A digest. In a file, what follows ``~`` or ``/`` digests how the secret was spelled there."""

UNKEYED: Final = "[secret removed]"
"""What stands for a secret in free text if there is no key to digest it under."""

_SECRET_INTEGER_MIN: Final = 1000
_ANYWHERE_MIN: Final = 10
"""Shorter secrets are looked for as words only: "abc123" may be a part of some other name."""
_BYTE_LIST_MIN: Final = 16
_EVM_KEY_BITS_MIN: Final = 225
_KEYPAIR_LENGTHS: Final = frozenset({32, 64})
_WHOLE_IF_INSIDE: Final = "\n"


def token(key: SecretKey, secret: str) -> str:
    """Return the digest that stands for a secret."""
    return f"secret:hmac-sha256:{key.key_id}:{key.digest(secret.encode())}"


def text_of(value: Value) -> str:
    """Return what of a leaf is digested: a text itself, a number as canonical JSON, a tagged value's text."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and tag_of(value):
        return str(next(iter(value.values())))
    return leaf_text(value)


def redact_text(text: str, keys: KeyProvider | None = None, *, prose: bool = False) -> str:
    """Return free text (a reason, a note) with each secret replaced by its digest.

    In ``prose``, what people write in their own words, a word that looks generated is a secret too.
    Without a key, or if it can't be read, `UNKEYED` stands in the secret's place: this is on the way
    to a pause and must not fail. A plain sentence costs some microseconds.
    """
    candidates = patterns.find(text)
    if prose:
        candidates += patterns.generated_words(text)
    spans = united(patterns.outside_digests(text, candidates))
    if not spans:
        return text
    again = known_pattern({text[start:end] for start, end in spans})
    if again:
        spans = united([*spans, *(match.span() for match in again.finditer(text))])
    key: SecretKey | None = None
    if keys is not None:
        try:
            key = keys()
        except LedgerError:
            key = None
    return replaced(text, spans, lambda secret: token(key, secret) if key else UNKEYED)


def replaced(text: str, spans: Iterable[Span], digest: Callable[[str], str]) -> str:
    """Return the text with each span replaced. The spans are sorted and don't overlap."""
    return edited(text, ((start, end, digest(text[start:end])) for start, end in spans))


def united(spans: Iterable[Span]) -> list[Span]:
    """Return spans sorted, and those that overlap or touch made one."""
    whole: list[Span] = []
    for start, end in sorted(spans):
        if whole and start <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(end, whole[-1][1]))
        else:
            whole.append((start, end))
    return whole


class Findings:
    """The secrets of one file's value: which spans of which leaf's text."""

    def __init__(self, name: str, value: Value) -> None:
        self.name = name
        self.value = value
        self.leaves: dict[Path, Value] = {}
        self.spans: dict[Path, list[Span]] = {}
        self._walk(value, (), "", cascade=False)

    def secrets(self) -> set[str]:
        """Return the texts that were found so far."""
        return {
            text_of(self.leaves[path])[start:end]
            for path, spans in self.spans.items()
            for start, end in spans
        }

    def add_known(self, known_secrets: re.Pattern[str]) -> None:
        """Mark what ``known_secrets`` finds in the other texts: a secret that is used in two places."""
        for path, leaf in self.leaves.items():
            text = text_of(leaf)
            spans = [match.span() for match in known_secrets.finditer(text)]
            if spans and not isinstance(leaf, str):
                spans = [(0, len(text))]
            if spans:
                self.spans[path] = _settled(text, [*self.spans.get(path, []), *spans])

    def check_keys(self, known_secrets: re.Pattern[str] | None) -> None:
        """Refuse a secret that is used as a key: a key can't be replaced without harm."""
        _check_keys(self.name, self.value, known_secrets, "")

    def redacted(self, key: SecretKey) -> Value:
        """Return the value with a digest in the place of each secret."""
        return _redacted(self.value, (), self, key)

    def _walk(self, value: Value, path: Path, name: str, *, cascade: bool) -> None:
        if isinstance(value, dict) and not tag_of(value):
            for child, item in value.items():
                named = _name_beside(value) if child == "value" else ""
                inner = cascade or names.hint_of(child) is Hint.SECRET
                harmless = cascade and names.is_harmless(child)
                self._walk(item, (*path, child), named or child, cascade=inner and not harmless)
        elif isinstance(value, list):
            if _is_byte_list(value, name, is_root=not path):
                for index, item in enumerate(value):
                    self.leaves[*path, index] = item
                    self.spans[*path, index] = [(0, len(text_of(item)))]
                return
            for index, item in enumerate(value):
                self._walk(item, (*path, index), name, cascade=cascade)
        elif value is not None and not isinstance(value, bool):
            self.leaves[path] = value
            spans = _leaf_spans(value, name, cascade=cascade)
            if spans:
                self.spans[path] = spans


def known_pattern(secrets: Iterable[str]) -> re.Pattern[str] | None:
    """Return an expression for the secrets wherever they stand; for those unlike any ordinary word.

    ``password: trading`` must not turn every "trading" into a digest, which would tell it.
    """
    distinctive = sorted(filter(patterns.is_distinctive, secrets), key=len, reverse=True)
    if not distinctive:
        return None
    return re.compile(
        "|".join(
            re.escape(secret)
            if len(secret) >= _ANYWHERE_MIN
            else rf"(?<!\w){re.escape(secret)}(?!\w)"
            for secret in distinctive
        )
    )


def _leaf_spans(value: Value, name: str, *, cascade: bool) -> list[Span]:
    text = text_of(value)
    if not isinstance(value, str):
        return [(0, len(text))] if _is_secret_number(value, name) else []
    if patterns.is_placeholder(text):
        return []
    hint = names.hint_of(name)
    if hint is Hint.SECRET or cascade or _tells_by_look(hint, name, text):
        return [(0, len(text))]
    return _settled(text, patterns.find(text, public_name=hint is Hint.HASH))


def _tells_by_look(hint: Hint, name: str, text: str) -> bool:
    if hint is Hint.LIKELY:
        return patterns.is_likely(text)
    if hint is not Hint.KEY:
        return False
    if names.holds_wallets(name):
        return patterns.looks_like_wallet(text)
    return patterns.looks_random(text) or patterns.looks_like_mnemonic(text)


def _is_secret_number(value: Value, name: str) -> bool:
    """Tell whether a number is a secret: a PIN of four digits or more; bytes under a secret's name."""
    hint = names.hint_of(name)
    if isinstance(value, int) and hint is not Hint.HASH and _is_evm_key(value):
        return True
    if isinstance(value, int | float):
        return hint in {Hint.SECRET, Hint.LIKELY} and abs(value) >= _SECRET_INTEGER_MIN
    return tag_of(value) == "$bytes" and hint in {Hint.SECRET, Hint.LIKELY, Hint.KEY}


def _is_evm_key(number: int) -> bool:
    """Tell whether an integer is a private key that was written 0x... without quotes, and no amount."""
    if not _EVM_KEY_BITS_MIN <= number.bit_length() <= 256:
        return False
    return len(set(f"{number:x}")) >= 8 and number % 10**12 != 0


def _is_byte_list(value: list[Value], name: str, *, is_root: bool) -> bool:
    """Tell whether a list is a key written as bytes, the way Solana's tools keep a key pair."""
    named = names.hint_of(name) in {Hint.SECRET, Hint.KEY} and len(value) >= _BYTE_LIST_MIN
    if not named and not (is_root and len(value) in _KEYPAIR_LENGTHS):
        return False
    return all(type(item) is int and 0 <= item <= 255 for item in value)


def _name_beside(mapping: Mapping[str, Value]) -> str:
    """Return ``API_SECRET`` in ``{name: API_SECRET, value: ...}``."""
    for key in ("name", "key"):
        name = mapping.get(key)
        if isinstance(name, str):
            return name
    return ""


def _settled(text: str, spans: list[Span]) -> list[Span]:
    """Return spans united; the whole text if one goes over lines, which files indent and fold."""
    spans = united(spans)
    if any(_WHOLE_IF_INSIDE in text[start:end] for start, end in spans):
        return [(0, len(text))]
    return spans


def _redacted(value: Value, path: Path, findings: Findings, key: SecretKey) -> Value:
    if path in findings.spans:
        return replaced(text_of(value), findings.spans[path], lambda secret: token(key, secret))
    if isinstance(value, dict):
        return {k: _redacted(v, (*path, k), findings, key) for k, v in value.items()}
    if isinstance(value, list):
        return [_redacted(v, (*path, i), findings, key) for i, v in enumerate(value)]
    return value


def _check_keys(
    name: str, value: Value, known_secrets: re.Pattern[str] | None, parent: str
) -> None:
    if isinstance(value, list):
        for item in value:
            _check_keys(name, item, known_secrets, parent)
    if not isinstance(value, dict):
        return
    # Markets are often listed by identifiers that have the shape of a private key.
    public = names.hint_of(parent) not in {Hint.SECRET, Hint.KEY}
    for child, item in value.items():
        if (known_secrets and known_secrets.search(child)) or patterns.find(
            child, public_name=public
        ):
            where = f" below {shortened(key_path([parent]))}" if parent else ""
            raise BadInput(
                f"{name} has a key{where} that is or holds a secret, and keys are stored as they are",
                hint="move the secret into a value",
            )
        _check_keys(name, item, known_secrets, child)
