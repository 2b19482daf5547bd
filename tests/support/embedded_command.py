"""A command that uses the embedded server, as a process of its own.

    python -m tests.support.embedded_command HOME ensure|find|stop|status PROGRAMS TIMEOUT [UID]

Prints one JSON object; ends with the error's exit code.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from ledger.domain.errors import LedgerError
from ledger.store import server_start
from ledger.store.embedded import EmbeddedPostgres

# What the server's start needs is loaded before stepping down: see Identity.command.
LOADED = server_start


def main(home: str, action: str, programs: str, timeout_seconds: str, uid: str) -> int:
    """Do ``action`` and say what came of it."""
    if uid:
        os.setgroups([])
        os.setgid(int(uid))
        os.setuid(int(uid))
    started = time.perf_counter()
    said: dict[str, object] = {}
    code = 0
    try:
        server = EmbeddedPostgres(Path(home), programs=Path(programs) if programs else None)
        if action == "ensure":
            said["conninfo"] = server.ensure_running(float(timeout_seconds))
        elif action == "find":
            said["conninfo"] = server.find()
        elif action == "stop":
            said["state"] = "stopped" if server.stop(float(timeout_seconds)) else "nothing to stop"
        else:
            said["state"] = server.status().state
    except LedgerError as error:
        said = {"error": error.message, "hint": error.hint or ""}
        code = error.exit_code
    said["seconds"] = time.perf_counter() - started
    sys.stdout.write(json.dumps(said))
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
