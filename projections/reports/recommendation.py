"""What the numbers recommend, and why. It decides nothing: it is open until somebody approves it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from ledger.domain.events import CriterionResult
from ledger.domain.gates.verdicts import Verdict, of_criteria
from ledger.domain.state import SystemState
from ledger.domain.values.moments import iso
from ledger.profiles.phases import Phase
from ledger.profiles.plan import Plan
from projections.reports.details import said
from projections.reports.evidence import Doubt, missing
from projections.reports.slices import Compared
from projections.reports.window import Window
from projections.reports.words import Words

Action = Literal["expand", "hold", "go_back"]
Approval = Literal["open", "asked", "approved", "denied", "lapsed"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason; ``key`` is of the words, whole: ``canary.reason.failed``."""

    key: str
    about: Mapping[str, str]

    def text(self, words: Words) -> str:
        """Return it as a sentence."""
        what = words(self.key, **{name: said(text, words) for name, text in self.about.items()})
        if self.key.startswith("canary.missing."):
            return words("canary.word.of", name=self.about["name"], what=what)
        return what


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Go on to ``next_phase``, stay, or go back; with the state of the approval that this needs."""

    action: Action
    reasons: tuple[Reason, ...]
    next_phase: str | None
    next_scope: Mapping[str, tuple[str, ...]]
    approval: Approval
    approvals: tuple[Mapping[str, Any], ...]
    """Who said yes: name, role, signed_on."""
    wanted: Mapping[str, int]
    """How many of each role have to."""
    denied_by: str = ""


def recommendation(
    plan: Plan | None,
    phase: Phase | None,
    criteria: tuple[CriterionResult, ...],
    slices: Compared,
    doubts: Iterable[Doubt],
    alerts_open: Iterable[str],
    state: SystemState,
    window: Window,
    now: datetime,
) -> Recommendation:
    """Return what follows from the evidence. ``state`` is the present one: approvals are of today."""
    verdict = of_criteria(criteria)
    reasons = list(_of_criteria(criteria))
    back = verdict is Verdict.NO_GO
    if any(run.crashed for run in window.runs):
        reasons.append(Reason("canary.reason.crashed", {}))
    standing = list(alerts_open)
    if standing:
        reasons.append(Reason("canary.reason.alerts", {"alerts": ", ".join(standing)}))
    failed = [name for name, result in slices.results.items() if result == "fail"]
    if failed:
        reasons.append(Reason("canary.reason.slices", {"slices": ", ".join(failed)}))
    # A criterion may hold without them; that nobody saw them is no yes all the same (I8).
    unseen = [
        name for name, result in slices.results.items() if result in {"no_data", "inconclusive"}
    ]
    if unseen:
        reasons.append(Reason("canary.reason.slices_unseen", {"slices": ", ".join(unseen)}))
    reasons += [Reason(f"canary.doubt.{one.key}", dict(one.about)) for one in doubts if one.serious]
    action: Action = "go_back" if back else "hold" if reasons or not verdict.opens else "expand"
    if not criteria:
        reasons.insert(0, Reason("canary.reason.no_criteria", {}))
    if verdict.opens:
        key = "canary.reason.waived" if verdict is Verdict.WAIVED else "canary.reason.passed"
        waived = ", ".join(one.name for one in criteria if one.waived_by is not None)
        reasons.insert(0, Reason(key, {"count": str(len(criteria)), "waived": waived}))
    following = _following(plan, phase)
    approval, approvals, denied_by = _approval(state, following, window, now)
    wanted = following.entry.approvals.roles if following and following.entry.approvals else {}
    name, scope = (following.name, following.scope) if following is not None else (None, {})
    return Recommendation(
        action, tuple(reasons), name, scope, approval, approvals, wanted, denied_by
    )


def _of_criteria(criteria: tuple[CriterionResult, ...]) -> Iterable[Reason]:
    standing = [one for one in criteria if one.waived_by is None]
    for one in sorted(standing, key=lambda one: one.result != "fail"):  # the worst first
        if one.result == "fail":
            about = {"name": one.name, "threshold": one.threshold, "detail": one.detail}
            yield Reason("canary.reason.failed", about | {"measured": one.measured or "—"})
        elif one.result == "inconclusive":
            key, named = missing(one)
            yield Reason(f"canary.missing.{key}", named)


def _following(plan: Plan | None, phase: Phase | None) -> Phase | None:
    if plan is None or phase is None:
        return None
    names = [each.name for each in plan.profile.phases]
    index = names.index(phase.name) + 1
    return plan.profile.phases[index] if index < len(names) else None


def _approval(
    state: SystemState, following: Phase | None, window: Window, now: datetime
) -> tuple[Approval, tuple[Mapping[str, Any], ...], str]:
    subject = f"phase:{following.name}" if following is not None else ""
    request = next((a for a in state.approvals.values() if a.subject == subject), None)
    # What was asked before there was any of this evidence is no yes to what it recommends.
    if request is None or request.at < iso(window.since):
        return "open", (), ""
    granted = tuple(
        {"name": one.name, "role": one.role, "signed_on": one.signed_on} for one in request.granted
    )
    if request.status == "denied":
        return "denied", granted, request.ended_by or ""
    if request.status != "open" or request.expires_at <= iso(now):
        return "lapsed", granted, ""
    given = [one.role for one in request.granted]
    whole = all(given.count(role) >= count for role, count in request.roles.items())
    return ("approved" if whole else "asked"), granted, ""
