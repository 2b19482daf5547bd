"""How a watch begins: who looked last, by which plan; with the ledger, or by what this machine remembers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from ledger.domain.errors import LedgerUnreachable
from ledger.domain.state import SystemState
from ledger.service import offline
from ledger.service.core import sampling
from ledger.service.core.plan_in_force import plan_of
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger
from ledger.service.watch.heartbeat import last_beat, silent_for
from ledger.service.watch.loop import Watch


def begin(
    ledger: Ledger,
    system: str,
    origin: Origin,
    *,
    base: Path,
    say: Callable[[str], None],
    away: LedgerUnreachable | None = None,
) -> Watch:
    """Return a watch over ``system``, and record that it began. The caller holds the lease.

    ``away`` says why the ledger can't be reached: then it goes by what this machine remembers.

    Raises:
        UnknownName: there is no such system, or it has no plan.
        LedgerUnreachable: the ledger is away, and this machine does not remember the system or its plan.
    """
    now = ledger.recorder.clock.now()
    state = ledger.load(system) if away is None else offline.remembered(ledger, system, None, away)
    plan = plan_of(ledger, state)
    last = _last_look(ledger, state, now) if away is None else None
    last = last or last_beat(ledger.home, system)
    watching = Watch(ledger, plan, state, origin, base=base, last=last, say=say)
    if away is None:
        since = now - timedelta(seconds=watching.reach)
        watching.remember(sampling.read_samples(ledger.recorder.store, system, since, now))
    watching.begin(away, silent_for(last, now, plan.profile.watch.dead_man))
    return watching


def _last_look(ledger: Ledger, state: SystemState, now: datetime) -> datetime | None:
    """Return when somebody looked last by the log, on whichever machine: clocks run on from there (I14)."""
    pending = [datetime.fromisoformat(alert.active_since) for alert in state.pending.values()]
    since = min([now - timedelta(days=1), *pending])
    sample = sampling.newest(ledger.recorder.store, state.system, sampling.WATCH_UP, {}, since)
    return sample.at if sample is not None else None
