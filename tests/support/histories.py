"""Histories for the read models: what may stand in a log, in any order that a log allows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from ledger.domain.log import canonical
from ledger.domain.log.envelope import NewEvent
from ledger.domain.log.ids import control_stream, metrics_stream, uuid7
from tests.support.builders import NOON

FINGERPRINTS = [f"sha256:{digit * 64}" for digit in "abc"]
ACTORS = [
    {"id": "li.wei@desk", "name": "li.wei", "kind": "human"},
    {"id": "platt_ece", "name": "platt_ece", "kind": "rule"},
]
OPERATIONS = [str(UUID(int=number)) for number in range(2)]
FILES = [{"name": "config.yaml", "path": "/srv/config.yaml"}]


def happened(
    system: str,
    type_: str,
    data: Mapping[str, Any],
    *,
    at: datetime = NOON,
    stream: str | None = None,
    **envelope: Any,
) -> NewEvent:
    """Return an event of a system's control stream (or another ``stream``), ready to append."""
    body = {"actor": ACTORS[0], "channel": "cli", "data": dict(data), "system": system, **envelope}
    return NewEvent(
        event_id=uuid7(),
        stream=stream or control_stream(system),
        type=type_,
        schema_version=1,
        occurred_at=at,
        body=canonical.encode(body),
    )


REGISTERED = happened(
    "bot", "SystemRegistered", {"environment": "production", "description": "", "actuators": {}}
)


def metrics(system: str, at: datetime, **values: str) -> NewEvent:
    """Return a record of metrics."""
    samples = [{"metric": name, "value": value} for name, value in values.items()]
    return happened(
        system, "MetricsRecorded", {"samples": samples}, at=at, stream=metrics_stream(system)
    )


fingerprint = st.sampled_from(FINGERPRINTS)
name = st.sampled_from(["one", "one", "one", "two"])
severity = st.sampled_from(["critical", "warning"])
mode = st.sampled_from(["mock", "real", "paused"])
text = st.sampled_from(["", "as planned", "tab\tand\\backslash", "换挡 → real", "a NUL: \0"])
snapshot = st.sampled_from(["1" * 64, "2" * 64])
changes = st.lists(
    st.builds(
        lambda key, old, new: {"key": key, "old": old, "new": new},
        st.sampled_from(["risk.max", "risk.min", "grid"]),
        st.sampled_from(["1", "2"]),
        st.sampled_from(["2", "3"]),
    ),
    max_size=3,
    unique_by=lambda change: change["key"],
)


def _fixed(**fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            key: value if isinstance(value, st.SearchStrategy) else st.just(value)
            for key, value in fields.items()
        }
    )


DATA: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "SystemRegistered": _fixed(environment="production", description="", actuators={}),
    "ModeSwitchRequested": _fixed(from_mode=mode, to_mode=mode, actuators=["control_file"]),
    "ModeSwitched": _fixed(from_mode=mode, to_mode=mode, carried_by="control_file", took_ms=3),
    "ModeSwitchRejected": _fixed(from_mode=mode, to_mode=mode, explanation=text),
    "ModeSwitchUnconfirmed": _fixed(to_mode=mode, attempts=[], explanation=text, waited_ms=5000),
    "ModeSwitchAbandoned": _fixed(to_mode=mode, explanation=text),
    "ConfigRegistered": _fixed(fingerprint=fingerprint, snapshot=snapshot, files=[], source=text),
    "ConfigApplyRequested": _fixed(fingerprint=fingerprint, snapshot=snapshot, files=FILES),
    "ConfigApplied": _fixed(
        fingerprint=fingerprint,
        snapshot=snapshot,
        cause=st.sampled_from(["apply", "rollback", "import"]),
        changes=changes,
    ),
    "ConfigApplyFailed": _fixed(fingerprint=fingerprint, explanation=text),
    "FingerprintTagged": _fixed(fingerprint=fingerprint, tag=name),
    "FingerprintMarkedStable": _fixed(fingerprint=fingerprint),
    "FingerprintQuarantined": _fixed(fingerprint=fingerprint),
    "RollbackRequested": _fixed(
        to_fingerprint=fingerprint, snapshot=snapshot, selector="--last-stable", files=FILES
    ),
    "RollbackStepCompleted": _fixed(step=1, name="config.yaml", path="/srv/c", outcome="written"),
    "RollbackCompleted": _fixed(to_fingerprint=fingerprint),
    "RollbackFailed": _fixed(step=1, explanation=text),
    "RollbackAbandoned": _fixed(explanation=text),
    "DriftDetected": _fixed(subject="mode", expected="real", found="paused"),
    "DriftCleared": _fixed(subject="mode"),
    "AlertFired": _fixed(alert=name, severity=severity, message=text),
    "AlertAcknowledged": _fixed(alert=name),
    "AlertResolved": _fixed(alert=name, how="manual"),
    "IncidentOpened": _fixed(incident=name, title=text, severity=severity, alert=name),
    "IncidentNoted": _fixed(incident=name, note=text),
    "IncidentAcknowledged": _fixed(incident=name),
    "IncidentMitigated": _fixed(incident=name, action=text),
    "IncidentResolved": _fixed(incident=name),
    "IncidentClosed": _fixed(incident=name),
    "SomethingOfTomorrow": _fixed(whatever=text),
    "MetricsRecorded": _fixed(
        samples=st.lists(
            _fixed(
                metric=st.sampled_from(["latency", "fills"]),
                value=st.sampled_from(["1", "2.5", "1e400", "NaN"]),
            ),
            min_size=1,
            max_size=2,
        )
    ),
}

# What is about one and the same thing has to meet for anything to come of it.
OFTEN = [
    "IncidentOpened", "IncidentMitigated", "IncidentClosed", "AlertFired", "AlertResolved", "MetricsRecorded",
    "ModeSwitchRequested", "ModeSwitched", "ConfigApplied", "FingerprintTagged",
]  # fmt: skip


@st.composite
def some_event(draw: st.DrawFn, systems: list[str]) -> NewEvent:
    """Draw an event: most of them make little sense, which a fold has to bear (it is in the log)."""
    type_ = draw(st.sampled_from([*DATA, *OFTEN * 5]))
    system = draw(st.sampled_from(systems))
    late = draw(st.sampled_from([{}, {}, {"backfilled": True}, {"spooled": True}]))
    optional: dict[str, Any] = {**late, "actor": draw(st.sampled_from(ACTORS))}
    if draw(st.booleans()):
        optional["operation"] = f"{system}-{draw(st.sampled_from(OPERATIONS))}"
    if reason := draw(text):
        optional["reason"] = reason
    at = NOON + timedelta(seconds=draw(st.integers(-700, 700)))
    stream = metrics_stream(system) if type_ == "MetricsRecorded" else None
    return happened(system, type_, draw(DATA[type_]), at=at, stream=stream, **optional)


def history(systems: list[str], *, least: int, most: int) -> st.SearchStrategy[list[NewEvent]]:
    """Return a strategy for ``least`` to ``most`` events of ``systems``."""
    return st.lists(some_event(systems), min_size=least, max_size=most)
