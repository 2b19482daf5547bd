"""What somebody may have meant by a word that is not known. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Return ``did you mean '…'?`` with the nearest of ``words``, or nothing."""
    import difflib  # a pause knows what it means

    words = list(words)
    near = difflib.get_close_matches(word, words, n=1)
    near = near or [each for each in words if len(word) > 1 and each.startswith(word)]
    return f"did you mean {near[0]!r}?" if near else ""
