"""Verdicts. No evidence is not a pass (I8)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from ledger.domain.gates.state import Waiver
from ledger.domain.state import SystemState
from ledger.domain.values.moments import iso

if TYPE_CHECKING:
    from ledger.domain.gates.events import CheckResult, CriterionResult

BLOCKING: Final = frozenset({"P0"})
"""Priorities whose failure is NO_GO, where the plan names no others."""


class Verdict(StrEnum):
    """The verdict of a gate."""

    GO = "GO"
    NO_GO = "NO_GO"
    INCONCLUSIVE = "INCONCLUSIVE"
    WAIVED = "WAIVED"
    """It would not be GO but for a person who takes that on themselves."""

    @property
    def opens(self) -> bool:
        """Whether one may go on."""
        return self in {Verdict.GO, Verdict.WAIVED}


def of_checks(results: Iterable[CheckResult], blocking: Collection[str] = BLOCKING) -> Verdict:
    """Return the verdict of checks.

    A check of a blocking priority that failed, threw or was skipped is NO_GO, unless a waiver lets it
    pass. WARN never blocks. If no check measured anything, or every one was waived, that is
    INCONCLUSIVE.
    """
    results = tuple(results)
    stopped = [
        result
        for result in results
        if result.priority in blocking and result.result in {"FAIL", "ERROR", "SKIP"}
    ]
    if any(result.waived_by is None for result in stopped):
        return Verdict.NO_GO
    if not any(result.result in {"PASS", "WARN"} for result in results):
        return Verdict.INCONCLUSIVE
    return Verdict.WAIVED if stopped else Verdict.GO


def of_criteria(criteria: Iterable[CriterionResult]) -> Verdict:
    """Return the verdict of success criteria: one that fails is NO_GO, one that can't tell blocks."""
    criteria = tuple(criteria)
    open_ = [criterion for criterion in criteria if criterion.waived_by is None]
    if any(criterion.result == "fail" for criterion in open_):
        return Verdict.NO_GO
    if not open_ or any(criterion.result == "inconclusive" for criterion in open_):
        return Verdict.INCONCLUSIVE
    waived = any(
        criterion.waived_by is not None and criterion.result in {"fail", "inconclusive"}
        for criterion in criteria
    )
    return Verdict.WAIVED if waived else Verdict.GO


def waiver_for(state: SystemState, subject: str, now: datetime) -> str | None:
    """Return the waiver that lets ``subject`` pass at ``now``, if there is one."""
    return next((name for name, waiver in standing_waivers(state, now).items()
                 if waiver.subject == subject), None)  # fmt: skip


def standing_waivers(state: SystemState, now: datetime) -> dict[str, Waiver]:
    """Return the waivers that have not expired at ``now``."""
    moment = iso(now)
    return {name: waiver for name, waiver in state.waivers.items() if waiver.until > moment}
