"""Regular expressions as Prometheus and Alertmanager read them: RE2's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Protocol


class Match(Protocol):
    """Where a pattern fits."""

    def group(self, group: int | str, /) -> str | None:
        """Return the text of a group; None: it takes no part."""
        ...


class Pattern(Protocol):
    """A regular expression that was read: RE2's module has no types of its own."""

    groups: int
    groupindex: Mapping[str, int]

    def search(self, text: str, /) -> Match | None:
        """Return where the pattern fits first."""
        ...

    def fullmatch(self, text: str, /) -> Match | None:
        """Return where the pattern fits, if that is the whole text."""
        ...


@lru_cache(maxsize=1024)
def compiled(pattern: str, *, dot_nl: bool = False) -> Pattern:
    """Return a pattern, compiled. ``dot_nl``: a dot is any character, the end of a line too.

    Raises:
        ValueError: RE2 does not read it, and why.
    """
    # A pause must start at once, and matches nothing.
    import re2  # pyright: ignore[reportMissingTypeStubs] -- it has none

    library: Any = re2
    options = library.Options()
    options.log_errors = False  # they are told, not printed
    options.dot_nl = dot_nl
    try:
        return library.compile(pattern, options=options)
    except library.error as error:
        why = error.args[0] if error.args else "it can't be read"
        reason = why.decode(errors="replace") if isinstance(why, bytes) else str(why)
        raise ValueError(f"{pattern!r} is no regular expression of RE2's: {reason}") from None


def full_match(pattern: str) -> Callable[[str], bool]:
    """Return what tells whether ``pattern`` matches a text from its beginning to its end, as in Prometheus 3.

    Raises:
        ValueError: RE2 does not read it, and why.
    """
    expression = compiled(pattern, dot_nl=True)
    return lambda text: expression.fullmatch(text) is not None
