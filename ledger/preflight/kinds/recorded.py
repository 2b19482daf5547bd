"""What the ledger knows: alerts, sign-offs, backups, metrics, the configuration; and that it answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from ledger.domain.values.durations import duration_text, parse_duration
from ledger.domain.values.fingerprints import leaf_text
from ledger.preflight.context import CheckContext, OpenAlert
from ledger.preflight.finding import CheckError, Outcome, Part, Result, passed, together, worst
from ledger.preflight.judging import (
    age_limit_text,
    age_text,
    bounds_text,
    judged,
    judged_age,
    nodes,
    number_in,
    number_text,
    same,
    shown,
)
from ledger.preflight.specs import AlertsOpen, Backup, ConfigKey, KeyRule, Ledger, Metric, SignOffs

_SEVERITIES: Final = ("critical", "warning", "info")
_NO_LEDGER: Final = "the ledger could not be asked"


def config_key(check: ConfigKey, context: CheckContext) -> Outcome:
    """Look the keys up in the configuration that is in force, or in the system's files."""
    tree = context.config_in_force if check.of == "in_force" else context.config_in_place
    if tree is None:
        where = "in force" if check.of == "in_force" else "in the system's files"
        raise CheckError(f"no configuration is known to be {where}")
    values = dict(nodes(tree))
    return together([_key_part(key, rule, values) for key, rule in check.keys.items()])


def backup(check: Backup, context: CheckContext) -> Outcome:
    """Look how old the last backup is that was read back and found whole."""
    threshold = f"verified, {age_limit_text(check.max_age, check.warn_age)}"
    if context.verified_backup_at is None:
        return Outcome(Result.FAIL, "no verified backup", threshold)
    age = context.clock.now() - context.verified_backup_at
    result = judged_age(age, check.max_age, check.warn_age)
    return Outcome(result, f"verified, {age_text(age)}", threshold)


def alerts_open(check: AlertsOpen, context: CheckContext) -> Outcome:
    """Look for open alerts, and for how long none was critical while somebody looked."""
    if context.open_alerts is None:
        raise CheckError(_NO_LEDGER)
    alerts = context.open_alerts
    result = Result.PASS
    threshold = f"none open of {check.none_of}{' or worse' if check.none_of != 'critical' else ''}"
    if check.warn_of is not None:
        threshold += f", warn of {check.warn_of}"
        result = Result.WARN if _at_least(alerts, check.warn_of) else result
    if _at_least(alerts, check.none_of):
        result = Result.FAIL
    parts: list[Part] = [(result, _alerts_text(alerts), threshold)]
    if check.no_critical_for is not None:
        parts.append(_quiet_part(check.no_critical_for, context))
    now = context.clock.now()
    listed = "\n".join(
        f"{alert.name} ({alert.severity}) for {duration_text(now - alert.since, parts=2)}"
        for alert in alerts
    )
    outcome = together(parts)
    return Outcome(outcome.result, outcome.measured, outcome.threshold, listed or outcome.detail)


def sign_offs(check: SignOffs, context: CheckContext) -> Outcome:
    """Look for the newest yes of each role."""
    if context.sign_offs is None:
        raise CheckError(_NO_LEDGER)
    parts: list[Part] = []
    for role in check.roles:
        given = [each for each in context.sign_offs if each.role == role]
        wanted = role if check.max_age is None else f"{role}, at most {check.max_age} old"
        if not given:
            parts.append((Result.FAIL, f"{role}: nobody", wanted))
            continue
        newest = max(given, key=lambda each: each.at)
        age = context.clock.now() - newest.at
        measured = f"{role}: {newest.who} on {newest.at:%Y-%m-%d %H:%M}Z"
        parts.append((judged_age(age, check.max_age, None), measured, wanted))
    return together(parts)


def ledger(_check: Ledger, context: CheckContext) -> Outcome:
    """Ask for the last position, in the role that appends."""
    if context.ledger_head is None:
        raise CheckError(_NO_LEDGER)
    with context.one_at_a_time:
        position = context.ledger_head()
    return Outcome(Result.PASS, f"position {position}", "answers, may append")


def metric(check: Metric, context: CheckContext) -> Outcome:
    """Look at the newest value that was recorded."""
    if context.newest_metric is None:
        raise CheckError(_NO_LEDGER)
    limit = age_limit_text(check.max_age, None)
    with context.one_at_a_time:
        newest = context.newest_metric(check.metric, check.labels)
    if newest is None:
        return Outcome(Result.FAIL, "no value recorded", f"{bounds_text(check.bounds)}; {limit}")
    value, at = newest
    age = context.clock.now() - at
    wanted = bounds_text(check.bounds)
    if not value.is_finite():
        return Outcome(Result.FAIL, f"{value} is no number", f"{wanted}; {limit}")
    return together(
        [
            (judged(value, check.bounds), number_text(value), wanted),
            (judged_age(age, check.max_age, None), age_text(age), limit),
        ]
    )


def _key_part(key: str, rule: KeyRule, values: dict[str, Any]) -> Part:
    wanted = f"{key} {_rule_text(rule)}"
    if key not in values:
        return passed(rule.absent_ok), f"{key} is not set", wanted
    value = values[key]
    return worst(_rule_results(rule, value)), f"{key} = {shown(key, value)}", wanted


def _rule_results(rule: KeyRule, value: Any) -> Iterator[Result]:
    if "equals" in rule.model_fields_set:
        yield same(value, rule.equals)
    if rule.one_of:
        yield passed(any(same(value, each) is Result.PASS for each in rule.one_of))
    if not rule.is_empty:
        number = number_in(value)
        yield Result.FAIL if number is None else judged(number, rule)


def _rule_text(rule: KeyRule) -> str:
    parts: list[str] = []
    if "equals" in rule.model_fields_set:
        parts.append(f"= {leaf_text(rule.equals)}")
    if rule.one_of:
        parts.append("one of " + ", ".join(map(leaf_text, rule.one_of)))
    if not rule.is_empty:
        parts.append(bounds_text(rule))
    return (", ".join(parts) or "is set") + (", if set" if rule.absent_ok else "")


def _at_least(alerts: tuple[OpenAlert, ...], severity: str) -> bool:
    bad = _SEVERITIES[: _SEVERITIES.index(severity) + 1]
    # A severity that nobody knows may be anything, so it counts as the worst.
    return any(alert.severity in bad or alert.severity not in _SEVERITIES for alert in alerts)


def _alerts_text(alerts: tuple[OpenAlert, ...]) -> str:
    counts = Counter(alert.severity for alert in alerts)
    return (
        ", ".join(f"{counts[each]} {each}" for each in sorted(counts)) + " open"
        if counts
        else "none open"
    )


def _quiet_part(wanted: str, context: CheckContext) -> Part:
    """Silence counts from where somebody began to look, and ends with a critical alert that is open."""
    threshold = f"no critical for {wanted}"
    now = context.clock.now()
    if context.observed_since is None:
        return Result.FAIL, "never observed", threshold
    if any(alert.severity == "critical" for alert in context.open_alerts or ()):
        return Result.FAIL, "critical now", threshold
    since = context.observed_since
    is_newer = context.last_critical_at is not None and context.last_critical_at >= since
    quiet = now - (context.last_critical_at if is_newer and context.last_critical_at else since)
    span = duration_text(quiet, parts=2)
    measured = (
        f"last critical {span} ago" if is_newer else f"no critical in the {span} it is observed"
    )
    return passed(quiet >= parse_duration(wanted)), measured, threshold
