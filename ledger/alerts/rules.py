"""Rule files: valid Prometheus rule files, whose annotations say what the ledger does about an alert.

Ours live in annotations, not in labels: labels are an alert's identity, and Prometheus refuses unknown
keys. docs/rules.md lists them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from ledger.alerts.promql import Expression, compile_expression
from ledger.alerts.series import Labels
from ledger.configuration.loader import parse
from ledger.configuration.source import Source, decode
from ledger.configuration.strict import Strict, fit, line_of
from ledger.domain.alerts.naming import key_of, made_by
from ledger.domain.alerts.state import Alert, EndedAlert, PendingAlert
from ledger.domain.errors import BadInput
from ledger.domain.values.alert_actions import ACTING, ACTIONS, ActionName
from ledger.domain.values.durations import parse_duration
from ledger.domain.values.severities import SEVERITIES
from ledger.domain.values.spelling import nearest

PREFIX: Final = "rollout_"


@dataclass(frozen=True, slots=True)
class Action:
    """What is done about an alert. It only ever reduces exposure (I9)."""

    name: ActionName = "notify"
    pause_kind: str = "halt"
    target: str = "last_stable"
    mitigation: str | None = None

    @property
    def acts(self) -> bool:
        """Whether it does more than to tell."""
        return self.name in ACTING

    @property
    def argument(self) -> str | None:
        """The kind of pause, the target of the rollback, the name of the mitigation."""
        return {"pause": self.pause_kind, "rollback": self.target, "mitigate": self.mitigation}.get(
            self.name
        )


@dataclass(frozen=True)
class AlertRule:
    """One alerting rule."""

    name: str
    expression: Expression
    for_: timedelta = timedelta(0)
    keep_firing_for: timedelta = timedelta(0)
    labels: tuple[tuple[str, str], ...] = ()
    summary: str = ""
    severity: str = "warning"
    severity_label: str = ""
    """The same, as it is written; empty: it is not."""
    action: Action = Action()
    no_data: Literal["hold", "fire", "resolve"] = "hold"
    no_data_for: timedelta = timedelta(minutes=2)
    min_samples: int = 1
    cooldown: timedelta = timedelta(0)
    applies_in: tuple[tuple[str, str], ...] = ()
    """(mode | phase | environment, value): all have to be so."""
    notify: tuple[str, ...] = ()
    runbook: str = ""
    annotations: tuple[tuple[str, str], ...] = ()
    """All of them, as they are written."""
    marked: bool = False
    """Whether another rule of this name could give an alert the same labels: then its key names the rule."""

    @property
    def key(self) -> str:
        """What the rule is called: by its name and its own labels."""
        return key_of(self.name, self.labels)

    def labelled(self, series: Labels) -> Labels:
        """Return the labels of an alert on ``series``: the rule's are laid over those of the series."""
        given = dict(series)
        own = {name: _filled(value, given) for name, value in self.labels}
        merged = {**given, **own}
        merged.pop("alertname", None)
        return tuple(sorted((name, value) for name, value in merged.items() if value))

    def key_for(self, labels: Labels) -> str:
        """Return what the alert with ``labels`` is called."""
        key = key_of(self.name, labels)
        return f"{key} by {key_of('rule', self.labels)}" if self.marked else key

    def made(self, alert: Alert | PendingAlert | EndedAlert) -> bool:
        """Tell whether ``alert``, firing or pending in a state, is this rule's."""
        name, labels = made_by(alert)
        if name != self.name:
            return False
        if labels is not None:
            return dict(labels) == dict(self.labels)
        # It was recorded by a version that went by the name alone.
        plain = {label: value for label, value in self.labels if "{{" not in value}
        return plain.items() <= alert.labels.items()


def owner(rules: Iterable[AlertRule], alert: Alert | PendingAlert | EndedAlert) -> AlertRule | None:
    """Return the rule that made ``alert``, if it is among ``rules``."""
    return next((rule for rule in rules if rule.made(alert)), None)


@dataclass(frozen=True)
class RecordingRule:
    """One recording rule: what it finds is a series of that name."""

    name: str
    expression: Expression
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """What the rule is called: by its name and its own labels."""
        return key_of(self.name, self.labels)

    def labelled(self, series: Labels) -> Labels:
        """Return the labels of what is recorded of ``series``."""
        merged = {**dict(series), **dict(self.labels)}
        return tuple(sorted((name, value) for name, value in merged.items() if value))


@dataclass(frozen=True)
class RuleFile:
    """A rule file, its groups laid end to end."""

    name: str
    rules: tuple[AlertRule, ...]
    recordings: tuple[RecordingRule, ...] = ()


class _Rule(Strict):
    alert: Annotated[str, Field(min_length=1)] | None = None
    record: Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")] | None = None
    expr: str | int | float
    for_: Annotated[str, Field(alias="for")] = "0s"
    keep_firing_for: str = "0s"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class _Group(Strict):
    name: Annotated[str, Field(min_length=1)]
    interval: str | None = None
    query_offset: str | None = None
    limit: int = 0
    partial_response_strategy: str | None = None
    labels: dict[str, str] = {}
    rules: tuple[_Rule, ...] = ()


class _File(Strict):
    groups: tuple[_Group, ...] = ()


def load_rules(content: bytes, name: str, *, adopted: bool = False) -> RuleFile:
    """Return the rules of a file.

    What was ``adopted`` by an earlier version, which refused less, is taken as it is: a watch must go on.

    Raises:
        BadInput: it is no rule file, or a rule can't be evaluated here: file, line and rule.
    """
    source = decode(name, content)
    written = fit(source, parse(source), _File)
    alerts: list[AlertRule] = []
    recordings: list[RecordingRule] = []
    for g, group in enumerate(written.groups):
        for r, rule in enumerate(group.rules):
            reader = _Reader(source, ("groups", g, "rules", r), rule, group.labels, adopted=adopted)
            if (rule.alert is None) == (rule.record is None):
                raise reader.refuse("a rule has either alert or record")
            if rule.record is not None:
                recordings.append(RecordingRule(rule.record, reader.expression(), reader.labels()))
            else:
                alerts.append(reader.alert())
    _require_different(source, alerts)
    return RuleFile(name, tell_apart(alerts), tuple(recordings))


def _require_different(source: Source, alerts: list[AlertRule]) -> None:
    seen: set[tuple[str, Labels, str]] = set()
    for rule in alerts:
        if rule_identity(rule) in seen:
            raise BadInput(
                f"{source.name}: there are two rules {rule.name} with the same labels.",
                hint="The labels tell alerts apart: give one of them another label, or another name.",
            )
        seen.add(rule_identity(rule))


def rule_identity(rule: AlertRule) -> tuple[str, Labels, str]:
    """Return what no two rules may have in common: name, labels and severity, which is one in Prometheus."""
    return (
        rule.name,
        tuple(pair for pair in rule.labels if pair[0] != "severity"),
        rule.severity_label,
    )


def tell_apart(rules: Iterable[AlertRule]) -> tuple[AlertRule, ...]:
    """Return ``rules``, those that their labels don't tell apart with what does.

    Severity is no part of an alert's identity here, until two rules differ by nothing else. Where one of
    two has a label that the other has not, a series may bring it: then an alert names its rule.
    """
    rules = tuple(rules)
    return tuple(_told_apart(rule, [r for r in rules if r.name == rule.name]) for rule in rules)


def _told_apart(rule: AlertRule, namesakes: Sequence[AlertRule]) -> AlertRule:
    unlike = [other for other in namesakes if other is not rule and _may_coincide(rule, other)]
    severity = rule.severity_label
    if severity and any(other.severity_label != severity for other in unlike):
        labels = tuple(sorted({**dict(rule.labels), "severity": severity}.items()))
        rule = replace(rule, labels=labels)
    same = any(other.severity_label == severity for other in unlike)
    return replace(rule, marked=True) if same else rule


def _may_coincide(one: AlertRule, other: AlertRule) -> bool:
    theirs = {label: value for label, value in other.labels if label != "severity"}
    return not any(
        label in theirs and theirs[label] != value and "{{" not in value + theirs[label]
        for label, value in one.labels
    )


_LABEL_TEMPLATE: Final = re.compile(r"{{\s*(?:\$labels|\.Labels)\.(\w+)\s*}}")


def _filled(value: str, series: Mapping[str, str]) -> str:
    """Return a label's value, filled in from the series as Prometheus does."""
    return _LABEL_TEMPLATE.sub(lambda match: series.get(match[1], ""), value)


class _Reader:
    """Reads one rule, and knows where it stands."""

    def __init__(
        self,
        source: Source,
        path: tuple[str | int, ...],
        rule: _Rule,
        group: Mapping[str, str],
        *,
        adopted: bool,
    ) -> None:
        self._rule = rule
        self._adopted = adopted
        self._group = group
        self.where = f"{source.name}, line {line_of(source, path)}, {rule.alert or rule.record}"

    def refuse(self, problem: str) -> BadInput:
        """Return the error that says what is wrong with the rule."""
        return BadInput(f"{self.where}: {problem}.")

    def expression(self) -> Expression:
        """Return the compiled expression."""
        return compile_expression(str(self._rule.expr), self.where)

    def labels(self) -> tuple[tuple[str, str], ...]:
        """Return the labels that the rule gives, those of the group under them."""
        given = {**self._group, **self._rule.labels}
        if not self._adopted:
            for label, value in given.items():
                self._require_fillable(label, value)
        return tuple(
            sorted((k, v) for k, v in given.items() if v and k not in {"severity", "alertname"})
        )

    def _require_fillable(self, label: str, value: str) -> None:
        """Raise unless Prometheus would fill in ``value`` as we do."""
        named = set(_LABEL_TEMPLATE.findall(value))
        rest = _LABEL_TEMPLATE.sub("", value)
        if "{{" not in rest and "}}" not in rest and "__name__" not in named:
            return
        why = (
            "a label that goes with the value makes another alert of each look"
            if "$value" in value or ".Value" in value
            else "of templates, a label may have {{ $labels.NAME }}"
        )
        raise self.refuse(f"the label {label} is {value!r}: {why}")

    def _severity(self) -> tuple[str, str]:
        """Return how bad an alert of the rule is, and how that is written.

        What says nothing is a warning: who is told of warnings is told of it.
        """
        written = {**self._group, **self._rule.labels}.get("severity", "")
        severity = SEVERITIES.get(written.lower())
        if written and severity is None and not self._adopted:
            accepted = ", ".join(SEVERITIES)
            raise self.refuse(f"severity: {written!r} is none that is known here: {accepted}")
        return severity or "warning", written

    def alert(self) -> AlertRule:
        """Return the alerting rule."""
        ours = self._ours()
        severity, severity_label = self._severity()
        annotations = self._rule.annotations
        return AlertRule(
            name=str(self._rule.alert),
            expression=self.expression(),
            for_=self._span("for", self._rule.for_),
            keep_firing_for=self._span("keep_firing_for", self._rule.keep_firing_for),
            labels=self.labels(),
            summary=annotations.get("summary") or annotations.get("description", ""),
            severity=severity,
            severity_label=severity_label,
            action=self._action(ours),
            no_data=self._one_of(ours, "no_data", ("hold", "fire", "resolve")),
            no_data_for=self._span("no_data_for", ours.get("no_data_for", "2m")),
            min_samples=self._count(ours.get("min_samples", "1")),
            cooldown=self._span("cooldown", ours.get("cooldown", "0s")),
            applies_in=self._applies(ours.get("applies_in", "")),
            notify=tuple(re.findall(r"[^\s,]+", ours.get("notify", ""))),
            runbook=annotations.get("runbook_url", ""),
            annotations=tuple(sorted(annotations.items())),
        )

    def _ours(self) -> dict[str, str]:
        annotations = {
            name.removeprefix(PREFIX): value
            for name, value in self._rule.annotations.items()
            if name.startswith(PREFIX)
        }
        for name in annotations.keys() - _OURS:
            near = nearest(name, sorted(_OURS))
            wanted = f"did you mean {PREFIX}{near}?" if near else ", ".join(sorted(_OURS))
            raise BadInput(f"{self.where}: there is no annotation {PREFIX}{name}; {wanted}")
        return annotations

    def _action(self, ours: Mapping[str, str]) -> Action:
        name = self._one_of(ours, "action", ACTIONS)
        if (name == "mitigate") != ("mitigation" in ours):
            raise self.refuse("rollout_action: mitigate goes with rollout_mitigation")
        kind = ours.get("pause_kind", "halt").replace("-", "_")
        if kind not in {"halt", "reduce_only", "drain"}:
            raise self.refuse(f"{kind!r} is no kind of pause: halt, reduce_only or drain")
        return Action(name, kind, ours.get("target", "last_stable"), ours.get("mitigation"))

    def _one_of(self, ours: Mapping[str, str], key: str, allowed: tuple[str, ...]) -> Any:
        value = ours.get(key, allowed[0])
        if value not in allowed:
            raise self.refuse(f"{PREFIX}{key} is one of {', '.join(allowed)}, not {value!r}")
        return value

    def _span(self, key: str, text: str) -> timedelta:
        try:
            return parse_duration(text)
        except BadInput as problem:
            raise self.refuse(f"{key}: {problem.message.rstrip('.')}") from None

    def _count(self, text: str) -> int:
        if not text.isdecimal() or int(text) < 1:
            raise self.refuse(f"rollout_min_samples is a whole number from 1, not {text!r}")
        return int(text)

    def _applies(self, text: str) -> tuple[tuple[str, str], ...]:
        conditions: list[tuple[str, str]] = []
        for part in re.findall(r"[^\s,]+", text):
            axis, separator, value = part.partition("=")
            if not separator or axis not in {"mode", "phase", "environment"}:
                raise self.refuse(
                    f"rollout_applies_in: {part!r} is not mode=, phase= or environment="
                )
            allowed = _AXES.get(axis)
            if allowed is not None and value not in allowed:
                raise self.refuse(f"rollout_applies_in: {axis} is one of {', '.join(allowed)}")
            conditions.append((axis, value))
        return tuple(conditions)


_AXES: Final = {"mode": ("mock", "real", "paused"), "environment": ("staging", "production")}
_OURS: Final = frozenset(
    {"action", "pause_kind", "target", "mitigation", "no_data", "no_data_for", "min_samples",
     "cooldown", "applies_in", "notify"}
)  # fmt: skip
