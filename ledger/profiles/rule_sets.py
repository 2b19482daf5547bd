"""The rules that a plan is watched by: those of its rule files, and its phases' kill criteria."""

from __future__ import annotations

from ledger.alerts.promql import compile_expression
from ledger.alerts.rules import Action, AlertRule
from ledger.domain.alerts.naming import kill_name
from ledger.profiles.phases import Kill
from ledger.profiles.plan import Plan


def rules_of(plan: Plan) -> tuple[AlertRule, ...]:
    """Return the rules of a plan: those of its rule files, and its phases' kill criteria."""
    rules = [rule for file in plan.rule_files for rule in file.rules]
    rules += [kill_rule(phase.name, kill) for phase in plan.profile.phases for kill in phase.kill]
    return tuple(rules)


def kill_rule(phase: str, kill: Kill) -> AlertRule:
    """Return a kill criterion as the alert rule that it is."""
    return AlertRule(
        name=kill_name(phase, kill.name),
        expression=compile_expression(kill.expr, f"{phase}/{kill.name}"),
        for_=kill.for_,
        summary=kill.title or kill.expr,
        severity=kill.severity,
        action=Action(kill.action, kill.pause_kind, kill.target, kill.mitigation),
        no_data_for=kill.no_data_for,
        cooldown=kill.cooldown,
        applies_in=(("phase", phase),),
    )
