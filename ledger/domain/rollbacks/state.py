"""What the state of a system holds of a rollback. Pure data."""

from __future__ import annotations

from ledger.domain.state_part import StatePart
from ledger.domain.systems.state import CodePlace, ConfigFile


class CodeMove(StatePart, frozen=True, kw_only=True):
    """That the code goes back too: before the files, with a restart after them."""

    from_commit: str
    place: CodePlace
    ref: str
    """How the commit was named."""
    to_commit: str


class RollbackIntent(StatePart, frozen=True, kw_only=True):
    """The intent of a rollback: the data of RollbackRequested."""

    code: CodeMove | None = None
    files: tuple[ConfigFile, ...]
    from_fingerprint: str | None = None
    """What stood in place. None: it could be read as no configuration."""
    selector: str
    snapshot: str
    to_fingerprint: str
