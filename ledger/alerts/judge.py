"""The state machine of alerts: rules × samples × what the log says → events. Pure.

An alert is a rule's name and its labels, and belongs to the rule that made it. The clock of ``for`` is kept
in the log, so that it runs on after a restart at any duration (I14). What can't be seen holds: an alert whose
series vanished keeps its state and its clock stands still, and so does the clock of a pending one for as long
as nobody evaluated (I8). What a rule that was written anew can never say again ends once the rule has said
what is so now.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from ledger.alerts.promql import LOOKBACK_SECONDS, Moment
from ledger.alerts.recording import laid_over
from ledger.alerts.rules import AlertRule, owner
from ledger.alerts.series import Labels, SeriesStore
from ledger.alerts.vectors import Element, Vector
from ledger.domain import events
from ledger.domain.alerts.naming import made_by
from ledger.domain.alerts.state import Alert, PendingAlert
from ledger.domain.log.event import decimal_text
from ledger.domain.state import SystemState
from ledger.domain.values.moments import from_iso, iso

NO_DATA_ALERT: Final = "NoData"
GAPS_ALLOWED: Final = 3
"""Intervals without an evaluation that count as none: a round may be late."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the rules."""

    at: datetime
    interval: timedelta
    last: datetime | None
    """When the rules were looked at before, by whomever."""
    lookback: timedelta = timedelta(seconds=LOOKBACK_SECONDS)
    """A sample older than this is none."""
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    """mode, phase, environment: what ``rollout_applies_in`` goes by."""
    rules: Sequence[AlertRule] = ()
    """All that are looked at: what none of them made is of a rule that was written anew, or taken away."""

    @property
    def unseen(self) -> timedelta:
        """How long nobody looked, beyond what a late round explains; negative: the clock was set back."""
        if self.last is None:
            return timedelta(0)
        gap = self.at - self.last
        late = timedelta(0) <= gap <= self.interval * GAPS_ALLOWED
        return timedelta(0) if late else gap


def judge(
    rule: AlertRule, series: SeriesStore, state: SystemState, look: Look, incident: str
) -> list[events.Event]:
    """Return what happened to the alerts of ``rule``, as of ``look``; nothing where all is as it was.

    ``incident`` is the name that an incident opened now would have.

    Raises:
        EvaluationError: what was measured does not fit the rule.
    """
    moment = Moment(series, look.at.timestamp(), look.lookback.total_seconds())
    elements = laid_over(rule, rule.expression.evaluate(moment))
    if rule.min_samples > 1 and _samples(rule, series, look) < rule.min_samples:
        elements = {}
    applies = all(look.facts.get(axis) == value for axis, value in rule.applies_in)
    judged = _Judged(rule, state, look, incident)
    unseen = judged.known()
    blind: set[str] = set()
    for labels, element in elements.items():
        key = rule.key_for(labels)
        if element.holds or element.known:
            unseen.discard(key)
            judged.seen(key, labels, element, applies=applies)
        else:
            blind.add(key)
    former = judged.former(elements)
    for key in sorted(unseen - former):
        judged.vanished(key)
    seen = any(element.holds or element.known for element in elements.values())
    judged.whole_rule(seen=seen, blind=blind)
    if seen:
        judged.replaced(former)
    return judged.events


def concerns(rule: AlertRule, state: SystemState, facts: Mapping[str, str]) -> bool:
    """Tell whether ``rule`` is looked at: it applies now, or an alert of it is under way."""
    if all(facts.get(axis) == value for axis, value in rule.applies_in):
        return True
    return any(map(rule.made, (*state.pending.values(), *state.alerts.values())))


def _samples(rule: AlertRule, series: SeriesStore, look: Look) -> int:
    end = look.at.timestamp()
    start = end - rule.expression.reach_seconds
    return sum(
        len(one.window(start, end)[0])
        for metric in rule.expression.metrics
        for one in series.select(metric)
    )


class _Judged:
    def __init__(self, rule: AlertRule, state: SystemState, look: Look, incident: str) -> None:
        self._rule = rule
        self._state = state
        self._look = look
        self._incident = incident
        self._looked_at: set[str] = set()
        self.events: list[events.Event] = []

    def known(self) -> set[str]:
        """Return the alerts of this rule that are pending or firing."""
        return {key for key, alert in self._under_way() if self._rule.made(alert)}

    def _under_way(self) -> Iterable[tuple[str, Alert | PendingAlert]]:
        return (*self._state.alerts.items(), *self._state.pending.items())

    def former(self, elements: Vector) -> set[str]:
        """Return the alerts that the rule, as it is written now, can never say again.

        Those of a rule of this name whose labels were others; and its own, where its expression was
        another one and its series had other labels.
        """
        shapes = {frozenset(name for name, _ in labels) for labels in elements}
        gone: set[str] = set()
        for key, alert in self._under_way():
            if self._rule.made(alert):
                other = _expression_of(alert) not in {None, self._rule.expression.text}
                if other and elements and frozenset(alert.labels) not in shapes:
                    gone.add(key)
            elif self._namesake(alert) and owner(self._look.rules, alert) is None:
                gone.add(key)
        return gone

    def _namesake(self, alert: Alert | PendingAlert) -> bool:
        return bool(self._look.rules) and made_by(alert)[0] == self._rule.name

    def replaced(self, former: set[str]) -> None:
        """End what the rule said before it was written anew, once it has said what is so now."""
        over = {e.alert for e in self.events if isinstance(e, events.AlertResolved)}
        pending = {k for k, alert in self._state.pending.items() if self._rule.made(alert)}
        begun = any(isinstance(event, events.AlertPending) for event in self.events)
        fired = {e.alert for e in self.events if isinstance(e, events.AlertFired)}
        if begun or pending - over - fired - former:
            return  # it may be about to fire: then the old one is not over
        for key in sorted(former - over):
            self.events.append(events.AlertResolved(alert=key, how="expired"))

    def seen(self, key: str, labels: Labels, element: Element, *, applies: bool) -> None:
        """There is data on the alert."""
        self._looked_at.add(key)
        frozen = self._returned(key)
        holds = element.holds and applies
        if key in self._state.alerts:
            self._firing(key, holds=element.holds)
        elif key in self._state.pending:
            self._pending(key, labels, element, holds=holds, frozen=frozen)
        elif holds:
            self._began(key, labels, element)

    def _returned(self, key: str) -> timedelta:
        """Say that there is data again, if there was none; return by how much to set the clock forward.

        Never beyond now: what began after the last look was not unseen for all of the gap. Where the
        machine's clock was set back, the condition's is set back with it.
        """
        since = self._state.no_data.get(key)
        pending = self._state.pending.get(key)
        frozen = self._look.unseen
        if since is not None:
            frozen = max(frozen, self._look.at - from_iso(since))
        elif pending is None or not frozen:
            return timedelta(0)
        active = None
        if pending is not None:
            before = from_iso(pending.active_since)
            frozen = min(frozen, self._look.at - before)
            active = iso(before + frozen)
        seconds = max(int(frozen.total_seconds()), 0)
        self.events.append(
            events.DataReturned(alert=key, frozen_seconds=seconds, active_since=active)
        )
        self._resolve_no_data(key)
        return frozen

    def _firing(self, key: str, *, holds: bool) -> None:
        alert = self._state.alerts[key]
        clear_since = alert.clear_since
        if holds:
            if clear_since is not None:
                self.events.append(events.AlertClearingCancelled(alert=key))
            return
        keep = self._rule.keep_firing_for
        if not keep or (clear_since and self._look.at - from_iso(clear_since) >= keep):
            self.events.append(events.AlertResolved(alert=key, how="condition_cleared"))
        elif clear_since is None:
            self.events.append(events.AlertClearingBegun(alert=key, clear_since=iso(self._look.at)))

    def _pending(
        self, key: str, labels: Labels, element: Element, *, holds: bool, frozen: timedelta
    ) -> None:
        if not holds:
            self.events.append(events.AlertResolved(alert=key, how="condition_cleared"))
            return
        active_since = from_iso(self._state.pending[key].active_since) + frozen
        if self._look.at - active_since >= self._rule.for_:
            self._fire(key, labels, element, active_since)

    def _began(self, key: str, labels: Labels, element: Element) -> None:
        if not self._rule.for_:
            self._fire(key, labels, element, self._look.at)
            return
        self.events.append(
            events.AlertPending(
                alert=key,
                rule=self._rule.name,
                severity=self._rule.severity,  # type: ignore[arg-type] -- one of the three
                labels=dict(labels),
                active_since=iso(self._look.at),
                observed=decimal_text(element.value),
                rule_labels=dict(self._rule.labels),
                expr=self._rule.expression.text,
            )
        )

    def _fire(self, key: str, labels: Labels, element: Element, active_since: datetime) -> None:
        rule = self._rule
        self.events.append(
            events.AlertFired(
                alert=key,
                severity=rule.severity,  # type: ignore[arg-type] -- one of the three
                message=filled(rule.summary or rule.expression.text, labels, element.value),
                labels=dict(labels),
                rule=events.Rule(
                    name=rule.name,
                    expr=rule.expression.text,
                    for_seconds=int(rule.for_.total_seconds()),
                    action=rule.action.name,
                    argument=rule.action.argument,
                    labels=dict(rule.labels),
                ),
                active_since=iso(active_since),
                observed=decimal_text(element.value),
            )
        )
        if (rule.action.acts or rule.severity == "critical") and not _has_incident(
            self._state, key
        ):
            message = filled(rule.summary, labels, element.value)
            self.events.append(
                events.IncidentOpened(
                    incident=self._incident,
                    title=f"{key}: {message}" if message else key,
                    severity=rule.severity,  # type: ignore[arg-type] -- one of the three
                    alert=key,
                )
            )

    def vanished(self, key: str) -> None:
        """There is no data on an alert that is pending or fires: it holds, unless the rule says otherwise."""
        if self._rule.no_data == "resolve":
            self.events.append(events.AlertResolved(alert=key, how="expired"))
            return
        since = self._state.no_data.get(key)
        if since is None:
            gap = max(self._look.unseen, timedelta(0))
            start = self._look.at - gap
            self.events.append(events.NoDataDetected(alert=key, since=iso(start)))
            return
        if self._look.at - from_iso(since) < self._rule.no_data_for:
            return
        if self._rule.no_data == "fire" and key in self._state.pending:
            pending = self._state.pending[key]
            labels = tuple(sorted(pending.labels.items()))
            self._fire(key, labels, Element(float("nan")), from_iso(pending.active_since))
        self._raise_no_data(key, since)

    def whole_rule(self, *, seen: bool, blind: set[str]) -> None:
        """Look after a rule that finds nothing that could be told, whether or not an alert of it is known.

        So it does where only some of its series can't be told: nobody else would say so.
        """
        name = self._rule.key
        since = self._state.no_data.get(name)
        pending_or_firing = self.known()
        untold = blind - pending_or_firing if self._rule.no_data != "resolve" else set[str]()
        if not untold:
            if seen and since is not None and name not in self._looked_at:
                self._returned(name)
            if seen or pending_or_firing:
                return
        if since is None:
            self.events.append(events.NoDataDetected(alert=name, since=iso(self._look.at)))
        elif self._look.at - from_iso(since) >= self._rule.no_data_for:
            self._raise_no_data(name, since)

    def _raise_no_data(self, key: str, since: str) -> None:
        alert = no_data_key(key)
        if alert in self._state.alerts:
            return
        self.events.append(
            events.AlertFired(
                alert=alert,
                severity="warning",
                message=f"no data for {self._rule.name} since {since}; what it guards is not seen",
                labels={"alert": key},
            )
        )

    def _resolve_no_data(self, key: str) -> None:
        if no_data_key(key) in self._state.alerts:
            self.events.append(
                events.AlertResolved(alert=no_data_key(key), how="condition_cleared")
            )


def no_data_key(key: str) -> str:
    """Return the name of the alert that says that ``key`` has no data."""
    return f"{NO_DATA_ALERT}({key})"


def _expression_of(alert: Alert | PendingAlert) -> str | None:
    """Return what its rule was when it began; None: not recorded."""
    if isinstance(alert, PendingAlert):
        return alert.expr
    return alert.rule.expr if alert.rule is not None else None


def _has_incident(state: SystemState, key: str) -> bool:
    return any(
        incident.alert == key and incident.status != "resolved"
        for incident in state.incidents.values()
    )


_TEMPLATE: Final = re.compile(r"{{\s*\$(value|labels\.(\w+))(?:\s*\|\s*\w+)?\s*}}")


def filled(text: str, labels: Labels, value: float, number: str | None = None) -> str:
    """Return ``text`` with {{ $value }} and {{ $labels.NAME }} filled in; other templates stay.

    ``number`` is ``value`` as it is to be written; absent: in six digits.
    """
    named = dict(labels)

    def fill(match: re.Match[str]) -> Any:
        return (number or f"{value:.6g}") if match[1] == "value" else named.get(match[2], "")

    return _TEMPLATE.sub(fill, text)
