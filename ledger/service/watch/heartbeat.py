"""The watch's sign of life, and whether it was missed: safety code has to be watched itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from ledger import files, web
from ledger.domain.errors import FileProblem, LedgerError
from ledger.domain.values.moments import iso


def beat(
    home: Path,
    system: str,
    now: datetime,
    url: str | None,
    say: Callable[[str], None],
    *,
    away: bool,
) -> None:
    """Leave a sign of life: here for whoever looks on this machine, and at the heartbeat URL."""
    sign = {"at": iso(now), "pid": os.getpid(), "away": away}
    try:
        files.write_atomically(heartbeat_file(home, system), orjson.dumps(sign), create_folder=True)
    except FileProblem as problem:
        say(f"warning: {problem.message}")
    if url is not None:
        _ask(url, say)


def heartbeat_file(home: Path, system: str) -> Path:
    """Return the file in which the watch of a system leaves its sign of life."""
    return home / "watch" / f"{system.replace('/', '%2F')}.json"


def last_beat(home: Path, system: str) -> datetime | None:
    """Return when the watch of a system last left a sign of life on this machine."""
    content = files.read_bounded(heartbeat_file(home, system), bytes_max=10_000)
    if content is None:
        return None
    try:
        return datetime.fromisoformat(orjson.loads(content)["at"]).astimezone(UTC)
    except (ValueError, KeyError, TypeError):
        return None


def _ask(url: str, say: Callable[[str], None]) -> None:
    try:
        web.request(web.with_variables(url, os.environ, "watch.heartbeat_url"), timeout_seconds=2)
    except LedgerError as problem:
        say(f"warning: the heartbeat: {problem.message}")


def silent_for(last: datetime | None, now: datetime, allowed: timedelta) -> int | None:
    """Return for how many seconds nobody watched, where that is longer than ``allowed``."""
    if last is None or now - last <= allowed:
        return None
    return int((now - last).total_seconds())
