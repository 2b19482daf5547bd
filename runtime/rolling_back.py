"""A rollback, through the ledger or by what this machine remembers of it (I33)."""

from __future__ import annotations

from ledger.domain.errors import FileProblem, LedgerError, LedgerUnreachable
from ledger.domain.rollbacks.decide import LAST_STABLE
from ledger.service import offline
from ledger.service.configurations.apply import ApplyResult
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger
from ledger.service.rollbacks.rollback import rollback
from runtime.wiring import Runtime


def roll_back(
    runtime: Runtime, system: str, selector: str, origin: Origin, *, code: str | None
) -> ApplyResult:
    """Roll ``system`` back to ``selector``, and its code to ``code``; without the ledger where that goes.

    Raises:
        LedgerUnreachable: the ledger is away, and the code was to go back too.
    """
    try:
        return rollback(_ledger(runtime), system, selector, origin, code=code)
    except LedgerUnreachable as problem:
        if code is not None:
            problem.hint = (
                "Without --code the configuration alone goes back, also without the ledger."
            )
            raise
        runtime.say("the ledger is away; going by what this machine remembers")
        away: LedgerError = problem
    except Exception as problem:
        # An event that can't be read keeps nobody from the last stable configuration (I33).
        if selector != LAST_STABLE or code is not None or not _is_unforeseen(problem):
            raise
        away = offline.unusable(problem)
        runtime.say(f"warning: without the ledger: {away.message}")
    return offline.rollback(runtime.offline_ledger, system, selector, origin, away)


def _ledger(runtime: Runtime) -> Ledger:
    """Return the ledger, also where what waits in the spool can't be read: that waits a little longer."""
    try:
        return runtime.ledger
    except FileProblem as problem:
        runtime.say(f"warning: what this machine did without the ledger waits: {problem.message}")
        return runtime.ledger_without_draining


def _is_unforeseen(problem: Exception) -> bool:
    """Tell whether the ledger failed as nobody foresaw, rather than gave an answer of a class of its own."""
    return type(problem) is LedgerError or not isinstance(problem, (LedgerError, OSError))
