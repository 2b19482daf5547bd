"""Regular expressions of matchers: RE2's, as Prometheus and Alertmanager read them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache


@lru_cache(maxsize=1024)
def full_match(pattern: str) -> Callable[[str], bool]:
    """Return what tells whether ``pattern`` matches a text from its beginning to its end.

    Raises:
        ValueError: RE2 does not read it, and why.
    """
    # A pause must start at once, and matches nothing.
    import re2  # pyright: ignore[reportMissingTypeStubs] -- it has none

    options = re2.Options()
    options.log_errors = False  # they are told, not printed
    options.dot_nl = True  # a dot is any character, as in Prometheus 3
    try:
        compiled = re2.compile(pattern, options=options)
    except re2.error as error:
        why = error.args[0] if error.args else "it can't be read"
        told = why.decode(errors="replace") if isinstance(why, bytes) else str(why)
        raise ValueError(f"{pattern!r} is no regular expression of RE2's: {told}") from None
    return lambda text: compiled.fullmatch(text) is not None
