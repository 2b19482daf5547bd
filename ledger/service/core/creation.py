"""The ledger's own first event."""

from __future__ import annotations

from ledger.domain import events
from ledger.domain.log.ids import LEDGER_STREAM, uuid7
from ledger.service.core.recorder import Origin, Recorder

PROGRAM_VERSION = "0.1.0"


def create_ledger(recorder: Recorder, origin: Origin) -> bool:
    """Append `LedgerCreated` at position 1, unless the log has begun. Returns whether it did."""
    if recorder.store.head().position > 0:
        return False
    born = events.LedgerCreated(ledger_id=str(uuid7()), program_version=PROGRAM_VERSION)
    # Two commands that start at once both try: revision 0 lets one of them win, the other finds it done.
    new = recorder.prepare(born, origin, stream=LEDGER_STREAM, system=None, expected_revision=0)
    return recorder.store.append([new])[0].outcome == "appended"
