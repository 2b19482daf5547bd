"""The ledger itself: its birth, its key, corrections, imports."""

from __future__ import annotations

from typing import Literal

from ledger.domain.log.event import Count, Event, Sha256


class LedgerCreated(Event):
    """Position 1: which ledger this is."""

    ledger_id: str
    program_version: str


class SecretKeyAdopted(Event):
    """Secrets of this ledger are digested under this key, from now on (its id, never the key)."""

    key_id: str


class EventCorrected(Event):
    """Something recorded earlier was wrong; this says how. The earlier event stays as it is."""

    position: Count
    correction: str


class HistoryImported(Event):
    """A file or a repository of past changes was read in; what came of each record."""

    source: str
    kind: Literal["config-changes", "git", "jsonl", "risk-events"]
    sha256: Sha256
    records: Count
    imported: Count
    already_known: Count
    repeated: tuple[str, ...] = ()
    """Records that repeat the one before: "line 4 repeats line 3"."""
    skipped: tuple[str, ...] = ()
    """Bad records left out with --skip-bad: "line 7: not JSON"."""
