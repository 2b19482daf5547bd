"""Nothing that is overwritten is lost: what stands in place is kept before it is replaced."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ledger import files
from ledger.configuration.snapshot import Snapshot
from ledger.domain.configurations import decide as configurations
from ledger.domain.errors import FileProblem, LedgerError, LedgerUnreachable
from ledger.domain.state import SystemState
from ledger.service.configurations.comparison import standing_in
from ledger.service.configurations.registration import keep, registration_of
from ledger.service.core.actuators import World
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger


def save_unknown(ledger: Ledger, state: SystemState, world: World, origin: Origin) -> None:
    """Keep what is about to be overwritten, if the ledger has never seen it.

    Where the ledger can't hold it (it is broken, or its secrets can't be cut out), this machine keeps a
    private copy instead: that must not stand in the way of a rollback.

    Raises:
        LedgerUnreachable: the ledger is away; nothing was kept.
        FileProblem: no copy can be written; nothing was touched.
    """
    try:
        standing = standing_in(ledger, world)
        if standing is None or _is_known(state, standing):
            return
        keep(ledger, standing, origin)
        registered = registration_of(standing, source="found in place")
        ledger.recorder.decide(
            state.system, lambda state: configurations.register(state, registered), origin
        )
    except LedgerUnreachable:
        raise
    except LedgerError as problem:
        ledger.warn(f"the ledger can't keep what stands in place: {problem.message}")
        _copy_all(ledger, state.system, world)


def copy_unknown(ledger: Ledger, state: SystemState, world: World) -> None:
    """As `save_unknown` without the ledger: what it may not have seen is kept on this machine.

    Raises:
        FileProblem: it can't be written; nothing was touched.
    """
    try:
        standing = standing_in(ledger, world)
    except LedgerError:
        is_kept = False
    else:
        is_kept = standing is None or _is_known(state, standing)
    if not is_kept:
        _copy_all(ledger, state.system, world)


def _copy_all(ledger: Ledger, system: str, world: World) -> None:
    for name, content in (world.configs.read() if world.configs else {}).items():
        path = world.config_files[name]
        ledger.warn(f"what stood in {path} is kept in {_copy(ledger, system, path, content)}")


def _is_known(state: SystemState, standing: Snapshot) -> bool:
    configuration = state.configs.get(standing.fingerprint)
    return configuration is not None and standing.snapshot_id in configuration.snapshots


def _copy(ledger: Ledger, system: str, path: Path, content: bytes) -> Path:
    """Keep ``content`` for its owner's eyes: in the home, or else beside the file."""
    moment = ledger.recorder.clock.now().strftime("%Y%m%dT%H%M%SZ")
    name = f"{path.name}.{moment}.{hashlib.sha256(content).hexdigest()[:8]}"
    copy = ledger.home / "replaced" / system.replace("/", "%2F") / name
    try:
        files.write_atomically(copy, content, create_folder=True, new_file_mode=0o600)
    except FileProblem:
        copy = path.with_name(f".{name}.replaced")
        files.write_atomically(copy, content, new_file_mode=0o600)
    return copy
