"""The world-facing side: what carries a decision into a running system, and reads it back.

`mode_actuators` makes what a system is configured with. Nothing here decides: whether a switch is
allowed is `ledger.domain.values.modes`' business, and recording it is the service's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from ledger.clock import SystemClock
from ledger.domain.errors import BadInput

if TYPE_CHECKING:
    from ledger.actuators.preferred import PreferredActuator
    from ledger.domain.clock import Clock

DEFAULT_CONTROL_FILE: Final = Path("data/control/mode.json")
_SYSTEM_CLOCK: Final = SystemClock()


def mode_actuators(
    *,
    http_admin_url: str | None,
    control_file: Path | None,
    confirm_timeout_seconds: float = 5.0,
    clock: Clock = _SYSTEM_CLOCK,
) -> PreferredActuator:
    """Return what carries a system's mode: its HTTP admin interface, its control file, or both.

    Raises:
        BadInput: neither was given, or the URL is off.
    """
    # Imported here because a pause must start quickly: the HTTP side is paid for only by a system
    # that has one.
    from ledger.actuators.control_file import ControlFile
    from ledger.actuators.preferred import PreferredActuator

    if http_admin_url is None and control_file is None:
        raise BadInput(
            "the system has neither an HTTP admin interface nor a control file",
            hint="give it one: --control-file PATH or --http-admin URL",
        )
    http_admin = None
    if http_admin_url is not None:
        from ledger.actuators.http_admin import HttpAdmin

        http_admin = HttpAdmin(
            http_admin_url, confirm_timeout_seconds=confirm_timeout_seconds, clock=clock
        )
    file = None if control_file is None else ControlFile(control_file, clock=clock)
    return PreferredActuator(http_admin=http_admin, control_file=file)
