"""How each kind of check measures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ledger.preflight.context import CheckContext
from ledger.preflight.finding import Outcome
from ledger.preflight.kinds import (
    code,
    disks,
    files,
    http,
    parsing,
    programs,
    recorded,
    secrets,
    sql,
)
from ledger.preflight.specs import Check

Measure = Callable[[Any, CheckContext], Outcome]

MEASURES: Final[dict[str, Measure]] = {
    "alerts_open": recorded.alerts_open,
    "backup": recorded.backup,
    "code_revision": code.code_revision,
    "command": programs.command,
    "config_key": recorded.config_key,
    "disk_space": disks.disk_space,
    "file": files.file,
    "http": http.http,
    "json_thresholds": parsing.json_thresholds,
    "ledger": recorded.ledger,
    "metric": recorded.metric,
    "program_version": programs.program_version,
    "secret_scan": secrets.secret_scan,
    "sign_offs": recorded.sign_offs,
    "sql_freshness": sql.sql_freshness,
    "writable": disks.writable,
    "yaml_parses": parsing.yaml_parses,
}


def measure(check: Check, context: CheckContext) -> Outcome:
    """Return what ``check``, its parameters put in, finds.

    Raises:
        CheckError, LedgerError: it can't tell.
    """
    return MEASURES[getattr(check, "kind", "")](check, context)
