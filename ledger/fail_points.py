"""Named places where a test may kill the process, as a power cut would (I12).

Each stands between two steps that a crash could part. Without ROLLOUT_FAIL_AT they cost a dictionary look-up.
The crash tests go through `NAMES` one by one, so a new place is tested by being named.
"""

from __future__ import annotations

import os
import signal
from typing import Final

NAMES: Final = frozenset(
    {
        "switch.after_intent",
        "switch.after_act",
        "switch.after_outcome",
        "apply.after_intent",
        "apply.after_file",
        "apply.before_outcome",
        "apply.after_outcome",
        "phase.after_register",
        "rollback.after_intent",
        "rollback.after_file",
        "rollback.after_step",
        "rollback.before_outcome",
        "rollback.after_outcome",
        "code.after_checkout",
        "code.after_restart",
        "pause.after_spool_intent",
        "pause.after_act",
        "pause.after_spool_outcome",
        "spool.after_append",
        "import.after_blobs",
        "import.between_batches",
        "import.before_summary",
        "backup.after_piece",
        "backup.before_name",
        "backup.before_record",
        "restore.after_blobs",
        "restore.after_batch",
        "verify.after_restore",
        "sync.after_copy",
        "sync.before_commit",
        "sync.after_commit",
        "rebuild.after_batch",
        "rebuild.before_swap",
        "rebuild.after_swap",
        "catch_up.after_batch",
        "run.after_intent",
        "watch.after_evaluate",
        "watch.before_act",
        "watch.after_act",
        "mitigate.after_intent",
        "mitigate.after_act",
        "archive.before_check",
        "archive.before_rename",
        "archive.after_rename",
        "lift.after_intent",
        "notify.before_send",
        "notify.after_send",
    }
)


def reach(name: str) -> None:
    """Die here, at once and without clean-up, if ROLLOUT_FAIL_AT names this place."""
    if os.environ.get("ROLLOUT_FAIL_AT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
