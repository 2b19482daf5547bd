"""Where a report comes from: which part of the log, read by what, when and by whom."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from ledger.domain.log.ids import control_stream, metrics_stream, orders_stream
from ledger.domain.values.moments import iso
from projections.core.base import Db
from projections.models.registry import PROJECTIONS

FORMAT: Final = 1
"""Raised whenever the same log would give other files."""

# A report says nothing about reports, so that making one twice gives the same bytes.
_LAST: Final[LiteralString] = """
    SELECT position, encode(chain, 'hex') FROM ledger.event WHERE position = (
        SELECT max(position) FROM (
            SELECT (SELECT position FROM ledger.event AS e WHERE e.stream = s.stream
                        AND e.type <> 'ReportGenerated' ORDER BY revision DESC LIMIT 1) AS position
                FROM unnest(%s::text[]) AS s (stream)
        ) AS last
    )
"""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What stands at the head of each report. The positions are those of the system's own events."""

    report: str
    """canary, daily, stop or monitoring."""
    system: str
    run_tag: str | None
    since: str | None
    until: str | None
    """The time it is about, ISO 8601; None: nothing limits it."""
    from_position: int
    """The first event of that time; 0 where there is none."""
    to_position: int
    """The newest event of the system that was read."""
    chain: str
    """The log's chain value there, in hex: it stands for every byte up to that position."""
    format: int
    projections: dict[str, int]
    """Read model -> its version."""
    generated_at: str
    generated_by: str

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        return asdict(self)

    @property
    def projection_version(self) -> str:
        """Return the versions in one line: ``system_state 3, timeline 2``."""
        return ", ".join(f"{name} {version}" for name, version in self.projections.items())


def last_event(db: Db, system: str) -> tuple[int, str]:
    """Return position and chain value of the newest event of ``system``; 0 and nothing before the first."""
    streams = [control_stream(system), metrics_stream(system), orders_stream(system)]
    row = db.execute(_LAST, (streams,)).fetchone()
    return (row[0], row[1]) if row is not None else (0, "")


def provenance(
    db: Db,
    report: str,
    system: str,
    *,
    generated_at: datetime,
    generated_by: str,
    from_position: int,
    since: datetime | None = None,
    until: datetime | None = None,
    run_tag: str | None = None,
) -> Provenance:
    """Return the provenance of a report that is made now, of a read model that has caught up."""
    position, chain = last_event(db, system)
    return Provenance(
        report=report,
        system=system,
        run_tag=run_tag,
        since=iso(since) if since is not None else None,
        until=iso(until) if until is not None else None,
        from_position=from_position,
        to_position=position,
        chain=chain,
        format=FORMAT,
        projections={each.name: each.version for each in PROJECTIONS},
        generated_at=iso(generated_at),
        generated_by=generated_by,
    )
