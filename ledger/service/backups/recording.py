"""What the ledger knows of its backups: an event for each that was made, and each that was read back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ledger.domain import events
from ledger.domain.log.ids import LEDGER_STREAM
from ledger.service.backups.metadata import Metadata
from ledger.service.core.recorder import Origin, Recorder
from ledger.store.base import EventStore

CREATED = "BackupCreated"
VERIFIED = "BackupVerified"


def record(
    recorder: Recorder, event: events.BackupCreated | events.BackupVerified, origin: Origin
) -> int:
    """Append ``event``; return its position."""
    new = recorder.prepare(event, origin, stream=LEDGER_STREAM, system=None)
    return recorder.append([new])[0].position or 0


def created(metadata: Metadata, sha256: str) -> events.BackupCreated:
    """Return the event that says that a backup was made."""
    return events.BackupCreated(
        backup=metadata.backup,
        made_at=metadata.made_at,
        position=metadata.last,
        chain=metadata.chain,
        metadata=sha256,
        bytes=metadata.size,
        encrypted=metadata.encryption != "none",
    )


def verified(store: EventStore) -> list[dict[str, Any]]:
    """Return what was recorded of each verified backup, by the time at which it was made."""
    backups = [
        {**event.data, "verified_at": event.recorded_at}
        for event in store.read_stream(LEDGER_STREAM)
        if event.type == VERIFIED
    ]
    return sorted(backups, key=lambda each: (each["made_at"], each["verified_at"]))


def point(store: EventStore) -> dict[str, Any]:
    """Return how far the log has come, and what there is to restore from should the database be lost."""
    head, backups = store.head(), verified(store)
    last = backups[-1] if backups else None
    return {
        "position": head.position,
        "chain": head.chain.hex(),
        "recorded_at": head.recorded_at.isoformat() if head.recorded_at else None,
        "verified_backup": last["backup"] if last else None,
        "verified_backup_position": last["position"] if last else None,
        "verified_backup_made_at": last["made_at"] if last else None,
    }


def metadata_of(store: EventStore, backup: str) -> str | None:
    """Return the SHA-256 that metadata.json of a backup was recorded with; None: the ledger knows none."""
    digests = [
        event.data["metadata"]
        for event in store.read_stream(LEDGER_STREAM)
        if event.type == CREATED and event.data["backup"] == backup
    ]
    return digests[-1] if digests else None


def last_verified_at(store: EventStore) -> datetime | None:
    """Return when the newest backup was made that was read back and found whole; None: there is none."""
    backups = verified(store)
    return datetime.fromisoformat(backups[-1]["made_at"]).astimezone(UTC) if backups else None
