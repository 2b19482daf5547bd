"""What one would use instead. Fetched from the registries when the bench runs, into .bench."""

from __future__ import annotations

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[2] / ".bench"


class PeerMissing(Exception):
    """A peer could not be installed; the message says why."""
