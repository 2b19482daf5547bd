"""What checks are given: facts, and a few questions that only the ledger can answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

from ledger.domain.clock import Clock
from ledger.domain.values.fingerprints import Value
from ledger.preflight.guard import Guard

Scalar: TypeAlias = bool | int | float | str
"""The value of a parameter."""

NewestMetric: TypeAlias = Callable[[str, Mapping[str, str]], tuple[Decimal, datetime] | None]
"""(metric, labels that must be among its own) -> the newest recorded value, and its time."""


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert that fires. ``severity``: critical, warning or info."""

    name: str
    severity: str
    since: datetime


@dataclass(frozen=True, slots=True)
class SignOff:
    """Somebody said yes, in a role, and it still counts (nothing it was for has changed since)."""

    role: str
    who: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckContext:
    """What the checks of one run may look at.

    Where something is None, nobody could find out, and a check that needs it is an ERROR: that is
    another thing than an empty tuple, which says that there is none (I8).
    """

    system: str
    clock: Clock
    """Tells what the age of something is counted to. Time-outs are real time, whatever it says."""
    params: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    """As `params.effective` gives them; `${name}` in a check stands for one."""
    base: Path = Path()
    """What relative paths begin at."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of programs that are started, and of `${VARIABLE}` in a DSN."""
    config_in_force: Value | None = None
    """The resolved configuration that the ledger says is in force, secrets as digests."""
    config_in_place: Value | None = None
    """The resolved configuration that lies in the system's files, secrets as digests."""
    open_alerts: tuple[OpenAlert, ...] | None = None
    last_critical_at: datetime | None = None
    """When a critical alert last fired or ended; None: never since `observed_since`."""
    observed_since: datetime | None = None
    """Since when somebody looked without a break, so that silence means something."""
    sign_offs: tuple[SignOff, ...] | None = None
    """Those that count now."""
    verified_backup_at: datetime | None = None
    """When the backup was made that was last verified; None: there is none."""
    newest_metric: NewestMetric | None = None
    ledger_head: Callable[[], int] | None = None
    """Ask the ledger, in the role that writes, for its last position; raises a `LedgerError`."""
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)
    """Held while the ledger is asked: its connection is one, and checks are many."""
    guard: Guard = field(default_factory=Guard)
    """Each check of a run gets its own: where it leaves how to end what it begins."""
