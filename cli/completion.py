"""What the shell completes: systems, fingerprints, names of the plan, from what this machine remembers.

Completion must be instant and silent, so it reads the local memory and never opens a connection.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from ledger.domain.state import SystemState
    from ledger.service.core.local_cache import LocalMemory

    Completer: TypeAlias = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _memory(context: click.Context) -> LocalMemory:
    from ledger.service.core.local_cache import memory_at
    from ledger.store.dsn import place_of
    from ledger.store.embedded import default_home

    given = context.find_root().params
    home = given.get("home") or default_home(os.environ)
    return memory_at(Path(home), place_of(given.get("dsn"), os.environ))


def complete_system(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the systems that begin with ``incomplete``."""
    from click.shell_completion import CompletionItem

    names = _memory(context).systems()
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_fingerprint(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the tags and fingerprints of the system on the command line."""
    from click.shell_completion import CompletionItem

    # Where the option that is completed ends the line, click leaves all words unparsed in `args`.
    system = context.params.get("system") or next(iter(context.args), "")
    state = _memory(context).recall(system)
    if state is None:
        return []
    tags = [CompletionItem(tag, help=short[7:19]) for tag, short in sorted(state.tags.items())]
    prints = [CompletionItem(name[7:19]) for name in state.configs]
    return [item for item in tags + prints if item.value.startswith(incomplete)]


def _completer(pick: Callable[[SystemState], Iterable[str]]) -> Completer:
    """Return what completes a word by what ``pick`` takes from the state of the system before it."""

    def complete(
        context: click.Context, _parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        system = context.params.get("system") or next(iter(context.args), "")
        state = _memory(context).recall(system)
        names = pick(state) if state is not None else ()
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]

    return complete


def _phases(state: SystemState) -> list[str]:
    return [phase.name for phase in state.profile.phases] if state.profile is not None else []


def _approved(state: SystemState) -> list[str]:
    if state.profile is None:
        return []
    phases = [f"phase:{phase.name}" for phase in state.profile.phases if phase.approvals]
    return phases + [
        f"mode:{mode}" for mode, guard in state.profile.guards.items() if guard.approvals
    ]


complete_phase = _completer(_phases)
complete_approval = _completer(_approved)
"""What the plan wants approvals of: phase:NAME, mode:NAME."""
complete_request = _completer(
    lambda state: (name for name, one in state.approvals.items() if one["status"] == "open")
)
complete_waiver = _completer(lambda state: state.waivers)
complete_alert = _completer(lambda state: state.alerts)
complete_silence = _completer(lambda state: state.silences)
complete_incident = _completer(lambda state: state.incidents)


def complete_waivable(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the checks, criteria, modes and phases of the plan of the system on the command line."""
    from click.shell_completion import CompletionItem

    plan = _plan(context)
    phases = plan.get("phases", ())
    names = [
        *(f"check:{check['name']}" for check in plan.get("checks", ())),
        *(f"criterion:{p['name']}/{one['name']}" for p in phases for one in p.get("success", ())),
        *(f"mode:{mode}" for mode in plan.get("modes", {})),
        *(f"phase:{phase['name']}" for phase in phases),
    ]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_mitigation(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the mitigations of the plan of the system on the command line."""
    from click.shell_completion import CompletionItem

    names = _plan(context).get("mitigations", {})
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _plan(context: click.Context) -> dict[str, Any]:
    """Return the profile of the system on the command line as its file has it; empty if unknown."""
    import orjson

    memory = _memory(context)
    state = memory.recall(context.params.get("system") or next(iter(context.args), ""))
    if state is None or state.profile is None:
        return {}
    content = memory.blob(state.profile.fingerprint.removeprefix("sha256:"))
    return orjson.loads(content)["profile"] if content else {}
