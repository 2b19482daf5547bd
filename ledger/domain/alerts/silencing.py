"""Which silence an alert is under: nobody is told of it then, and perhaps no rule acts on it. Pure."""

from __future__ import annotations

from datetime import datetime

from ledger.domain.state import SystemState
from ledger.domain.values.moments import iso


def labels_of(state: SystemState, alert: str) -> dict[str, str]:
    """Return what matchers are put to: the labels of an alert that fires or is pending, and what it is."""
    unresolved = state.alerts.get(alert) or state.pending.get(alert)
    if unresolved is None:
        return {"alertname": alert, "severity": "", "system": state.system}
    return {
        **unresolved.labels, "alertname": unresolved.rule_name or alert,
        "severity": unresolved.severity, "system": state.system,
    }  # fmt: skip


def silenced_by(
    state: SystemState, alert: str, now: datetime, *, actions: bool = False
) -> str | None:
    """Return the silence that ``alert`` is under at ``now``; with ``actions``: one that holds those too."""
    labels = labels_of(state, alert)
    for name, silence in state.silences.items():
        if silence.until <= iso(now) or (actions and not silence.holds_actions):
            continue
        if all(
            value in ({alert, labels["alertname"]} if label == "alert" else {labels.get(label)})
            for label, value in silence.matchers.items()
        ):
            return name
    return None
