"""What a finding may show: no secret, no control character, not too much."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from ledger.configuration import patterns
from ledger.configuration.names import Hint, hint_of
from ledger.configuration.secrets import UNKEYED, known_pattern, replaced, united

LINE_MAX: Final = 500
DETAIL_MAX: Final = 4000

_ESCAPES: Final = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])"
)


class Cleaner:
    """Takes the secrets out of texts: those known by their look, and those of the environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._known: Final = known_pattern(set(_secrets_in(environment)))

    def line(self, text: str) -> str:
        """Return ``text`` as one line that may be shown and kept."""
        cleaned = " ".join(self._clean(text).split())
        return cleaned if len(cleaned) <= LINE_MAX else cleaned[: LINE_MAX - 1] + "…"

    def lines(self, text: str) -> str:
        """Return ``text`` as some lines that may be shown and kept: its end, if it is long."""
        cleaned = self._clean(text).strip()
        return cleaned if len(cleaned) <= DETAIL_MAX else "…" + cleaned[-DETAIL_MAX:]

    def _clean(self, text: str) -> str:
        text = _ESCAPES.sub("", text).replace("\r\n", "\n").replace("\t", " ")
        text = "".join(
            c if c == "\n" or c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text
        )
        spans = patterns.find(text) + patterns.generated_words(text)
        if self._known:
            spans += [match.span() for match in self._known.finditer(text)]
        # All at once: what stands for one secret would look like the value of the next.
        return replaced(text, united(patterns.outside_digests(text, spans)), lambda _: UNKEYED)


def _secrets_in(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        hint = hint_of(name)
        if (
            hint is Hint.SECRET
            or (hint is Hint.LIKELY and patterns.is_likely(value))
            or (hint is Hint.KEY and patterns.looks_random(value))
        ):
            yield value
        for start, end in patterns.find(value):
            yield value[start:end]
