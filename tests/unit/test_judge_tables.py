"""The state machine of alerts, as tables: what the log says of an alert, what is seen, what happens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from ledger.alerts.judge import Look, filled, judge
from ledger.alerts.rules import AlertRule
from ledger.alerts.series import SeriesStore
from ledger.domain import events
from ledger.domain.alerts.naming import key_of
from ledger.domain.log.event import Event
from ledger.domain.values.alert_actions import ACTIONS
from ledger.domain.values.moments import iso
from tests.support.fakes import START
from tests.support.judging import rule
from tests.support.tables import REGISTERED, fold

NOW = START + timedelta(hours=1)
MINUTE = timedelta(minutes=1)
"""How often the rules are looked at here; the last look was a minute ago."""
HIGH = """alert: High
expr: ece > 0.1
for: FOR
keep_firing_for: KEEP
labels: {severity: SEVERITY}
annotations: {rollout_action: ACTION, MORErollout_no_data: NO_DATA, summary: ECE}
"""


def high(**options: str) -> AlertRule:
    text = HIGH
    usual = {
        "FOR": "2m",
        "KEEP": "0s",
        "SEVERITY": "critical",
        "ACTION": "pause",
        "NO_DATA": "hold",
    }
    for name, value in {**usual, "MORE": "", **options}.items():
        text = text.replace(name, value)
    return rule(text)


def ago(**span: float) -> str:
    return iso(NOW - timedelta(**span))


def pending(**since: float) -> Event:
    return events.AlertPending(
        alert="High", rule="High", severity="critical", active_since=ago(**since)
    )


FIRED = events.AlertFired(
    alert="High",
    severity="critical",
    message="ECE",
    rule=events.Rule(name="High", expr="ece > 0.1"),
)
CLEARED = events.AlertResolved(alert="High", how="condition_cleared")
EXPIRED = events.AlertResolved(alert="High", how="expired")


def clearing(**since: float) -> Event:
    return events.AlertClearingBegun(alert="High", clear_since=ago(**since))


def gone(**since: float) -> Event:
    return events.NoDataDetected(alert="High", since=ago(**since))


def told(
    one: AlertRule, given: Sequence[Event], value: float | None, *, last: timedelta | None = MINUTE
) -> list[str]:
    """Look at ``one`` where ``value`` was measured just now (None: nothing was); say what happened."""
    return [_said(event) for event in judged(one, given, value, last=last)]


def judged(
    one: AlertRule, given: Sequence[Event], value: float | None, *, last: timedelta | None = MINUTE,
    mode: str = "real",
) -> list[Event]:  # fmt: skip
    series = SeriesStore()
    if value is not None:
        series.add("ece", {}, NOW.timestamp(), value)
    state, _ = fold((REGISTERED, *given))
    look = Look(
        NOW, MINUTE, NOW - last if last is not None else None, timedelta(minutes=2), {"mode": mode}
    )
    return judge(one, series, state, look, "INC-1")


def _said(event: Event) -> str:
    data = event.payload()
    about = data["incident"] if event.type == "IncidentOpened" else data["alert"]
    return f"{event.type} {about}" + (f" {data['how']}" if "how" in data else "")


BAD, GOOD, NOTHING = 0.2, 0.05, None
OPENS = ["AlertFired High", "IncidentOpened INC-1"]
ONCE = high(FOR="0s")

CASES: list[tuple[str, AlertRule, list[Event], float | None, list[str]]] = [
    ("nothing, and all is well", high(), [], GOOD, []),
    ("the condition begins", high(), [], BAD, ["AlertPending High"]),
    ("it begins, and need not last", ONCE, [], BAD, OPENS),
    ("on the threshold is not over it", ONCE, [], 0.1, []),
    ("pending, not long enough", high(), [pending(seconds=119)], BAD, []),
    ("pending for exactly that long", high(), [pending(seconds=120)], BAD, OPENS),
    ("pending, and over", high(), [pending(seconds=300)], GOOD, ["AlertResolved High condition_cleared"]),
    ("firing", high(), [FIRED], BAD, []),
    ("firing, and over", high(), [FIRED], GOOD, ["AlertResolved High condition_cleared"]),
    ("firing, over, and to be kept", high(KEEP="5m"), [FIRED], GOOD, ["AlertClearingBegun High"]),
    ("kept, not long enough", high(KEEP="5m"), [FIRED, clearing(seconds=299)], GOOD, []),
    ("kept for exactly that long", high(KEEP="5m"), [FIRED, clearing(minutes=5)], GOOD,
     ["AlertResolved High condition_cleared"]),
    ("kept, and back", high(KEEP="5m"), [FIRED, clearing(minutes=4)], BAD, ["AlertClearingCancelled High"]),
    ("pending, and nothing is seen", high(), [pending(minutes=1)], NOTHING, ["NoDataDetected High"]),
    ("firing, and nothing is seen", high(), [FIRED], NOTHING, ["NoDataDetected High"]),
    ("firing, nothing seen, and the rule says that it ends", high(NO_DATA="resolve"), [FIRED], NOTHING,
     ["AlertResolved High expired"]),
    ("pending, nothing seen, and the rule says that it ends", high(NO_DATA="resolve"), [pending(minutes=1)],
     NOTHING, ["AlertResolved High expired"]),
    ("not seen for a while", high(), [FIRED, gone(seconds=119)], NOTHING, []),
    ("not seen for two minutes", high(), [FIRED, gone(seconds=120)], NOTHING, ["AlertFired NoData(High)"]),
    ("pending, not seen, and the rule says that it fires", high(NO_DATA="fire"),
     [pending(minutes=5), gone(minutes=2)], NOTHING, [*OPENS, "AlertFired NoData(High)"]),
    ("firing, not seen: it fires already", high(NO_DATA="fire"), [FIRED, gone(minutes=2)], NOTHING,
     ["AlertFired NoData(High)"]),
    ("firing, and seen again", high(), [FIRED, gone(minutes=1)], BAD, ["DataReturned High"]),
    ("firing, seen again, and over", high(), [FIRED, gone(minutes=1)], GOOD,
     ["DataReturned High", "AlertResolved High condition_cleared"]),
    ("the whole rule has no data", high(), [], NOTHING, ["NoDataDetected High"]),
    ("and never had for two minutes", high(), [gone(minutes=2)], NOTHING, ["AlertFired NoData(High)"]),
    ("pending, unseen for most of it: that counts for nothing", high(), [pending(minutes=5), gone(minutes=4)],
     BAD, ["DataReturned High"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "given", "value", "then"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_what_becomes_of_an_alert(
    one: AlertRule, given: list[Event], value: float | None, then: list[str]
) -> None:
    """I8, I14: what lasts fires, what is over ends, what is not seen holds."""
    assert told(one, given, value) == then


@pytest.mark.parametrize("severity", ["critical", "warning", "info"])
@pytest.mark.parametrize("action", ACTIONS)
def test_which_firing_opens_an_incident(action: str, severity: str) -> None:
    """What acts on the system, and what is critical, is told about in the morning."""
    opens = severity == "critical" or action not in {"record", "notify"}
    more = "rollout_mitigation: calm, " if action == "mitigate" else ""
    found = judged(high(FOR="0s", ACTION=action, SEVERITY=severity, MORE=more), [], BAD)
    assert [event.type for event in found] == ["AlertFired", "IncidentOpened"][: 1 + opens]


@pytest.mark.parametrize(
    ("incident", "opens"),
    [
        ([], False),
        ([events.IncidentMitigated(incident="INC-0", action="pause")], False),
        ([events.IncidentResolved(incident="INC-0")], True),
    ],
)
def test_an_incident_is_opened_unless_one_stands_open(incident: list[Event], opens: bool) -> None:
    """I16: one trouble, one incident; and after it is resolved, another."""
    before = events.IncidentOpened(
        incident="INC-0", title="High", severity="critical", alert="High"
    )
    assert told(ONCE, [before, *incident], BAD) == OPENS[: 1 + opens]


@pytest.mark.parametrize(
    ("given", "then"), [([], []), ([FIRED], []), ([pending(minutes=3)], [CLEARED])]
)
def test_where_the_rule_does_not_apply_nothing_begins(
    given: list[Event], then: list[Event]
) -> None:
    """What fires goes on to; what was pending ends; nothing begins."""
    one = high(MORE="rollout_applies_in: mode=real, ")
    assert judged(one, given, BAD, mode="mock") == then


@pytest.mark.parametrize(
    ("unseen", "fires"),
    [
        (timedelta(minutes=1), True),
        (timedelta(minutes=3), True),
        (timedelta(minutes=3, seconds=1), False),
        (timedelta(minutes=30), False),
        (timedelta(minutes=-1), True),
        (None, True),
    ],
)
def test_the_time_in_which_nobody_looked_counts_for_nothing(
    unseen: timedelta | None, fires: bool
) -> None:
    """I14: a round may be late; after that, what was not looked at was not seen to last."""
    found = judged(high(), [pending(minutes=3 if unseen != -MINUTE else 5)], BAD, last=unseen)
    assert any(isinstance(event, events.AlertFired) for event in found) is fires


def test_what_a_firing_says() -> None:
    """I11: the rule as it was, since when, and the value that was seen."""
    (fired, _) = judged(high(), [pending(minutes=4)], BAD)
    said = fired.payload()
    assert (
        said["rule"].items()
        >= {
            "name": "High",
            "expr": "ece > 0.1",
            "for_seconds": 120,
            "action": "pause",
            "argument": "halt",
        }.items()
    )
    told_of = (said["severity"], said["message"], said["active_since"], said["observed"])
    assert told_of == ("critical", "ECE", ago(minutes=4), "0.2")


def test_how_an_alert_is_called_and_told() -> None:
    """The rule's name and its labels; templates of the summary filled in."""
    assert key_of("High", ()) == "High"
    assert key_of("High", (("slice", "tokyo"), ("a", "b"))) == 'High{a="b",slice="tokyo"}'
    text = "{{ $labels.slice }} at {{ $value | humanize }}, {{ $labels.none }}{{ other }}"
    assert filled(text, (("slice", "tokyo"),), 0.25) == "tokyo at 0.25, {{ other }}"
