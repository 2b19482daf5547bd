"""Recording with the ledger and without it: what can't be appended is journalled, and imagined meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.errors import LedgerError, LedgerUnreachable, OperationInProgress
from ledger.domain.evolve import evolve
from ledger.domain.log.envelope import NewEvent, Recorded
from ledger.domain.log.ids import control_stream
from ledger.domain.state import SystemState
from ledger.metrics.sources import Measured
from ledger.service import offline
from ledger.service.core import sampling
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger

AWAY_SECONDS: Final = 5.0
"""How long the ledger is left alone after it did not answer: a round must not wait for it each time."""

LEASE_RETRY_SECONDS: Final = 1.0
OWN_LEASE_SECONDS: Final = 45.0
"""For how long after an outage the lease may still be held by the connection that was lost."""


def lease_of(system: str) -> str:
    """Return the name of the lock that whoever watches over a system holds."""
    return f"watch:{system}"


class StoreAndForward:
    """One system's state, and the way into the log, for whoever must go on while the ledger is away."""

    def __init__(
        self, ledger: Ledger, state: SystemState, origin: Origin, say: Callable[[str], None]
    ) -> None:
        self.ledger = ledger
        self.state = state
        """As the log has it; while the ledger is away, as the log will have it."""
        self.origin = origin
        self.problem: LedgerError | None = None
        """Why the ledger can't be reached; None: it can."""
        self._clock = ledger.recorder.clock
        self._say = say
        self._try_again = 0.0
        self._lease_until: float | None = None
        """Until when the lease may be this watch's own of before, where that is in question."""
        self._read_to: int | None = None
        """Up to which revision of the recorded metrics this watch has read them."""

    @property
    def system(self) -> str:
        """The system that this is about."""
        return self.state.system

    def reach_out(self) -> None:
        """Load the state; after a while without the ledger, append what waits first."""
        if self.problem is not None and self._clock.monotonic() < self._try_again:
            return
        try:
            alone = self.ledger.recorder.store.try_lock(lease_of(self.system))
            if not alone and self._may_be_own_lease():
                self._try_again = self._clock.monotonic() + LEASE_RETRY_SECONDS
                return
            if alone and self.problem is not None:
                count = offline.drain(self.ledger).total()
                self._say(f"the ledger is back; {count} events were appended")
            self.state = self.ledger.load(self.system)
            self.problem = self._lease_until = None
        except (LedgerError, OSError) as problem:
            self.lost(problem)
            return
        if not alone:
            # The lease ends with a connection, and a lost one is opened anew without a word.
            raise OperationInProgress(
                f"Somebody else watches over {self.system} by now.",
                hint=f"rollout log {self.system} --type WatchStarted says who",
            )

    def _may_be_own_lease(self) -> bool:
        """Tell whether the lease may be held by the connection that was lost.

        A server that hung, or whose network did, notices only when it goes on, or half a minute later.
        """
        if self.problem is None:
            return False
        now = self._clock.monotonic()
        self._lease_until = self._lease_until or now + OWN_LEASE_SECONDS
        return now < self._lease_until

    def lost(self, problem: LedgerError | OSError) -> None:
        """Go on without the ledger, for a while: whatever is wrong with it must not end the watch."""
        if isinstance(problem, OSError):
            problem = LedgerUnreachable(f"The ledger can't be used: {problem}.")
        if self.problem is None:
            self._say(f"warning: going on without the ledger: {problem.message}")
            # Somebody on this machine may have decided something since the last round (I9).
            remembered = self.ledger.memory.recall(self.system)
            if remembered is not None and remembered.revision > self.state.revision:
                self.state = remembered
        self.problem = problem
        self._try_again = self._clock.monotonic() + AWAY_SECONDS

    def _with_ledger(self, there: Callable[[], object], here: Callable[[], object]) -> None:
        if self.problem is None:
            try:
                there()
            except (LedgerError, OSError) as problem:
                self.lost(problem)
            else:
                return
        try:
            here()
        except (LedgerError, OSError) as problem:  # a full disk must not stop the watch
            self._say(f"warning: not recorded, not even here: {problem}")

    def recorded(self) -> list[Measured]:
        """Return what anybody has recorded since the last time; nothing while the ledger is away."""
        samples: list[Measured] = []

        def there() -> None:
            samples[:], self._read_to = sampling.read_after(
                self.ledger.recorder.store, self.system, self._read_to, self._clock.now()
            )

        self._with_ledger(there, lambda: None)
        return samples

    def record(self, measured: Sequence[Measured]) -> None:
        """Record what was measured."""
        self._with_ledger(
            lambda: self.ledger.recorder.append(self._prepared(measured)),
            lambda: offline.spool_prepared(self.ledger, self._prepared(measured, spooled=True)),
        )

    def _prepared(self, measured: Sequence[Measured], *, spooled: bool = False) -> list[NewEvent]:
        return sampling.prepared(
            self.ledger.recorder, self.system, measured, self.origin, spooled=spooled
        )

    def append(self, decide: Callable[[SystemState], Decision]) -> None:
        """Decide on the log's state and append; while the ledger is away, on the imagined one."""
        sent: list[NewEvent] = []

        def sending(batch: Sequence[NewEvent]) -> None:
            sent[:] = batch

        def there() -> None:
            self.state, _ = self.ledger.recorder.decide(
                self.system, decide, self.origin, sending=sending
            )

        def here() -> None:
            # No answer came: the log may have them. Under their own ids they are in it once (I4).
            prepared = sent or [self._new(event) for event in decide(self.state).events]
            self._imagine(prepared)
            offline.spool_prepared(self.ledger, prepared)

        self._with_ledger(there, here)

    def _new(self, event: events.Event) -> NewEvent:
        return self.ledger.recorder.prepare(
            event, self.origin, stream=control_stream(self.system), system=self.system, spooled=True
        )

    def _imagine(self, prepared: Sequence[NewEvent]) -> None:
        """Fold what the log will say once they are appended."""
        for new in prepared:
            self.state = evolve(
                self.state,
                Recorded(
                    position=self.state.position, revision=self.state.revision,
                    schema_version=new.schema_version, event_id=new.event_id,
                    occurred_at=new.occurred_at, recorded_at=new.occurred_at, stream=new.stream,
                    type=new.type, body=new.body, body_hash=b"", chain=b"",
                ),
            )  # fmt: skip
        # For whoever has to go on from here without the ledger.
        self.ledger.memory.imagine(self.state)
