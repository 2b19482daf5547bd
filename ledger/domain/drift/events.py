"""Drift: the world and the ledger disagree."""

from __future__ import annotations

from typing import Literal

from ledger.domain.configurations.events import Change
from ledger.domain.log.event import Event


class DriftDetected(Event):
    """The world differs from the ledger: somebody changed it by hand, or a write was lost."""

    subject: Literal["mode", "config", "code"]
    expected: str
    found: str
    changes: tuple[Change, ...] = ()


class DriftCleared(Event):
    """The world agrees with the ledger again."""

    subject: Literal["mode", "config", "code"]
