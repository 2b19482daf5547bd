"""What was handed out about a system."""

from __future__ import annotations

from typing import Literal

from ledger.domain.log.event import Count, Event, Sha256


class ReportGenerated(Event):
    """A report was written: of which part of the log, and which bytes."""

    report: Literal["canary", "daily", "stop", "monitoring"]
    language: str
    run: str | None = None
    """The run tag, where it is about one run."""
    from_position: Count
    to_position: Count
    chain: Sha256
    """The chain value at ``to_position``."""
    files: dict[str, Sha256]
    """File name -> the SHA-256 of its content."""
