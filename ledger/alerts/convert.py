"""Rule files of another kind, made into ours: id, query (metric, operator, value, window), actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import Field

from ledger.configuration.strict import Strict, read_model
from ledger.domain.values.severities import SEVERITIES

ACTIONS: Final = {"stop_trading": "pause", "webhook": "notify", "log": "record"}
RANK: Final = ("record", "notify", "pause")


class _Query(Strict):
    metric: Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")]
    operator: Literal["==", "!=", ">", "<", ">=", "<="]
    value: bool | int | float | str
    window_seconds: Annotated[int, Field(ge=0)] = 0


class _Action(Strict):
    type: str
    url: str | None = None


class _Rule(Strict):
    id: str
    name: str = ""
    description: str = ""
    enabled: bool = True
    severity: str = "INFO"
    query: _Query
    cooldown_seconds: Annotated[int, Field(ge=0)] = 0
    actions: tuple[_Action, ...] = ()
    message: str = ""


class _File(Strict):
    rules: tuple[_Rule, ...]
    webhook: dict[str, Any] = {}
    state_file: str = ""
    events_file: str = ""
    evaluation_interval_seconds: int = 15
    retention_days: int | None = None


@dataclass(frozen=True, slots=True)
class Converted:
    """The rule file, as YAML, and what could not be carried over."""

    text: str
    rules: int
    left: tuple[str, ...]


def convert(content: bytes, name: str) -> Converted:
    """Return ``content`` as a rule file of ours. Where a webhook leads is left to the profile's channels.

    Raises:
        BadInput: it is no file of that kind: file, line and key.
    """
    written = read_model(content, name, _File)
    left: list[str] = []
    rules = [_rule(rule, left) for rule in written.rules if rule.enabled]
    left += [
        f"{rule.id} is switched off, and was left out" for rule in written.rules if not rule.enabled
    ]
    if written.webhook:
        left.append(
            "webhook: make it a channel of the profile (notify:), with its URL as ${VARIABLE}"
        )
    for key in ("state_file", "events_file", "retention_days"):
        if getattr(written, key):
            left.append(f"{key}: the ledger keeps alerts and their states itself")
    group = {
        "name": "converted",
        "interval": f"{written.evaluation_interval_seconds}s",
        "rules": rules,
    }
    text = yaml.safe_dump({"groups": [group]}, sort_keys=False, allow_unicode=True, width=100)
    return Converted(text, len(rules), tuple(left))


def _rule(rule: _Rule, left: list[str]) -> dict[str, Any]:
    names = [ACTIONS[action.type] for action in rule.actions if action.type in ACTIONS]
    left.extend(
        f"{rule.id}: the action {action.type} is not known here"
        for action in rule.actions
        if action.type not in ACTIONS
    )
    annotations = {"summary": rule.message or rule.description or rule.name}
    annotations["rollout_action"] = max(names, key=RANK.index, default="record")
    if rule.cooldown_seconds:
        annotations["rollout_cooldown"] = f"{rule.cooldown_seconds}s"
    made: dict[str, Any] = {"alert": rule.id, "expr": _expression(rule.query, rule.id, left)}
    if rule.query.window_seconds:
        made["for"] = f"{rule.query.window_seconds}s"
    severity = SEVERITIES.get(rule.severity.lower())
    if severity is None:
        severity = "warning"
        left.append(
            f"{rule.id}: the severity {rule.severity} is not known here: it is a warning now"
        )
    return {**made, "labels": {"severity": severity}, "annotations": annotations}


def _expression(query: _Query, rule: str, left: list[str]) -> str:
    value = query.value
    if isinstance(value, bool):
        return f"{query.metric} {query.operator} {int(value)}"
    if isinstance(value, str):
        # A text is a label of a series that is 1: circuit_breaker_state{state="OPEN"} 1
        left.append(
            f'{rule}: export {query.metric}{{state="{value}"}} as 1 while that is so, 0 otherwise'
        )
        wanted = 1 if query.operator == "==" else 0
        return f'{query.metric}{{state="{value}"}} == {wanted}'
    return f"{query.metric} {query.operator} {value}"
