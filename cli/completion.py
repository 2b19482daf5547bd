"""What the shell completes: systems, fingerprints and tags, from what this machine remembers.

Completion must be instant and silent, so it reads the local memory and never opens a connection.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from ledger.service.memory import LocalMemory


def _memory(context: click.Context) -> LocalMemory:
    from ledger.service.memory import memory_at
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


def complete_mitigation(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the mitigations of the plan of the system on the command line."""
    import orjson
    from click.shell_completion import CompletionItem

    memory = _memory(context)
    state = memory.recall(context.params.get("system") or next(iter(context.args), ""))
    if state is None or state.profile is None:
        return []
    content = memory.blob(state.profile["fingerprint"].removeprefix("sha256:"))
    names = orjson.loads(content)["profile"].get("mitigations", {}) if content else {}
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
