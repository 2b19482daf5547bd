"""A configuration file with its secrets cut out, and nothing else changed.

Each secret's text is replaced by its digest where it stands. Where it is not written as it is meant
(escapes, several lines, a number) the digest also carries one of the spelling, so that a restore can
tell which spelling belongs there:

    TOKEN            stands for the secret, letter by letter
    TOKEN~<64 hex>   stands for a spelling of it with that digest; in a file of texts, for all of its value
    "TOKEN/<64 hex>" quotes included, stands for a whole scalar (with its quotes) with that digest
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, TypeAlias

from ledger.configuration import lexing, loader, patterns, places
from ledger.configuration.keys import SecretKey
from ledger.configuration.patterns import Span
from ledger.configuration.secrets import TOKEN, Findings, known_pattern, text_of, token, united
from ledger.configuration.source import TEXTS_ONLY, Format, Source
from ledger.domain.errors import BadInput
from ledger.domain.values.fingerprints import Value, key_path, shortened

Edit: TypeAlias = tuple[int, int, str]

_QUOTED: Final = re.compile(r"""(["']).+\1""", re.DOTALL)
"""In an INI or properties file quotes are a part of the text; the secret may stand elsewhere without."""

_COMMENT_MARKS: Final[Mapping[Format, str]] = {
    "yaml": "# \t",
    "toml": "# \t",
    "env": "# \t",
    "json": "/* \t",
    "json5": "/* \t",
    "hjson": "#/* \t",
    "ini": "#; \t",
    "properties": "#! \t",
}
"""What stands before a comment's words, on each of its lines."""


@dataclass(frozen=True, slots=True)
class Redacted:
    """A file without its secrets: its text, what it means, and where they were."""

    text: str
    value: Value
    secrets: tuple[str, ...]
    """Key paths, and ``comment on line N``."""
    edits: tuple[Edit, ...]


class Redactor:
    """Finds the secrets of several files together, then cuts them out of each.

    Raises `BadInput` if a file holds digests already, or a secret that is used as a key.
    """

    def __init__(self, sources: list[Source]) -> None:
        for source in sources:
            _refuse_digests(source)
        self.sources = sources
        self.findings = [Findings(s.name, loader.parse(s)) for s in sources]
        secrets = set[str]().union(*(finding.secrets() for finding in self.findings))
        maybe = ["\n".join(places.maybe_comments(source)) for source in sources]
        in_comments = [bool(patterns.find(text)) for text in maybe]
        self._comments: list[list[Span]] = [
            [span for group in _grouped_comments(source) for span in _in_comments(source, group)]
            if hit
            else []
            for source, hit in zip(sources, in_comments, strict=True)
        ]
        for source, spans in zip(sources, self._comments, strict=True):
            secrets |= {source.text[start:end] for start, end in spans}
        if any(source.format in TEXTS_ONLY for source in sources):
            secrets |= {text[1:-1] for text in secrets if _QUOTED.fullmatch(text)}
        self._known = known_pattern(secrets)
        for finding in self.findings:
            finding.check_keys(self._known)
            if self._known:
                finding.add_known(self._known)
        if self._known:
            self._add_known_in_comments(maybe)

    @property
    def found(self) -> bool:
        """Whether there is any secret, and so a key needed."""
        return any(finding.spans for finding in self.findings) or any(self._comments)

    def redact(self, number: int, key: SecretKey) -> Redacted:
        """Return the file of that number without its secrets. `BadInput` if one can't be cut out."""
        source, finding = self.sources[number], self.findings[number]
        value = finding.redacted(key)
        edits = [
            *_leaf_edits(source, finding, key),
            *(
                (start, end, token(key, source.text[start:end]))
                for start, end in self._comments[number]
            ),
        ]
        edits = sorted(set(edits))
        text = _edited(source, edits)
        self._verify(source, text, value)
        lines = {source.text.count("\n", 0, start) + 1 for start, _ in self._comments[number]}
        secrets = [key_path(path) for path in finding.spans]
        return Redacted(
            text=text,
            value=value,
            secrets=(*sorted(secrets), *(f"comment on line {line}" for line in sorted(lines))),
            edits=tuple(edits),
        )

    def _add_known_in_comments(self, maybe: list[str]) -> None:
        pattern = self._known
        for number, source in enumerate(self.sources):
            if pattern is None or not pattern.search(maybe[number]):
                continue
            spans = [
                match.span()
                for start, end in places.comments(source)
                for match in pattern.finditer(source.text, start, end)
            ]
            self._comments[number] = united([*self._comments[number], *spans])

    def _verify(self, source: Source, text: str, value: Value) -> None:
        """Raise unless what is stored means what is fingerprinted, and holds none of the secrets."""
        try:
            meant = without_spellings(loader.parse(replace(source, text=text)))
        except BadInput:
            meant = None
        if meant != value or (self._known and self._known.search(text)):
            raise BadInput(
                f"a secret can't be cut out of {source.name} without changing what else it says",
                hint="write each secret once, in plain quotes, without escapes and YAML anchors",
            )


def without_spellings(value: Value) -> Value:
    """Return a redacted value with digests only, without those of their spellings."""
    if isinstance(value, str):
        return TOKEN.sub(r"\1", value) if "secret:" in value else value
    if isinstance(value, dict):
        return {key: without_spellings(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_spellings(item) for item in value]
    return value


def _refuse_digests(source: Source) -> None:
    match = TOKEN.search(source.text)
    if match:
        raise BadInput(
            f"{source.where(match.start())}: the digest of a secret stands where the secret belongs",
            hint="put the real value there, or ${NAME} if the program takes it from the environment",
        )


def _grouped_comments(source: Source) -> Iterator[list[Span]]:
    """Yield comments on lines that follow one another: a private key may be commented out over several."""
    group: list[Span] = []
    for span in places.comments(source):
        if group and source.text[group[-1][1] : span[0]].count("\n") > 1:
            yield group
            group = []
        group.append(span)
    if group:
        yield group


def _in_comments(source: Source, group: list[Span]) -> list[Span]:
    """Return the spans of secrets in comments that follow one another, cut at the ends of the lines."""
    text = "\n".join(source.text[start:end] for start, end in group)
    spans: list[Span] = []
    for found_start, found_end in united(patterns.find(text)):
        offset = 0
        for start, end in group:
            first = max(found_start - offset, 0)
            last = min(found_end - offset, end - start)
            piece = source.text[start + first : start + last] if first < last else ""
            content = piece.lstrip(_COMMENT_MARKS[source.format])
            if content.strip():
                spans.append((start + last - len(content), start + last))
            offset += end - start + 1
    return spans


def _leaf_edits(source: Source, finding: Findings, key: SecretKey) -> Iterator[Edit]:
    wanted = {path: finding.leaves[path] for path in finding.spans}
    where = places.leaves(source, wanted) if wanted else {}
    for path, leaf in wanted.items():
        edits = None
        if path in where:
            edits = _scalar_edits(source, where[path], leaf, finding.spans[path], key)
        if edits is None:
            raise BadInput(
                f"{source.name}, key {shortened(key_path(path))}: "
                f"the secret can't be cut out of the way it is written",
                hint="write it on one line, in plain quotes and without escapes",
            )
        yield from edits


def _scalar_edits(
    source: Source, where: Span, leaf: Value, spans: list[Span], key: SecretKey
) -> list[Edit] | None:
    start, end = where
    raw, meant = source.text[start:end], text_of(leaf)
    if isinstance(leaf, str):
        for quote in ('"""', "'''", '"', "'", ""):
            if raw == quote + meant + quote:
                at = start + len(quote)
                return [(at + a, at + b, token(key, meant[a:b])) for a, b in spans]
    if spans == [(0, len(meant))]:
        spelled = key.digest(raw.encode())
        if source.format in TEXTS_ONLY:  # quotes would be a part of what is said
            return [(start, end, f"{token(key, meant)}~{spelled}")]
        return [(start, end, f'"{token(key, meant)}/{spelled}"')]
    return _spelled_edits(raw, start, meant, spans, key)


def _spelled_edits(
    raw: str, start: int, meant: str, spans: list[Span], key: SecretKey
) -> list[Edit] | None:
    """Return edits for parts of a text with escapes or line folds elsewhere, or in the secret itself."""
    edits: list[Edit] = []
    secrets = [meant[a:b] for a, b in spans]
    for secret in set(secrets):
        for spelled in _spellings(secret):
            if raw.count(spelled) == meant.count(secret) == secrets.count(secret):
                break
        else:
            return None
        suffix = "" if spelled == secret else f"~{key.digest(spelled.encode())}"
        at = -1
        while (at := raw.find(spelled, at + 1)) >= 0:
            edits.append((start + at, start + at + len(spelled), token(key, secret) + suffix))
    return edits


def _spellings(secret: str) -> Iterator[str]:
    yield secret
    for ensure_ascii in (False, True):
        escaped = json.dumps(secret, ensure_ascii=ensure_ascii)[1:-1]
        yield escaped
        yield escaped.replace("/", "\\/")
    yield secret.replace("'", "''")


def _edited(source: Source, edits: list[Edit]) -> str:
    for (_, end, _), (start, _, _) in pairwise(edits):
        if start < end:
            raise BadInput(
                f"{source.where(start)}: two secrets overlap, or one is used twice by an alias",
                hint="write each secret once, in plain quotes",
            )
    return lexing.edited(source.text, edits)
