"""Of which alerts nobody is told for now: silenced by a person, or inhibited by another alert. Pure.

Neither keeps a rule from acting: protection goes on. Only a silence that says so holds actions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from ledger.alerts.series import matcher
from ledger.configuration.strict import Strict
from ledger.domain import events
from ledger.domain.alerts.silencing import labels_of, silenced_by
from ledger.domain.state import SystemState

_MATCHER: Final = re.compile(r'\s*(\w+)\s*(=~|!~|!=|=)\s*(?:"(.*)"|([^\s{}!=~,"\']*))\s*')


def _parsed(text: str) -> tuple[str, str, str]:
    match = _MATCHER.fullmatch(text)
    if match is None:
        raise ValueError(f'{text!r} is no matcher: severity="critical", alertname=~"Feed.*"')
    quoted = match[3] is not None
    return match[1], match[2], match[3].replace('\\"', '"') if quoted else match[4]


def _is_matcher(text: str) -> str:
    test = _parsed(text)
    try:
        matcher([test])
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None
    return text


Matcher = Annotated[str, AfterValidator(_is_matcher)]
Matchers = Annotated[tuple[Matcher, ...], Field(min_length=1)]


class Inhibition(Strict):
    """While a source fires, nobody is told of its targets. As Alertmanager's ``inhibit_rules``.

    An alert that both sides match is not inhibited by one that both sides match.
    """

    source_matchers: Matchers
    """All have to match: labels, and ``alertname``, ``severity``, ``system``."""
    target_matchers: Matchers
    equal: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Labels that both have, with the same value. One that neither has is not the same."""

    def sources(self, alerts: Mapping[str, Mapping[str, str]], target: str) -> list[str]:
        """Return which of ``alerts`` (name -> labels) inhibit ``target``, one of them."""
        is_source, is_target = _all(self.source_matchers), _all(self.target_matchers)
        labels = alerts[target]
        if not is_target(labels):
            return []
        either = is_source(labels)
        return [
            name
            for name, others in alerts.items()
            if name != target
            and is_source(others)
            and not (either and is_target(others))
            and all(labels.get(one) and labels.get(one) == others.get(one) for one in self.equal)
        ]


def _all(matchers: Sequence[str]) -> Any:
    return matcher(_parsed(text) for text in matchers)


def inhibitions(state: SystemState, rules: Sequence[Inhibition]) -> tuple[events.Event, ...]:
    """Return which alerts begin to be inhibited by ``rules``, and which no longer are.

    Two that each rule has mute the other do not: of one of them people are told.
    """
    labels = {alert: labels_of(state, alert) for alert in state.alerts}
    by = {name: alert.inhibited_by for name, alert in state.alerts.items()}
    changed: list[events.Event] = []
    for alert, before in list(by.items()):
        sources = [
            source
            for rule in rules
            for source in rule.sources(labels, alert)
            if not _leads_to(alert, source, by)
        ]
        if sources and before not in sources:
            changed.append(events.AlertInhibited(alert=alert, by=sources[0]))
        elif before and not sources:
            changed.append(events.InhibitionLifted(alert=alert))
        by[alert] = before if before in sources else next(iter(sources), None)
    return tuple(changed)


def _leads_to(alert: str, source: str, by: Mapping[str, str | None]) -> bool:
    """Tell whether ``source`` is muted by ``alert``, or by one that is, and so on."""
    above: str | None = source
    for _ in by:
        above = by.get(above) if above is not None else None
        if above == alert:
            return True
    return False


def inhibited_by(state: SystemState, alert: str) -> str | None:
    """Return the alert that inhibits ``alert``, if that still fires."""
    firing = state.alerts.get(alert)
    by = firing.inhibited_by if firing is not None else None
    return by if by in state.alerts else None


def flags(state: SystemState, alert: str, now: datetime) -> list[str]:
    """Return what else is to be known of an alert that fires or is pending, in words."""
    firing = state.alerts.get(alert)
    words: list[str] = []
    if firing is not None and firing.acknowledged_by:
        words.append(f"acknowledged by {firing.acknowledged_by}")
    name = silenced_by(state, alert, now)
    if name is not None:
        silence = state.silences[name]
        holds = ", actions held" if silence.holds_actions else ""
        words.append(f"silenced by {silence.by} until {silence.until[:16]}Z ({name}{holds})")
    by = inhibited_by(state, alert)
    if by is not None:
        words.append(f"inhibited by {by}")
    if alert in state.no_data:
        words.append(f"no data since {state.no_data[alert][:19]}Z")
    if firing is None:
        return words
    if firing.acted == "failed" and firing.rule is not None:
        words.append(f"its rule failed to {firing.rule.action}")
    return words + [
        f"{name} could not be told" for name, notice in firing.told.items() if not notice.ok
    ]
