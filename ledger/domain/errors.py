"""The exception tree. The class says what happened, the instance says to what, the edge translates.

    LedgerError                       L000  exit 1
    ├── UsageError                    L100  exit 2   the command's words are off
    │   ├── BadInput                  L101  exit 2   a file, a line, a key is not what was expected
    │   ├── UnknownName               L102  exit 2   no such system, fingerprint, tag, alert, ...
    │   │   └── UnknownSystem         L106  exit 2   ... no such system
    │   ├── AmbiguousName             L103  exit 2   a short fingerprint fits several
    │   ├── NameTaken                 L104  exit 2   a tag or a system name is in use
    │   └── ReasonRequired            L105  exit 2   raising exposure needs a reason or --yes
    ├── Refused                       L200  exit 3   the rules say no; nothing was changed
    │   ├── TransitionRefused         L201  exit 3   e.g. paused -> real
    │   ├── NothingStable             L202  exit 3   there is no fingerprint to go back to
    │   ├── SecretMissing             L203  exit 3   a secret can't be put back
    │   ├── DriftFound                L204  exit 3   the world differs from the ledger
    │   └── GateClosed                L205  exit 3   the evidence says no: NO_GO
    ├── Conflict                      L300  exit 5   it moved on since you looked; read it again
    │   ├── StaleRevision             L301  exit 5   an expected revision no longer holds
    │   ├── EventIdReused             L302  exit 5   the id was used for other content
    │   └── OperationInProgress       L303  exit 5   another operator is at work on this system
    │       └── ReplicaInUse          L304  exit 5   ... on the audit replica (projections/audit)
    ├── TimedOut                      L400  exit 6   no confirmation within the time allowed
    │   └── ToldNothing               L401  exit 6   ... nor any to come: no way to the system
    ├── IntegrityFailure              L500  exit 7   the log is not what was recorded
    │   ├── InvariantViolated         L501  exit 7   our own bug: state that can't be
    │   ├── ArchiveDamaged            L502  exit 7   ... and an archive what was sealed (projections/archive)
    │   └── UnreadEvents              L503  exit 7   the log holds what this program can't read
    ├── ApprovalNeeded                L600  exit 8   somebody has to say yes
    ├── Unreachable                   L700  exit 9   Postgres, an admin interface can't be reached
    │   ├── LedgerUnreachable         L701  exit 9
    │   │   └── RightMissing              L705  exit 9   this login may not do that
    │   ├── SchemaMissing             L702  exit 9   the migration has not run
    │   ├── SchemaNewer               L703  exit 9   the ledger is newer than this program
    │   ├── NotCarried                L704  exit 9   no actuator took it (domain/actuation.py)
    │   └── NotRestarted              L706  exit 9   the system's restart command failed
    ├── FileProblem                   L800  exit 1   a file of ours or of the system
    │   ├── FileNotWritten            L801  exit 1   ... could not be written
    │   └── FileNotRead               L802  exit 1   ... could not be read
    └── Inconclusive                  L900  exit 4   there is not enough evidence to say yes or no

Every instance carries one clear sentence and, where there is one, the next step (``hint``).
"""

from __future__ import annotations

from typing import ClassVar


class LedgerError(Exception):
    """Something that a person should read as one sentence, with a next step. Never a traceback."""

    code: ClassVar[str] = "L000"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(LedgerError):
    """The command's words are off."""

    code = "L100"
    exit_code = 2


class BadInput(UsageError):
    """A file, a line or a key is not what was expected."""

    code = "L101"


class UnknownName(UsageError):
    """There is no system, fingerprint, tag, alert or incident of that name."""

    code = "L102"


class UnknownSystem(UnknownName):
    """There is no system of that name."""

    code = "L106"

    def __init__(self, system: str) -> None:
        super().__init__(
            f"There is no system {system!r} in this ledger.",
            hint=f"rollout system list shows them; rollout system add {system} registers it",
        )
        self.system = system


class AmbiguousName(UsageError):
    """A short name fits several things."""

    code = "L103"


class NameTaken(UsageError):
    """A name is in use for something else."""

    code = "L104"


class ReasonRequired(UsageError):
    """Raising exposure needs a person, a reason and a yes."""

    code = "L105"


class Refused(LedgerError):
    """The rules say no. Nothing was changed."""

    code = "L200"
    exit_code = 3


class TransitionRefused(Refused):
    """That mode can't be reached from this one."""

    code = "L201"


class NothingStable(Refused):
    """No fingerprint qualifies as the last stable one."""

    code = "L202"


class SecretMissing(Refused):
    """A secret value can't be put back: it is neither in place nor in the environment."""

    code = "L203"


class DriftFound(Refused):
    """The world differs from what the ledger says."""

    code = "L204"


class GateClosed(Refused):
    """The evidence says no."""

    code = "L205"


class Conflict(LedgerError):
    """Things moved on since you looked. Read again, then decide again."""

    code = "L300"
    exit_code = 5


class StaleRevision(Conflict):
    """An expected revision no longer holds."""

    code = "L301"


class EventIdReused(Conflict):
    """The event id was used before, for other content."""

    code = "L302"


class OperationInProgress(Conflict):
    """Another operator is at work on this system."""

    code = "L303"


class TimedOut(LedgerError):
    """No confirmation came within the time allowed."""

    code = "L400"
    exit_code = 6


class ToldNothing(TimedOut):
    """No way to the system is registered: it was told nothing, and the decision is recorded only."""

    code = "L401"


class IntegrityFailure(LedgerError):
    """The log is not what was recorded."""

    code = "L500"
    exit_code = 7


class UnreadEvents(IntegrityFailure):
    """The log holds what this program can't read, and nobody has answered it."""

    code = "L503"


class InvariantViolated(IntegrityFailure):
    """Our own bug: a state that can't be."""

    code = "L501"


class ApprovalNeeded(LedgerError):
    """Somebody has to say yes first."""

    code = "L600"
    exit_code = 8


class Unreachable(LedgerError):
    """Something that this needs can't be reached."""

    code = "L700"
    exit_code = 9


class LedgerUnreachable(Unreachable):
    """Postgres can't be reached."""

    code = "L701"


class RightMissing(LedgerUnreachable):
    """The database is there, and this login may not do that in it."""

    code = "L705"


class SchemaMissing(Unreachable):
    """The database holds no ledger yet."""

    code = "L702"


class SchemaNewer(Unreachable):
    """The ledger was migrated by a newer version of this program."""

    code = "L703"


class NotRestarted(Unreachable):
    """The command that starts the system again failed, or did not end in time."""

    code = "L706"


class FileProblem(LedgerError):
    """A file could not be written or read."""

    code = "L800"


class FileNotWritten(FileProblem):
    """A file could not be written. What is in its place is untouched, or the sentence says so."""

    code = "L801"


class FileNotRead(FileProblem):
    """A file is there and could not be read."""

    code = "L802"


class Inconclusive(LedgerError):
    """There is not enough evidence to say yes or no, and that is never a yes."""

    code = "L900"
    exit_code = 4


def invariant(condition: bool, fact: str, /, **values: object) -> None:
    """Raise `InvariantViolated` unless ``condition`` holds; unlike ``assert`` it survives ``-O``."""
    if not condition:
        shown = ", ".join(f"{name}={value!r}" for name, value in values.items())
        raise InvariantViolated(f"{fact} ({shown})" if shown else fact)
