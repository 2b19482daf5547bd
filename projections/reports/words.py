"""The words of reports, by language: one table a language, words/LANGUAGE.toml, all with the same keys."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from ledger.domain.errors import BadInput
from ledger.domain.values.spelling import nearest

FOLDER: Final = Path(__file__).parent / "words"


@dataclass(frozen=True)
class Words:
    """What a report says, in one language."""

    language: str
    table: Mapping[str, str]
    """``section.key`` -> text with ``{names}`` in it."""

    def __call__(self, key: str, **named: object) -> str:
        """Return the text of ``section.key``, with its names filled in."""
        return self.table[key].format(**named)


def languages() -> tuple[str, ...]:
    """Return the languages that there are."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


@cache
def words_in(language: str) -> Words:
    """Return the words of ``language``.

    Raises:
        BadInput: there are none.
    """
    if language not in languages():
        near = nearest(language, languages())
        meant = f" Did you mean {near!r}?" if near else ""
        raise BadInput(
            f"There is no language {language!r}.{meant}", hint=f"--lang {'|'.join(languages())}"
        )
    nested = tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    return Words(language, dict(_flat(nested)))


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(cast("Mapping[str, Any]", value), f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
