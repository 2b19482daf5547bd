"""Recovery after a crash, system by system: what was left is finished, and people are told what is late."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ledger.domain.errors import LedgerError, LedgerUnreachable
from ledger.domain.log.ids import control_stream
from ledger.domain.state import SystemState
from ledger.service import recovery
from ledger.service.alerts import notifications
from ledger.service.core import plan_in_force
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger
from ledger.service.offline import drain
from ledger.service.recovery import Recovery
from ledger.service.watch.store_and_forward import lease_of
from runtime.wiring import Runtime


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of one system."""

    system: str
    spooled: int
    """How many events from the time without the ledger were appended."""
    result: Recovery | None = None
    notified: tuple[str, ...] = ()
    """What people were told late, in sentences."""
    problem: str | None = None
    """Why there is no result."""


def recover(
    runtime: Runtime, system: str | None, origin: Origin, base: Path
) -> Iterator[Recovered]:
    """Recover a system, or one after the other of all; one that is being worked on does not stop the rest.

    ``base`` is the folder that the plan's relative paths start from.

    Raises:
        LedgerError: the ledger is away, or ``system`` can't be recovered.
    """
    ledger = runtime.ledger_without_draining
    spooled = drain(ledger)
    for name in [system] if system else runtime.store.systems():
        count = spooled[control_stream(name)]
        try:
            result = recovery.recover(ledger, name, origin, spooled=count)
        except LedgerUnreachable:
            raise
        except LedgerError as problem:
            if system:
                raise
            yield Recovered(name, count, problem=problem.message)
            continue
        notified = _notify_people(ledger, result.state, origin, base)
        yield Recovered(name, count, result, tuple(notified))


def _notify_people(ledger: Ledger, state: SystemState, origin: Origin, base: Path) -> list[str]:
    """Send what a watch that died did not send; one that lives does that itself."""
    if state.profile is None or not (state.alerts or state.ended):
        return []
    store, lease = ledger.recorder.store, lease_of(state.system)
    if not store.try_lock(lease):
        return []
    try:
        plan = plan_in_force.plan_of(ledger, state)
        return notifications.catch_up(ledger, plan, state.system, origin, base)
    finally:
        store.unlock(lease)
