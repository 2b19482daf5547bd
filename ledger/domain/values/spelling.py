"""What somebody may have meant by a word that is not known. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Return the one of ``words`` that is most like ``word``, or else begins like it; None: none is."""
    import difflib  # a pause knows what it means

    words = list(words)
    near = difflib.get_close_matches(word, words, n=1)
    near = near or [each for each in words if len(word) > 1 and each.startswith(word)]
    return near[0] if near else None


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Return ``did you mean '…'?`` with the nearest of ``words``, or nothing."""
    near = nearest(word, words)
    return f"did you mean {near!r}?" if near is not None else ""
