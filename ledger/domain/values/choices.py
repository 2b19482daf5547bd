"""Choices of words in the state: the type checker holds them, the decoder takes any text.

A newer program may have recorded a word that this one does not know. That must not make the state that a
machine remembers unreadable, in the hour when a pause needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Literal as OneOf
else:

    class OneOf:
        """To the checker a Literal."""

        def __class_getitem__(cls, _words: object) -> type[str]:
            """Return what any of the words is."""
            return str


__all__ = ["OneOf"]
