"""What alerts and rules are called: by their name and their labels, which tell them apart. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ledger.domain.alerts.state import Alert, EndedAlert, PendingAlert


def key_of(name: str, labels: Iterable[tuple[str, str]]) -> str:
    """Return what an alert, or a rule, is called: ``Name`` or ``Name{slice="tokyo"}``."""
    shown = ",".join(f'{label}="{value}"' for label, value in sorted(labels))
    return f"{name}{{{shown}}}" if shown else name


def made_by(alert: Alert | PendingAlert | EndedAlert) -> tuple[str, Mapping[str, str] | None]:
    """Return the rule that an alert of a state comes from: its name, and the labels that it gives.

    Nothing: no rule raised it. None as labels: what recorded it told rules apart by their name.
    """
    if isinstance(alert, PendingAlert):
        return alert.rule, alert.rule_labels
    return (alert.rule.name, alert.rule.labels) if alert.rule is not None else ("", None)


def rule_of(alert: Alert | PendingAlert | EndedAlert) -> str:
    """Return what the rule is called that an alert of a state comes from."""
    name, labels = made_by(alert)
    return key_of(name, (labels or {}).items())


def kill_name(phase: str, name: str) -> str:
    """Return what the rule of a phase's kill criterion is called."""
    return f"kill:{phase}/{name}"


def is_of_another_phase(rule: str, phase: str | None) -> bool:
    """Tell whether a rule is a kill criterion of another phase than this one: it counts in its own only."""
    return rule.startswith("kill:") and not rule.startswith(kill_name(phase or "", ""))
