"""The state of one system, as folding its control stream gives it (`ledger.domain.evolve`). Pure data.

It holds what decisions need, and what `rollout status`, `at` and `recover` show. Everything nested is
JSON-ready, because a snapshot of the state is kept every few hundred events (a cache that can be
thrown away: folding from the first event gives the same).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = Mapping[str, Any]


def iso(moment: datetime) -> str:
    """Return ``moment`` as UTC text of fixed width, so that text order is time order."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True)
class SystemState:
    """One system as of a revision of its control stream. ``registration`` is None: never registered."""

    system: str
    revision: int = 0
    position: int = 0
    registration: Json | None = None
    """environment, description, actuators: as in SystemRegistered."""
    mode: str | None = None
    """None: never switched."""
    pause_kind: str | None = None
    mode_since: str | None = None
    mode_by: str | None = None
    mode_reason: str | None = None
    mode_position: int = 0
    unconfirmed: Json | None = None
    """The last switch, where the world was not seen to be in its mode: to, detail, at, actor, position."""
    fingerprint: str | None = None
    """The configuration in force, as far as the ledger knows."""
    snapshot: str | None = None
    applied_at: str | None = None
    applied_cause: str | None = None
    code: str | None = None
    """The commit that the system's code stood at when that was last recorded; None: never."""
    codes: Mapping[str, str] = field(default_factory=dict)
    """commit -> when the code was last recorded to stand there."""
    left: str | None = None
    """The fingerprint that was in force before."""
    configs: Mapping[str, Json] = field(default_factory=dict)
    """fingerprint -> snapshots {id: files}, last_snapshot, registered_at, stable and quarantined (position
    or None), stable_at, applied (was it ever in force)."""
    tags: Mapping[str, str] = field(default_factory=dict)
    operations: Mapping[str, Json] = field(default_factory=dict)
    """In flight: operation -> kind, position, at, actor, reason, steps done, the intent's data; and
    overtaken, where somebody has decided otherwise since: then it must not be carried out any more."""
    alerts: Mapping[str, Json] = field(default_factory=dict)
    """Firing: alert -> severity, message, since, acknowledged_by, inhibited_by, labels, rule, clocks, acted,
    told {channel: ok, at, failures, times}."""
    ended: Mapping[str, Json] = field(default_factory=dict)
    """No longer firing: key -> alert, how, at, severity, channels (told that it fires, not that it is over),
    failed. Of those whose channels are none, the newest few."""
    incidents: Mapping[str, Json] = field(default_factory=dict)
    """Not closed: incident -> status, title, severity, opened_at, alert."""
    drift: Mapping[str, Json] = field(default_factory=dict)
    """Not cleared: "mode"/"config"/"code" -> expected, found, changes, since."""
    human_position: int = 0
    """Where a person last decided on the mode or the configuration: no rule overrides that (I9)."""
    profile: Json | None = None
    """The plan in force: name, fingerprint (of the blob that holds it), at, by, phases, guards."""
    phase: Json | None = None
    """name, since, status (progressing | held | aborted | completed), limits, scope; and where its overlay
    was put in force on the way forward: overlaid, and before, the configuration that it took the place of."""
    phases_done: Mapping[str, Json] = field(default_factory=dict)
    """Left forward: phase -> entered, left, by."""
    preflight: Json | None = None
    """The last one: verdict, at, position, fingerprint, profile, failed, waivers."""
    gates: Mapping[str, Json] = field(default_factory=dict)
    """phase -> the last evaluation of its exit gate: verdict, at, position, counts, waivers."""
    waivers: Mapping[str, Json] = field(default_factory=dict)
    """Not revoked, perhaps expired: waiver -> subject, until, by, reason, break_glass."""
    approvals: Mapping[str, Json] = field(default_factory=dict)
    """The last request on each subject: request -> subject, roles, granted, status, expires_at."""
    pending: Mapping[str, Json] = field(default_factory=dict)
    """Alerts whose condition holds, not yet for long enough: alert -> rule, labels, active_since."""
    no_data: Mapping[str, str] = field(default_factory=dict)
    """Alerts, and whole rules, that have no data: since when. Their clocks stand still (I8)."""
    silences: Mapping[str, Json] = field(default_factory=dict)
    """Not lifted, perhaps expired: silence -> matchers, until, by, holds_actions."""
    rule_actions: Mapping[str, Json] = field(default_factory=dict)
    """rule -> what it last did, and when: for cooldowns."""
    failing: Mapping[str, Json] = field(default_factory=dict)
    """Rules and sources that can't be evaluated: name -> explanation, since."""
    mitigations: Mapping[str, Json] = field(default_factory=dict)
    """In force or under way: key -> the intent, status (requested | applied), at, by."""
    run: Json | None = None
    """The last supervised run: run, pid, host, since, status (running | stopped | crashed)."""
    watch: Json | None = None
    """Who watches: host, pid, since."""
    last_alert_at: Mapping[str, str] = field(default_factory=dict)
    """severity -> when an alert that bad, or worse, last fired or last ended."""
    last_crash_at: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON-ready data; `from_json` takes it back."""
        return asdict(self)

    @staticmethod
    def from_json(data: Json) -> SystemState:
        """Return the state that `to_json` was called on."""
        return SystemState(**data)


def replace(state: SystemState, **changes: Any) -> SystemState:
    """`dataclasses.replace` for a state, at a fifth of the cost: a rebuild does it half a million times."""
    changed = object.__new__(SystemState)
    changed.__dict__.update(state.__dict__, **changes)
    return changed
