"""The auditor: he reads the log, the spool and the files after every step, and keeps books of his own.

He shares no code with what he audits, and knows only the promises (ARCHITECTURE.md).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.simulation.world import World

RANK: Final[dict[tuple[str, str | None] | None, int]] = {
    ("paused", "drain"): 0, ("paused", "halt"): 1, ("paused", "reduce_only"): 2,
    ("mock", None): 3, ("real", None): 4, None: 5,
}  # fmt: skip
BEGINS: Final = {"ModeSwitchRequested", "ConfigApplyRequested", "RollbackRequested"}
ENDS: Final = {
    "ModeSwitched", "ModeSwitchUnconfirmed", "ModeSwitchAbandoned", "ConfigApplyFailed",
    "RollbackCompleted", "RollbackAbandoned",
}  # fmt: skip
OF_RULES: Final = BEGINS - {"ConfigApplyRequested"} | ENDS | {
    "ConfigApplied", "ConfigRegistered", "FingerprintQuarantined", "RollbackStepCompleted",
    "MitigationRequested", "MitigationApplied", "MitigationFailed", "IncidentOpened",
    "IncidentMitigated",
}  # fmt: skip
PAUSES: Final = {"LoadHigh", "LatencyHigh"}
LATE: Final = timedelta(seconds=45)
"""Three intervals: a gap that a late round explains."""


@dataclass
class Seen:
    """One event, from the log or from the spool."""

    id: str
    type: str
    at: datetime
    data: dict[str, Any]
    actor: str
    who: str
    operation: str | None
    late: bool


@dataclass
class Guard:
    """What one rule has seen, by the stopwatch."""

    name: str
    metric: str
    above: float
    needs: float
    state: str = "idle"
    held: float = 0.0
    unsure: bool = False

    def look(self, gap: float | None, value: float | None, actual: list[str], *, saw_before: bool,
             whole: bool) -> None:  # fmt: skip
        """Check what came of one look. ``gap`` is the time since the one before."""
        regular = gap is not None and 0 <= gap <= LATE.total_seconds() and saw_before
        if self.state == "pending" and regular:
            self.held += gap or 0.0
        expected = self._expected(value)
        if not self.unsure:
            allowed = [expected] if whole else [expected, []]
            assert actual in allowed, (
                f"{self.name} was {self.state} for {self.held} s of {self.needs}, saw {value}: "
                f"{actual}, not {expected}"
            )
        if not whole and not (regular and value is not None):
            self.unsure = True  # what was not recorded does not count, and can't be told from here
        elif whole and self.state != "pending":
            self.unsure = False
        for type_ in actual:
            self.became(type_)

    def _expected(self, value: float | None) -> list[str]:
        if value is None:
            return []
        holds = value > self.above
        if self.state == "idle":
            return ([] if self.needs else ["AlertFired"]) or ["AlertPending"] if holds else []
        if not holds:
            return ["AlertResolved"]
        return ["AlertFired"] if self.state == "pending" and self.held >= self.needs else []

    def became(self, type_: str) -> None:
        """Take down what the log says."""
        self.state = {"AlertPending": "pending", "AlertFired": "firing"}.get(type_, "idle")
        self.held = 0.0
        self.unsure = False


@dataclass
class Auditor:
    """Looks at everything after every step."""

    world: World
    seen: set[str] = field(default_factory=set)
    begun: dict[str, Seen] = field(default_factory=dict)
    ended: Counter[str] = field(default_factory=Counter)
    mode: str | None = None
    mode_at: datetime | None = None
    in_force: str | None = None
    applied_at: datetime | None = None
    stable: dict[str, datetime] = field(default_factory=dict)
    """In the order in which they were vouched for."""
    quarantined: set[str] = field(default_factory=set)
    fired: dict[str, int] = field(default_factory=dict)
    """By alert, how much was on record when it fired."""
    last_human: int = 0
    """How much was on record when a person last decided something."""
    count: int = 0
    incidents: dict[str, str | None] = field(default_factory=dict)
    twins: bool = False
    """Whether a watch began without the log, which may have had more than this machine knew."""
    preflight: Seen | None = None
    request: Seen | None = None
    grants: set[str] = field(default_factory=set)
    asker: str = ""
    samples: list[tuple[datetime, dict[str, float]]] = field(default_factory=list)
    began: datetime | None = None
    """When the process that watches began, by its clock."""
    read: int = 0
    """How many samples were on record by then."""
    caught_up: bool = False
    """Whether the process that looks has read, since it began, what the log holds."""
    looked: datetime | None = None
    had_data: dict[str, bool] = field(default_factory=dict)
    edited_by_hand: bool = False
    set_back: bool = False
    drift: bool = False
    before: int = 5
    guards: list[Guard] = field(
        default_factory=lambda: [
            Guard("EceHigh", "ece", 0.1, 120), Guard("LoadHigh", "load", 1, 45),
            Guard("LatencyHigh", "latency", 500, 0), Guard("LatencyOdd", "latency", 300, 0),
        ]
    )  # fmt: skip

    # --- around a step ---

    def open(self) -> None:
        """Note how things stand before a step."""
        self.before = RANK[self.world.mode()]

    def close(self, step: str, *, whole: bool) -> list[Seen]:
        """Look at what a step did. ``whole``: its process lived to the end of it."""
        fresh = self._fresh()
        alerts: dict[str, list[str]] = {}
        for event in fresh:
            self._note(event)
            if event.type in {"AlertPending", "AlertFired", "AlertResolved"}:
                alerts.setdefault(event.data["alert"], []).append(event.type)
        self._exposure(step)
        looks = [e for e in fresh if e.type == "MetricsRecorded" and _is_round(e)]
        if step == "watch" and looks:
            self._looked(looks[-1].at, fresh, alerts, whole=whole)
        elif step != "watch":
            for guard in self.guards:
                for type_ in alerts.get(guard.name, []):
                    guard.became(type_)
        if step == "watch" and whole:
            self._protected(alerts, fresh)
        assert not [op for op, times in self.ended.items() if times > 1], (
            "ended more than once (I12)"
        )
        self.twins = self.twins and not (step == "watch" and whole and not self.world.store.away)
        open_ = [alert for alert in self.incidents.values() if alert]
        assert self.twins or len(open_) == len(set(open_)), f"two incidents of one alert: {open_}"
        return fresh

    def _fresh(self) -> list[Seen]:
        found = [
            Seen(
                str(e.event_id), e.type, e.occurred_at, dict(e.data), e.actor.kind.value, e.actor.id,
                str(e.operation) if e.operation else None, bool(e.decoded.get("spooled")),
            )
            for e in self.world.store.log[self.count :]
        ]  # fmt: skip
        self.count = len(self.world.store.log)
        for line in self.world.spooled():
            body = json.loads(line["body"])
            moment = datetime.fromisoformat(line["occurred_at"])
            actor = body["actor"]
            found.append(
                Seen(line["event_id"], line["type"], moment, body["data"], actor["kind"],
                     actor["id"], body.get("operation"), late=True)
            )  # fmt: skip
        fresh = [event for event in found if event.id not in self.seen]
        self.seen |= {event.id for event in fresh}
        return fresh

    # --- what the log says ---

    def _note(self, event: Seen) -> None:
        data = event.data
        if event.actor == "rule":
            assert event.type in OF_RULES, f"a rule did {event.type} (I9)"
        if event.type in BEGINS:
            self._begins(event)
        if event.type in ENDS or (event.type == "ConfigApplied" and data["cause"] == "apply"):
            self.ended[str(event.operation)] += 1
        if event.type == "AlertFired":
            self.fired[data["alert"]] = len(self.seen)
        note = getattr(self, f"_note_{event.type}", None)
        if note is not None:
            note(event)

    def _begins(self, event: Seen) -> None:
        self.begun[str(event.operation)] = event
        if event.type == "RollbackRequested" and event.data["selector"] == "--last-stable":
            self._last_stable(event)
        if event.actor == "rule":
            if event.type == "ModeSwitchRequested":
                assert event.data["to_mode"] == "paused", "a rule only pauses (I9)"
            fired = self.fired[event.who.removeprefix("rule:")]
            # Without the ledger it can't be known what people have decided elsewhere.
            assert event.late or fired > self.last_human, "a rule overrode a later decision (I9)"
        if event.actor == "human" and not event.late:
            self.last_human = len(self.seen)

    def _last_stable(self, event: Seen) -> None:
        """I10: newest vouched for, not in quarantine, not the one being left."""
        if event.late:
            assert event.data["to_fingerprint"] in self.stable
            return
        candidates = [
            name
            for name in self.stable
            if name not in self.quarantined
            and not (name == self.in_force == event.data.get("from_fingerprint"))
        ]
        assert candidates, "rolled back to nothing that is stable (I10)"
        assert event.data["to_fingerprint"] == candidates[-1], "not the last stable one (I10)"

    def _note_ModeSwitched(self, event: Seen) -> None:  # noqa: N802 -- named after the event
        if event.late and self.mode_at is not None and event.at < self.mode_at:
            return
        to = event.data["to_mode"]
        if to == "real":
            assert self.mode in {"mock", "real"}, f"{self.mode} went straight to real"
        self.mode, self.mode_at = to, event.at
        self.edited_by_hand = self.set_back = self.drift = False

    def _note_DriftDetected(self, event: Seen) -> None:  # noqa: N802 -- named after the event
        self.drift = self.drift or event.data["subject"] == "mode"

    def _note_DriftCleared(self, event: Seen) -> None:  # noqa: N802 -- named after the event
        self.drift = self.drift and event.data["subject"] != "mode"

    def _note_ConfigApplied(self, event: Seen) -> None:  # noqa: N802 -- named after the event
        if event.late and self.applied_at is not None and event.at < self.applied_at:
            return
        self.in_force, self.applied_at = event.data["fingerprint"], event.at

    def _note_FingerprintMarkedStable(self, event: Seen) -> None:  # noqa: N802 -- named after the event
        name = event.data["fingerprint"]
        self.stable.pop(name, None)
        self.stable[name] = event.at
        self.quarantined.discard(name)

    def _note_FingerprintQuarantined(self, event: Seen) -> None:  # noqa: N802 -- named after the event
        name = event.data["fingerprint"]
        if not (event.late and name in self.stable and event.at < self.stable[name]):
            self.quarantined.add(name)

    def _note_IncidentOpened(self, event: Seen) -> None:  # noqa: N802 -- named after the event
        self.incidents[event.data["incident"]] = event.data.get("alert")

    def _note_IncidentResolved(self, event: Seen) -> None:  # noqa: N802 -- named after the event
        self.incidents.pop(event.data["incident"], None)

    def _note_PreflightCompleted(self, event: Seen) -> None:  # noqa: N802 -- named after the event
        good = json.loads((self.world.folder / "evidence.json").read_text())["sharpe"] >= 0.2
        assert event.data["verdict"] == ("GO" if good else "NO_GO"), (
            "the verdict is not the evidence (I8)"
        )
        self.preflight = event

    def _note_ApprovalRequested(self, event: Seen) -> None:  # noqa: N802 -- named after the event
        self.request, self.grants = event, set()

    def _note_ApprovalGranted(self, event: Seen) -> None:  # noqa: N802 -- named after the event
        self.grants.add(event.data["role"])

    # --- what must be so ---

    def _exposure(self, step: str) -> None:
        """I9, I8: what a step may raise, and what for."""
        after = RANK[self.world.mode()]
        if after <= self.before or step == "hand":
            return
        if step == "pause":
            assert after <= RANK["paused", "reduce_only"]
            return
        assert step in {"switch", "resume", "live"}, (
            f"{step} raised exposure from {self.before} to {after} (I9)"
        )
        if after < RANK["real", None]:
            return
        now, go, asked = self.world.clock.now(), self.preflight, self.request
        assert go is not None, "real without a preflight (I8)"
        assert go.data["verdict"] == "GO", "real without a GO (I8)"
        assert timedelta(0) <= now - go.at <= timedelta(minutes=10), "real on an old GO (I8)"
        assert go.data.get("fingerprint") == self.in_force, (
            "real on the GO of another configuration"
        )
        assert asked is not None, "real, and nobody asked"
        assert self.grants, "real without an approval"
        assert asked.data.get("fingerprint") == self.in_force, "approved for another configuration"
        assert now < asked.at + timedelta(hours=1), "real on an approval that has expired"

    def _value(self, metric: str, at: datetime) -> float | None:
        newest: tuple[datetime, float] | None = None
        for number, (taken, values) in enumerate(self.samples):
            if number < self.read and not self.caught_up and taken > (self.began or taken):
                continue  # the process that looks has not read it: the log has not answered since it began
            fits = at - timedelta(seconds=10) < taken <= at and metric in values
            if fits and (newest is None or taken >= newest[0]):
                newest = taken, values[metric]
        return newest[1] if newest is not None else None

    def _looked(
        self, at: datetime, fresh: list[Seen], alerts: dict[str, list[str]], *, whole: bool
    ) -> None:
        """I14: alerts begin, fire and end exactly when the stopwatch says."""
        for event in fresh:
            if event.type == "MetricsRecorded":
                values = {s["metric"]: float(s["value"]) for s in event.data["samples"]}
                self.samples.append((event.at, values))
        self.caught_up = self.caught_up or not self.world.store.away
        gap = (at - self.looked).total_seconds() if self.looked is not None else None
        for guard in self.guards:
            value = self._value(guard.metric, at)
            saw = self.had_data.get(guard.metric, False)
            if gap is not None and gap < 0 and not (saw and value is not None):
                guard.unsure = guard.state == "pending"
            guard.look(gap, value, alerts.get(guard.name, []), saw_before=saw, whole=whole)
        for guard in self.guards:
            self.had_data[guard.metric] = self._value(guard.metric, at) is not None
        self.looked = at

    def begins(self) -> None:
        """A process begins to watch. One without the log does not know what came last."""
        self.began, self.read = self.world.clock.now(), len(self.samples)
        self.caught_up = False
        if not self.world.store.away:
            return
        self.began = datetime.min.replace(tzinfo=UTC)  # it can't read what was measured before
        self.twins = True
        for guard in self.guards:
            guard.unsure = True

    def _protected(self, alerts: dict[str, list[str]], fresh: list[Seen]) -> None:
        """A rule that fired has acted, unless a person has decided since or holds it."""
        acted = {e.data["alert"] for e in fresh if e.type == "AlertActionTaken"}
        for name in PAUSES & acted:
            if "AlertFired" in alerts.get(name, []):
                assert RANK[self.world.mode()] <= RANK["paused", "reduce_only"], (
                    f"{name} did not pause"
                )

    def recovered(self) -> None:
        """I12: nothing is in flight, and world and ledger agree, or the drift is on record."""
        left = [op for op in self.begun if not self.ended[op]]
        assert not left, f"begun and never ended: {[self.begun[op].type for op in left]} (I12)"
        told = self.world.mode()
        if told is None or self.mode is None or told[0] == self.mode:
            return
        differs = f"the world is in {told}, the ledger says {self.mode}"
        # What was journalled under a clock that was set back looks older than what the log has.
        assert self.edited_by_hand or self.set_back, differs
        assert self.drift, f"{differs}, and nobody said so"


def _is_round(event: Seen) -> bool:
    return any(sample["metric"] == "rollout_watch_up" for sample in event.data["samples"])
