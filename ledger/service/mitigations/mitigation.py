"""Mitigations: told to the system by a file that says which are in force; lifted by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal
from uuid import UUID

import orjson

from ledger import fail_points, files
from ledger.alerts.judge import filled
from ledger.domain.decision import Decision
from ledger.domain.errors import LedgerError, UnknownName
from ledger.domain.mitigations import decide as mitigations
from ledger.domain.mitigations.decide import PlannedMitigation
from ledger.domain.mitigations.state import StandingMitigation
from ledger.domain.operations import MitigateOperation
from ledger.domain.state import SystemState, operation_of
from ledger.profiles.plan import Plan
from ledger.service.core.actuators import World
from ledger.service.core.operation import Operation, carry_out
from ledger.service.core.recorder import Origin
from ledger.service.core.session import LOCK_TIMEOUT_SECONDS, Ledger

FILE_BYTES_MAX: Final = 2**20


@dataclass(frozen=True, slots=True)
class MitigationResult:
    """What became of a mitigation, for whoever asked for it."""

    outcome: Literal["done", "skipped"]
    explanation: str


@dataclass(frozen=True, slots=True)
class Mitigate(Operation["str | None", None, MitigationResult]):
    """A mitigation of the plan that is put in force. What it looks at is the value of its key."""

    fail_point: ClassVar[str] = "mitigate"
    planned: PlannedMitigation
    labels: Mapping[str, str]
    alert: str | None = None

    @property
    def what(self) -> str:
        """The mitigation that is put in force."""
        return f"mitigation {self.planned.name}"

    def observe(self, ledger: Ledger, state: SystemState, origin: Origin) -> str | None:
        """Return the value of its key in the configuration in force, if it has a key."""
        if self.planned.kind not in {"lock", "override"} or state.fingerprint is None:
            return None
        return ledger.configuration(state.fingerprint).get(self.planned.template)

    def decide(self, ledger: Ledger, state: SystemState, view: str | None) -> Decision:
        """Return the request; see `mitigations.request` for the rules."""
        return mitigations.request(
            state,
            self.planned,
            target=filled(self.planned.template, tuple(self.labels.items()), 0.0),
            labels=self.labels,
            alert=self.alert,
            configured=view,
            now=ledger.recorder.clock.now(),
        )

    def may_raise(self, state: SystemState, view: str | None) -> bool:
        """No: it only lowers."""
        return False

    def secure(
        self,
        ledger: Ledger,
        state: SystemState,
        view: str | None,
        intent: Decision,
        origin: Origin,
    ) -> None:
        """Return nothing: the intent and the registration hold all that is needed."""

    def perform(
        self, ledger: Ledger, state: SystemState, operation: UUID, work: None, origin: Origin
    ) -> MitigationResult:
        """Write the file; the outcome puts the mitigation in force."""
        intent = operation_of(state, operation, MitigateOperation).intent
        tell(ledger, state.system, origin)
        about = f" of {intent.target}" if intent.target else ""
        return MitigationResult("done", f"{intent.mitigation}{about}, until {intent.until}")

    def skipped(self, state: SystemState, view: str | None, why: str) -> MitigationResult:
        """Return why there is nothing to do."""
        return MitigationResult("skipped", why)


@dataclass(frozen=True, slots=True)
class Lift(Operation[None, None, None]):
    """A mitigation that is ended before its time. Its intent is its outcome; then the file follows."""

    fail_point: ClassVar[str] = "lift"
    key: str
    origin: Origin

    @property
    def what(self) -> str:
        """The mitigation that is lifted."""
        return f"lifting {self.key}"

    def observe(self, ledger: Ledger, state: SystemState, origin: Origin) -> None:
        """Return nothing: the state says it all."""

    def decide(self, ledger: Ledger, state: SystemState, view: None) -> Decision:
        """Return the end of the mitigation, or its refusal."""
        return mitigations.lift(state, self.key, actor=self.origin.actor, reason=self.origin.reason)

    def may_raise(self, state: SystemState, view: None) -> bool:
        """Yes: what it held back comes again."""
        return True

    def secure(
        self, ledger: Ledger, state: SystemState, view: None, intent: Decision, origin: Origin
    ) -> None:
        """Return nothing: the registration holds all that is needed."""

    def perform(
        self, ledger: Ledger, state: SystemState, operation: UUID, work: None, origin: Origin
    ) -> None:
        """Write the file without it."""
        tell(ledger, state.system, origin)


def apply(
    ledger: Ledger,
    plan: Plan,
    system: str,
    name: str,
    labels: Mapping[str, str],
    alert: str | None,
    origin: Origin,
) -> MitigationResult:
    """Put a mitigation of the plan in force.

    Raises:
        UnknownName: the plan has no such mitigation.
        Refused: it would raise exposure (I9), the system can't be told, or a label is missing.
        OperationInProgress: somebody else is at work on the system.
    """
    return carry_out(ledger, system, Mitigate(planned(plan, system, name), labels, alert), origin)


def planned(plan: Plan, system: str, name: str) -> PlannedMitigation:
    """Return a mitigation of the plan, as it is decided on.

    Raises:
        UnknownName: the plan has none of that name.
    """
    mitigation = plan.profile.mitigations.get(name)
    if mitigation is None:
        raise UnknownName(
            f"The plan of {system} has no mitigation {name!r}.",
            hint="It has: " + (", ".join(plan.profile.mitigations) or "none"),
        )
    return PlannedMitigation(
        name=name,
        kind=mitigation.kind,
        template=mitigation.target or mitigation.key or "",
        factor=mitigation.factor,
        value=mitigation.value,
        change=mitigation.change,
        min=mitigation.min,
        max=mitigation.max,
        safer=mitigation.safer,
        expires=mitigation.expires,
    )


def lift(ledger: Ledger, system: str, key: str, origin: Origin) -> None:
    """End a mitigation before its time, by hand.

    Raises:
        ReasonRequired: nobody says why.
        UnknownName: it is not in force.
        OperationInProgress: somebody else is at work on the system.
    """
    carry_out(ledger, system, Lift(key, origin), origin)


def settle(
    ledger: Ledger, system: str, origin: Origin, *, wait_seconds: float = LOCK_TIMEOUT_SECONDS
) -> None:
    """Tell the system which mitigations are in force, as the only one at work on it.

    Raises:
        OperationInProgress: somebody else is at work on the system.
        FileProblem: the file can't be written.
    """
    with ledger.operating(system, "mitigations", wait_seconds=wait_seconds):
        tell(ledger, system, origin)


def tell(ledger: Ledger, system: str, origin: Origin) -> None:
    """Write the mitigations in force for the system to read, and record what is new. Safe to repeat.

    The caller holds the locks: of two files that are written at once the older might stay.
    """
    state = ledger.load(system)
    now = ledger.recorder.clock.now()
    standing = mitigations.in_force(state, now)
    path = Path(mitigations.file_of(state))
    try:
        files.write_atomically(path, document(standing), create_folder=True)
    except LedgerError as problem:
        why = problem.message
        ledger.decide(
            system, lambda state: mitigations.file_not_written(state, standing, why), origin
        )
        raise
    fail_points.reach("mitigate.after_act")
    ledger.decide(
        system, lambda state: mitigations.file_written(state, standing, now, str(path)), origin
    )


def due(ledger: Ledger, state: SystemState) -> bool:
    """Tell whether the system has to be told: one is over, or the file does not say what the log says.

    Whoever appended may have died before it wrote the file.
    """
    now = ledger.recorder.clock.now()
    if not mitigations.settled(state, now):
        return True
    place = state.actuators.mitigation_file
    if place is None:
        return False
    try:
        content = files.read_bounded(Path(place), bytes_max=FILE_BYTES_MAX)
    except LedgerError:
        return True
    if content is None:
        return bool(state.mitigations)
    return content != document(state.mitigations)


def document(standing: Mapping[str, StandingMitigation]) -> bytes:
    """Return the file that the system reads: the mitigations in force, as JSON."""
    shown = [
        {
            "mitigation": mitigation.mitigation,
            "kind": mitigation.kind,
            "target": mitigation.target,
            "value": orjson.loads(mitigation.value) if mitigation.value is not None else None,
            "factor": float(mitigation.factor) if mitigation.factor is not None else None,
            "until": mitigation.until,
        }
        for mitigation in standing.values()
    ]
    return orjson.dumps({"mitigations": shown}, option=orjson.OPT_INDENT_2) + b"\n"


def finish(
    ledger: Ledger, _world: World, state: SystemState, operation: UUID, origin: Origin
) -> tuple[bool, str]:
    """A mitigation is told, whoever has died: it reduces exposure. One whose time is over is lifted."""
    intent = operation_of(state, operation, MitigateOperation).intent
    tell(ledger, state.system, origin)
    if intent.key in mitigations.in_force(ledger.load(state.system), ledger.recorder.clock.now()):
        return True, f"{intent.key} is in force until {intent.until}"
    return False, f"{intent.key} was begun, and its time is over"
