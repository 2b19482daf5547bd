"""What one would use instead. Fetched from the registries when the bench runs, and kept for the next run."""

from __future__ import annotations


class PeerMissing(Exception):
    """A peer could not be installed; the message says why."""
