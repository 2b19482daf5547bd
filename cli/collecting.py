"""How often Python looks for garbage in cycles: hardly ever in a quick command, as usual in one that stays.

A pause makes some 75,000 objects, and one round over them takes 7 ms. But what a watch leaves in cycles (a
connection, a frame of an error) would wait for twenty million objects more.
"""

from __future__ import annotations

import gc
from typing import Final

USUAL: Final = gc.get_threshold()
HURRIED: Final = 200_000


def hurry() -> None:
    """Collect hardly ever: this process ends in a moment."""
    gc.set_threshold(HURRIED)


def stay() -> None:
    """Collect as usual: this process goes on for days."""
    gc.set_threshold(*USUAL)
