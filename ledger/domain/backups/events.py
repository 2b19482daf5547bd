"""Backups of the ledger: made, and read back."""

from __future__ import annotations

from ledger.domain.log.event import Count, Event, Sha256


class BackupCreated(Event):
    """The log up to a position was copied, with the bytes that it names."""

    backup: str
    """Its name: when it was made, and up to which position."""
    made_at: str
    position: Count
    chain: Sha256
    """The chain value at ``position``."""
    metadata: Sha256
    """Of the backup's metadata.json, which holds the hashes of all its files."""
    bytes: Count
    encrypted: bool


class BackupVerified(Event):
    """A backup was restored into a ledger of its own: the same chain, the same read models."""

    backup: str
    made_at: str
    position: Count
    chain: Sha256
    metadata: Sha256
    tables: Count
    """Tables of the read models that were found to be what they were when the backup was made."""
    tables_not_compared: Count = 0
    """Tables of projections that this program builds in another way than the one that made the backup."""
    took_ms: Count
