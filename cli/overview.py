"""A system's state as a person reads it at three in the morning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import click

from cli.output import colours_wanted
from ledger.domain.state import SystemState
from projections.queries.overview import problems_of
from projections.words.sentences import CAUSES, changes_text, mode_text, short
from runtime.times import ago, shown

Json = Mapping[str, Any]
LABEL_WIDTH: Final = 13
_COLOURS: Final = {"real": "green", "mock": "cyan", "paused": "yellow"}
_SEVERITIES: Final = {"critical": "red", "warning": "yellow"}


def styled(text: str, colour: str | None, *, bold: bool = False) -> str:
    """Return ``text`` in colour where colour may be used."""
    return (
        click.style(text, fg=colour, bold=bold) if colours_wanted() and (colour or bold) else text
    )


def overview_text(
    seen: Json,
    now: datetime,
    rollout: Sequence[tuple[str, str]] = (),
    problems: Sequence[str] = (),
) -> str:
    """Return `projections.queries.overview.overview` as lines, the most important one first.

    ``rollout``: the lines of `cli.rollout_overview`, label and text. ``problems``: those of ``seen`` that
    no other line tells.
    """
    colour = "red" if seen["health"] == "degraded" else "green"
    head = f"{seen['system']} · {seen['environment']} · {styled(seen['health'], colour, bold=True)}"
    lines = [head, _line("mode", _mode(seen, now)), _line("config", _config(seen["config"], now))]
    stable = seen["last_stable"]
    lines.append(
        _line("last stable", _stable(seen) if stable else "no other configuration is marked stable")
    )
    lines += [_line("problem", styled(problem, "red")) for problem in problems]
    lines += [_line(label, text) for label, text in rollout]
    lines += [_line("alert", _alert(alert, now)) for alert in seen["alerts"]]
    lines += [
        _line(
            "incident", f"{each['incident']} {each['status']} ({each['severity']}): {each['title']}"
        )
        for each in seen["incidents"]
    ]
    for each in seen["operations"]:
        text = f"{each['kind']} begun {ago(each['began_at'], now)} by {each['actor']}, not ended"
        lines.append(_line("doing", styled(text + _because(each["detail"]), "yellow")))
    lines += [_line("drift", styled(_drift(*each), "red")) for each in seen["drift"].items()]
    if seen["unconfirmed"]:
        text = f"the switch to {seen['unconfirmed']['to']}: {seen['unconfirmed']['detail']}"
        lines.append(_line("unconfirmed", styled(text, "red")))
    lines += [_line("last", _event(event, now)) for event in seen["last_events"]]
    return "\n".join(lines)


def state_text(state: SystemState, *, as_of: str) -> str:
    """Return a past state as lines; everything is told as of then."""
    problems = problems_of(state)
    environment = state.environment or "not registered yet"
    lines = [f"{state.system} · {environment} · as of {as_of}"]
    since = f", since {_seconds(state.mode_since)}, by {state.mode_by}" if state.mode else ""
    mode = mode_text(state.mode, state.pause_kind) + since + _because(state.mode_reason)
    lines.append(_line("mode", mode))
    applied = (
        f", {CAUSES.get(state.applied_cause or '', state.applied_cause)} at {_seconds(state.applied_at)}"
        if state.applied_at
        else ""
    )
    named = (
        _named({"fingerprint": state.fingerprint, "tags": state.tags_of(state.fingerprint)})
        if state.fingerprint
        else "none known"
    )
    lines.append(_line("config", named + applied))
    stable = [fingerprint for fingerprint, kept in state.configs.items() if kept.is_stable]
    lines.append(_line("stable", ", ".join(map(short, stable)) or "none"))
    for name, alert in state.alerts.items():
        lines.append(
            _line(
                "alert", f"{name} {alert.severity} since {_seconds(alert.since)}: {alert.message}"
            )
        )
    for name, incident in state.incidents.items():
        lines.append(_line("incident", f"{name} {incident.status}: {incident.title}"))
    lines += [_line("problem", problem) for problem in problems]
    lines.append(_line("last event", f"#{state.position}, revision {state.revision}"))
    return "\n".join(lines)


def event_line(event: Json) -> str:
    """Return one event of the timeline as a line of its own: when, who, what, why."""
    system = f" {event['system']}" if event["system"] else ""
    mark = "".join(f" [{name}]" for name in ("backfilled", "spooled") if event[name])
    return (
        f"#{event['position']} {shown(event['occurred_at'])}{_recorded(event)}{mark}{system} "
        f"{event['actor']} {event['sentence'].removesuffix('.')}{_because(event['reason'])}"
    )


def recorded_apart(event: Json) -> datetime | None:
    """Return when an event was recorded, where that is not when it happened (I13)."""
    apart = abs((event["recorded_at"] - event["occurred_at"]).total_seconds()) >= 1
    return event["recorded_at"] if apart or event["backfilled"] or event["spooled"] else None


def _recorded(event: Json) -> str:
    moment = recorded_apart(event)
    return f" (recorded {shown(moment)})" if moment else ""


def _seconds(moment: str | None) -> str:
    return shown(datetime.fromisoformat(moment)) if moment else ""


def _line(label: str, text: str) -> str:
    return f"  {label:<{LABEL_WIDTH}}{text}"


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""


def _mode(seen: Json, now: datetime) -> str:
    mode = mode_text(seen["mode"], seen["pause_kind"])
    if seen["mode"] is None:
        return mode
    since = datetime.fromisoformat(seen["mode_since"])
    mark = styled("● " + mode, _COLOURS.get(seen["mode"]), bold=True)
    why = _because(seen["mode_reason"])
    return f"{mark}, since {shown(since)} ({ago(since, now)}), by {seen['mode_by']}{why}"


def _named(config: Json) -> str:
    tags = f" ({', '.join(config['tags'])})" if config["tags"] else ""
    return short(config["fingerprint"]) + tags


def _stable(seen: Json) -> str:
    """Return where a rollback to the last stable configuration would end."""
    stable, config = seen["last_stable"], seen["config"]
    here = config is not None and config["fingerprint"] == stable["fingerprint"]
    return _named(stable) + (", in force" if here and "config" not in seen["drift"] else "")


def _config(config: Json | None, now: datetime) -> str:
    if config is None:
        return "none known"
    words = ["stable" if config["stable"] else "not marked stable"]
    if config["quarantined"]:
        words = [styled("quarantined", "red")]
    if config["applied_at"] is not None:
        how = CAUSES.get(config["applied_cause"], config["applied_cause"])
        words.append(f"{how} {ago(config['applied_at'], now)} by {config['applied_by']}")
    return f"{_named(config)}, {', '.join(words)}"


def _alert(alert: Json, now: datetime) -> str:
    text = f"{alert['alert']} {alert['severity']}, {alert['status']}, raised {ago(alert['fired_at'], now)}"
    flags = f" [{'; '.join(alert['flags'])}]" if alert["flags"] else ""
    return styled(text, _SEVERITIES.get(alert["severity"])) + _because(alert["message"]) + flags


def _drift(subject: str, drift: Json) -> str:
    changes = changes_text(drift.get("changes") or ())
    return f"{subject}: {changes or drift['expected'] + ' → ' + drift['found']}"


def _event(event: Json, now: datetime) -> str:
    return (
        f"#{event['position']} {ago(event['occurred_at'], now)}: {event['actor']} "
        f"{event['sentence'].removesuffix('.')}{_because(event['reason'])}"
    )
