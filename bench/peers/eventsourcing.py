"""eventsourcing: the Python library with a Postgres recorder, in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from psycopg.conninfo import conninfo_to_dict

from bench import payload
from bench.peers import PeerMissing

NAME: Final = "eventsourcing"
PACKAGES: Final = ("eventsourcing[postgres]", "psycopg[binary,pool]")
WORKER: Final = Path(__file__).with_name("eventsourcing_worker.py")


def fetch(folder: Path) -> Path:
    """Return the Python of an environment with the library in it, made in ``folder`` if need be.

    Raises:
        PeerMissing: there is no package index that pip can reach.
    """
    folder = folder / "eventsourcing"
    python, ready = folder / "bin" / "python", folder / "installed"
    if not ready.exists():
        make = [sys.executable, "-m", "venv", "--clear", str(folder)]
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for words in (make, [*install, *PACKAGES]):
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                reason = (done.stderr or done.stdout).strip().splitlines()
                raise PeerMissing(f"pip could not install it: {reason[-1] if reason else '?'}")
        ready.touch()
    return python


class Writer:
    """Inserts events through the library's application recorder, in a process of its own."""

    def __init__(self, dsn: str, python: Path) -> None:
        """Start the process and make the library's tables in the empty database at ``dsn``."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        self._process = subprocess.Popen(
            [str(python), "-P", str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment,
        )  # fmt: skip
        parts = conninfo_to_dict(dsn)
        datastore = {
            "dbname": parts["dbname"],
            "host": parts.get("host", ""),
            "port": parts.get("port", "5432"),
            "user": parts.get("user", ""),
            "password": parts.get("password", ""),
        }
        body = payload.body(0).decode()
        self._order("open", datastore=datastore, streams=payload.STREAMS, body=body)

    def rate(self, count: int, size: int) -> float:
        """Insert ``count`` batches of ``size`` events; return events a second, timed over there."""
        return count * size / float(self._order("insert", count=count, size=size))

    def version(self) -> str:
        """Return the library's version."""
        return str(self._order("version"))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def _order(self, what: str, **details: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": what, **details}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the eventsourcing process ended with {self._process.wait(30)}")
        return json.loads(answer)
