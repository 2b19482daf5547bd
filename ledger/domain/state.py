"""The state of one system, as folding its control stream gives it (`ledger.domain.evolve`). Pure data.

It holds what decisions need, and what `rollout status`, `at` and `recover` show. Everything nested is
JSON-ready, because a snapshot of the state is kept every few hundred events (a cache that can be
thrown away: folding from the first event gives the same).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec

from ledger.domain.alerts.state import (
    Alert,
    EndedAlert,
    EvaluationFailure,
    Incident,
    PendingAlert,
    RuleAction,
    Silence,
)
from ledger.domain.approvals.state import ApprovalRequest
from ledger.domain.configurations.state import Configuration
from ledger.domain.corrections.state import UnreadEvent
from ledger.domain.drift.state import Drift, DriftSubject
from ledger.domain.gates.state import JudgedGate, JudgedPreflight, Waiver
from ledger.domain.mitigations.state import StandingMitigation
from ledger.domain.modes.state import Unconfirmed
from ledger.domain.operations import KINDS, Begun, Operation
from ledger.domain.plans.state import PhaseLeft, PlanInForce, PresentPhase
from ledger.domain.runs.state import SupervisedRun, Watcher
from ledger.domain.systems.state import Actuators, Registration

Json = Mapping[str, Any]


NO_ACTUATORS: Final = Actuators()


class SystemState(msgspec.Struct, frozen=True):
    """One system as of a revision of its control stream. ``registration`` is None: never registered."""

    system: str
    revision: int = 0
    position: int = 0
    registration: Registration | None = None
    mode: str | None = None
    """None: never switched."""
    pause_kind: str | None = None
    mode_since: str | None = None
    mode_by: str | None = None
    mode_reason: str | None = None
    mode_position: int = 0
    unconfirmed: Unconfirmed | None = None
    fingerprint: str | None = None
    """The configuration in force, as far as the ledger knows."""
    snapshot: str | None = None
    applied_at: str | None = None
    applied_cause: str | None = None
    code: str | None = None
    """The commit that the system's code stood at when that was last recorded; None: never."""
    codes: Mapping[str, str] = msgspec.field(default_factory=dict[str, Any])
    """commit -> when the code was last recorded to stand there."""
    left: str | None = None
    """The fingerprint that was in force before."""
    configs: Mapping[str, Configuration] = msgspec.field(default_factory=dict[str, Any])
    """By fingerprint."""
    tags: Mapping[str, str] = msgspec.field(default_factory=dict[str, Any])
    operations: Mapping[str, Operation] = msgspec.field(default_factory=dict[str, Any])
    """In flight, by id."""
    alerts: Mapping[str, Alert] = msgspec.field(default_factory=dict[str, Alert])
    """Firing."""
    ended: Mapping[str, EndedAlert] = msgspec.field(default_factory=dict[str, EndedAlert])
    """No longer firing: alert and since when it fired -> how it ended. Of those of whose end nobody is to
    be told, the newest few."""
    incidents: Mapping[str, Incident] = msgspec.field(default_factory=dict[str, Incident])
    """Not closed."""
    drift: Mapping[DriftSubject, Drift] = msgspec.field(default_factory=dict[Any, Any])
    """Not cleared, by subject."""
    human_position: int = 0
    """Where a person last decided on the mode or the configuration: no rule overrides that (I9)."""
    profile: PlanInForce | None = None
    phase: PresentPhase | None = None
    phases_done: Mapping[str, PhaseLeft] = msgspec.field(default_factory=dict[str, PhaseLeft])
    """Left forward, and not entered again since."""
    preflight: JudgedPreflight | None = None
    """The last one."""
    gates: Mapping[str, JudgedGate] = msgspec.field(default_factory=dict[str, JudgedGate])
    """phase -> the last evaluation of its exit gate."""
    waivers: Mapping[str, Waiver] = msgspec.field(default_factory=dict[str, Waiver])
    """Not revoked, perhaps expired."""
    approvals: Mapping[str, ApprovalRequest] = msgspec.field(
        default_factory=dict[str, ApprovalRequest]
    )
    """The last request on each subject."""
    pending: Mapping[str, PendingAlert] = msgspec.field(default_factory=dict[str, PendingAlert])
    """Alerts whose condition holds, not yet for long enough."""
    no_data: Mapping[str, str] = msgspec.field(default_factory=dict[str, str])
    """Alerts, and whole rules, that have no data: since when. Their clocks stand still (I8)."""
    silences: Mapping[str, Silence] = msgspec.field(default_factory=dict[str, Silence])
    """Not lifted, perhaps expired."""
    rule_actions: Mapping[str, RuleAction] = msgspec.field(default_factory=dict[str, RuleAction])
    """rule -> what it last did."""
    failing: Mapping[str, EvaluationFailure] = msgspec.field(
        default_factory=dict[str, EvaluationFailure]
    )
    """Rules and sources that can't be evaluated."""
    mitigations: Mapping[str, StandingMitigation] = msgspec.field(default_factory=dict[str, Any])
    """In force or under way, by key."""
    run: SupervisedRun | None = None
    watch: Watcher | None = None
    last_alert_at: Mapping[str, str] = msgspec.field(default_factory=dict[str, Any])
    """severity -> when an alert that bad, or worse, last fired or last ended."""
    last_crash_at: str | None = None
    unread: Mapping[str, UnreadEvent] = msgspec.field(default_factory=dict[str, UnreadEvent])
    """Events that this program can't read, by position; nobody has answered them."""

    @property
    def profile_fingerprint(self) -> str | None:
        """Of the plan in force; None: there is none."""
        return self.profile.fingerprint if self.profile is not None else None

    @property
    def phase_name(self) -> str | None:
        """Of the phase that was entered last; None: none was."""
        return self.phase.name if self.phase is not None else None

    @property
    def actuators(self) -> Actuators:
        """What carries decisions into the world; nothing does, where the system was never registered."""
        return self.registration.actuators if self.registration is not None else NO_ACTUATORS

    @property
    def environment(self) -> str | None:
        """staging | production, where it is known."""
        return self.registration.environment if self.registration is not None else None

    def tags_of(self, fingerprint: str | None) -> list[str]:
        """Return the tags of a configuration, in the order in which it got them."""
        return [tag for tag, named in self.tags.items() if named == fingerprint]

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON-ready data."""
        data: dict[str, Any] = msgspec.json.decode(encode(self))
        return data


BegunT = TypeVar("BegunT", bound=Begun)


def operation_of(state: SystemState, operation: UUID, kind: type[BegunT]) -> BegunT:
    """Return an operation in flight, as of its kind."""
    begun = state.operations[str(operation)]
    if not isinstance(begun, kind):
        raise TypeError(f"{operation} is a {begun.kind}")
    return begun


_DECODER = msgspec.json.Decoder(SystemState)


def encode(state: SystemState) -> bytes:
    """Return the state as JSON; `decode` takes it back."""
    return msgspec.json.encode(state)


def decode(content: bytes | str) -> SystemState:
    """Return the state that `encode` was called on.

    A newer program may have begun an operation of a kind that this one does not know: that is left out, for
    the rest is what a pause needs while the ledger is away.

    Raises:
        ValueError: it is no state, or one of another version of this program.
    """
    try:
        return _DECODER.decode(content)
    except msgspec.ValidationError:
        data = msgspec.json.decode(content, type=dict[str, Any])
        in_flight = msgspec.convert(data.get("operations", {}), dict[str, dict[str, Any]])
        data["operations"] = {
            id_: one for id_, one in in_flight.items() if one.get("kind") in KINDS
        }
        return msgspec.convert(data, SystemState)


def is_whole(state: SystemState) -> bool:
    """Tell whether everything in the state is of its type: an event may have said anything."""
    try:
        _DECODER.decode(encode(state))
    except ValueError:
        return False
    return True
