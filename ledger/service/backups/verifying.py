"""Whether a backup is good for anything: it is restored, and the result held against what was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from ledger import fail_points
from ledger.domain.errors import IntegrityFailure, LedgerUnreachable
from ledger.domain.log.records import TableDigest
from ledger.service.backups import recording
from ledger.service.backups.opening import Backup
from ledger.service.backups.restoring import inspect, restore
from ledger.store import migrate
from ledger.store.base import EventStore
from ledger.store.checkpoint import ledger_id
from ledger.store.restore import Restorer
from ledger.store.verify import verify as verify_chain

Tell = Callable[[str], Callable[[int, int], None]]
"""Gives, for a step in words, what is told how far it is."""
ReadModels = Callable[[str], tuple[int, Sequence[TableDigest]]]
"""Builds the read models of the ledger at a DSN; returns their position and what is in them."""
NAMED_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of a restore into a ledger that was made for it."""

    tables: int
    """Tables of the read models that hold what they held when the backup was made."""
    not_compared: list[str] = field(default_factory=list[str])
    """Those that this program builds in another way."""


def verify(backup: Backup, scratch: str, read_models: ReadModels, tell: Tell) -> Restored:
    """Restore ``backup`` into the database at ``scratch``; compare the chain and every read model.

    Raises:
        IntegrityFailure: something is not as it was.
        LedgerUnreachable: no ledger can be made there.
    """
    backup.check(tell("looking at the files"))
    inspect(backup, None, tell("recomputing the chain"))
    try:
        migrate.upgrade(scratch)
    except LedgerUnreachable as problem:
        raise LedgerUnreachable(
            problem.message,
            hint="Verify on the embedded PostgreSQL: --scratch embedded; or GRANT ledger_owner TO <login>",
        ) from problem
    with closing(Restorer(scratch)) as restorer:
        restore(restorer, backup, tell("restoring"))
    fail_points.reach("verify.after_restore")
    report = verify_chain(scratch, tell=tell("recomputing the restored chain"))
    if report.problem is not None:
        raise IntegrityFailure(
            f"{backup.name} was restored, and {report.problem.sentence}",
            hint="Make a new backup: rollout backup create",
        )
    if (report.last, report.chain) != (backup.last, backup.chain):
        raise IntegrityFailure(
            f"{backup.name} was restored, and ends with another chain value than it says.",
            hint="Make a new backup: rollout backup create",
        )
    position, rebuilt = read_models(scratch)
    return _compared(backup, position, rebuilt)


def _compared(backup: Backup, position: int, found: Sequence[TableDigest]) -> Restored:
    if position != backup.last:
        raise IntegrityFailure(
            f"The read models of {backup.name} came to position {position}, not to {backup.last}."
        )
    now = {(each.projection, each.table): each for each in found}
    different: list[str] = []
    not_compared: list[str] = []
    for then in backup.metadata.read_models:
        other = now.get((then.projection, then.table))
        if other is None or other.version != then.version:
            not_compared.append(then.table)
        elif other != then:
            different.append(then.table)
    if different:
        raise IntegrityFailure(
            f"{backup.name} was restored, and gives other read models: {', '.join(different[:NAMED_MAX])}.",
            hint="rollout projections verify tells whether the live ones are what the log gives",
        )
    return Restored(len(backup.metadata.read_models) - len(not_compared), not_compared)


def require_same_log(backup: Backup, store: EventStore) -> bool:
    """Return whether the ledger at hand is the one that ``backup`` was made of.

    Raises:
        IntegrityFailure: it is, and holds something else at the backup's last position, or recorded
            other metadata when the backup was made.
    """
    if ledger_id(store) != backup.metadata.ledger:
        return False
    stored = store.get(backup.last)
    if stored is None or stored.chain != backup.chain:
        if (
            backup.metadata.ledger is None
        ):  # a log without a name: only what is in it tells it apart
            return False
        raise IntegrityFailure(
            f"{backup.name} is sound, and at position {backup.last} the ledger is not what it was then.",
            hint="Keep both as they are; rollout verify --checkpoint FILE tells more",
        )
    if recording.metadata_of(store, backup.name) not in {None, backup.sha256}:
        raise IntegrityFailure(
            f"The metadata.json of {backup.name} is not the one that was recorded with the backup.",
            hint="Somebody changed it since; make a new backup: rollout backup create",
        )
    return True
