"""Mode switches: intent, outcome, refusal."""

from __future__ import annotations

from ledger.domain.log.event import Count, Event, ModeName, Part, PauseKindName


class Attempt(Part):
    """What one actuator answered."""

    actuator: str
    outcome: str
    detail: str = ""
    took_ms: Count | None = None
    """How long its answer took."""


class ModeSwitchRequested(Event):
    """The intent, appended before the world is touched (I5)."""

    from_mode: ModeName | None = None
    """Absent: never switched before, or unknown to whoever acted without the ledger."""
    from_kind: PauseKindName | None = None
    to_mode: ModeName
    to_kind: PauseKindName | None = None
    actuators: tuple[str, ...]
    break_glass: str | None = None
    """The waiver by which it passed the guards of the mode."""


class ModeSwitched(Event):
    """The world confirmed the mode."""

    from_mode: ModeName | None = None
    from_kind: PauseKindName | None = None
    to_mode: ModeName
    to_kind: PauseKindName | None = None
    carried_by: str
    """The actuator that took it; "nothing" when the system has none."""
    attempts: tuple[Attempt, ...] = ()
    took_ms: Count = 0


class ModeSwitchRejected(Event):
    """The rules refused the switch; nothing was touched."""

    from_mode: ModeName | None = None
    from_kind: PauseKindName | None = None
    to_mode: ModeName
    to_kind: PauseKindName | None = None
    explanation: str


class ModeReasonGiven(Event):
    """Somebody said why it is in this mode, once it was: a pause waits for no reason. It is the event's."""

    mode: ModeName
    kind: PauseKindName | None = None


class ModeSwitchUnconfirmed(Event):
    """It was carried out, or tried, but the world did not confirm it in time."""

    to_mode: ModeName
    to_kind: PauseKindName | None = None
    attempts: tuple[Attempt, ...]
    explanation: str
    waited_ms: Count


class ModeSwitchAbandoned(Event):
    """The switch was begun and given up: undone, not done, or overtaken; the explanation says which."""

    to_mode: ModeName
    to_kind: PauseKindName | None = None
    explanation: str
