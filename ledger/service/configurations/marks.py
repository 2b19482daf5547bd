"""What people say about a configuration: a tag, that it is stable, that it did harm."""

from __future__ import annotations

from collections.abc import Callable

from ledger.domain.configurations import decide as configurations
from ledger.domain.decision import Decision
from ledger.domain.state import SystemState
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger


def mark(
    ledger: Ledger,
    system: str,
    name: str,
    rule: Callable[[SystemState, str], Decision],
    origin: Origin,
) -> tuple[str, Decision]:
    """Mark the configuration that ``name`` means, as ``rule`` decides; return its fingerprint, and that.

    Its bytes are remembered on this machine, so that a rollback to it works while the ledger is away.

    Raises:
        UnknownName, AmbiguousName: see `configurations.resolve`.
    """
    fingerprint = ""

    def decide(state: SystemState) -> Decision:
        nonlocal fingerprint
        fingerprint = configurations.resolve(state, name)
        return rule(state, fingerprint)

    state, decision = ledger.recorder.decide(system, decide, origin)
    if decision.events:
        for file in state.configs[fingerprint].files:
            ledger.blob(file.sha256)
        ledger.blob(fingerprint)
    return fingerprint, decision
