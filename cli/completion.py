"""What the shell completes: systems, fingerprints, names of the plan, from what this machine remembers.

Completion must be instant and silent, so it reads the local memory and never opens a connection.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias

import click
import orjson
from click.shell_completion import CompletionItem

from ledger.domain.state import SystemState
from ledger.service.core.local_cache import LocalMemory, memory_at
from ledger.store.dsn import place_of

Completer: TypeAlias = Callable[[click.Context, click.Parameter, str], list[str]]


def _memory(context: click.Context) -> LocalMemory:
    from ledger.store.embedded import default_home

    given = context.find_root().params
    home = given.get("home") or default_home(os.environ)
    return memory_at(Path(home), place_of(given.get("dsn"), os.environ))


def _state(context: click.Context) -> SystemState | None:
    """Return what is remembered of the system on the command line."""
    # Where the option that is completed ends the line, click leaves all words unparsed in `args`.
    return _memory(context).recall(context.params.get("system") or next(iter(context.args), ""))


def completer(names: Callable[[click.Context], Iterable[str]]) -> Completer:
    """Return what completes a word by the ``names`` that there are."""

    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
        return [name for name in names(context) if name.startswith(incomplete)]

    return complete


def _of_state(pick: Callable[[SystemState], Iterable[str]]) -> Completer:
    """Return what completes a word by what ``pick`` takes from the state of the system before it."""

    def names(context: click.Context) -> Iterable[str]:
        state = _state(context)
        return pick(state) if state is not None else ()

    return completer(names)


def complete_fingerprint(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the tags and fingerprints of the system on the command line."""
    state = _state(context)
    if state is None:
        return []
    tags = [CompletionItem(tag, help=short[7:19]) for tag, short in sorted(state.tags.items())]
    prints = [CompletionItem(name[7:19]) for name in state.configs]
    return [item for item in tags + prints if item.value.startswith(incomplete)]


def _approved(state: SystemState) -> list[str]:
    if state.profile is None:
        return []
    phases = [f"phase:{phase.name}" for phase in state.profile.phases if phase.approvals]
    return phases + [
        f"mode:{mode}" for mode, guard in state.profile.guards.items() if guard.approvals
    ]


def _waivable(context: click.Context) -> Iterable[str]:
    plan = _plan(context)
    phases = plan.get("phases", ())
    yield from (f"check:{check['name']}" for check in plan.get("checks", ()))
    yield from (
        f"criterion:{p['name']}/{one['name']}" for p in phases for one in p.get("success", ())
    )
    yield from (f"mode:{mode}" for mode in plan.get("modes", {}))
    yield from (f"phase:{phase['name']}" for phase in phases)


def _plan(context: click.Context) -> dict[str, Any]:
    """Return the profile of the system on the command line as its file has it; empty if unknown."""
    state = _state(context)
    if state is None or state.profile is None:
        return {}
    content = _memory(context).blob(state.profile.fingerprint.removeprefix("sha256:"))
    return orjson.loads(content)["profile"] if content else {}


complete_system = completer(lambda context: _memory(context).systems())
complete_phase = _of_state(
    lambda state: (
        [phase.name for phase in state.profile.phases] if state.profile is not None else []
    )
)
complete_approval = _of_state(_approved)
"""What the plan wants approvals of: phase:NAME, mode:NAME."""
complete_request = _of_state(
    lambda state: (name for name, one in state.approvals.items() if one.status == "open")
)
complete_waiver = _of_state(lambda state: state.waivers)
complete_alert = _of_state(lambda state: state.alerts)
complete_silence = _of_state(lambda state: state.silences)
complete_incident = _of_state(lambda state: state.incidents)
complete_waivable = completer(_waivable)
"""The checks, criteria, modes and phases of the plan."""
complete_mitigation = completer(lambda context: _plan(context).get("mitigations", {}))


def _shipped(_context: click.Context) -> Iterable[str]:
    from ledger.profiles import shipped  # finds installed data: a pause has no use for it

    return shipped.names()


complete_shipped_plan = completer(_shipped)
