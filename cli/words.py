"""Words that people type from other programs' habit, and the command that does it here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from ledger.domain.values.spelling import nearest

ELSEWHERE: Final = {
    "history": "log SYSTEM",
    "events": "log SYSTEM",
    "tail": "log SYSTEM --follow",
    "audit": "log SYSTEM",
    "undo": "rollback SYSTEM --last-stable",
    "revert": "rollback SYSTEM --last-stable",
    "diff": "config diff SYSTEM",
    "blame": "config blame SYSTEM",
    "apply": "config apply SYSTEM FINGERPRINT",
    "tag": "config tag SYSTEM FINGERPRINT TAG",
    "get": "status SYSTEM",
    "describe": "status SYSTEM",
    "info": "status SYSTEM",
    "state": "status SYSTEM",
    "ls": "system list",
    "list": "system list",
    "add": "system add SYSTEM",
    "register": "system add SYSTEM",
    "abort": "phase abort SYSTEM",
    "advance": "phase advance SYSTEM",
    "promote": "phase advance SYSTEM",
    "stop": "pause SYSTEM",
    "halt": "pause SYSTEM",
    "start": "resume SYSTEM",
    "unpause": "resume SYSTEM",
    "mode": "switch SYSTEM --to MODE",
    "ack": "alert ack SYSTEM ALERT",
    "silence": "alert silence SYSTEM MATCHER",
    "restore": "backup restore BACKUP",
    "query": "sql",
    "health": "doctor",
    "rebuild": "projections rebuild",
}
"""A word that is no command -> the command and its arguments."""
_IN_A_GROUP: Final = {
    "ls": "list",
    "get": "show",
    "describe": "show",
    "info": "show",
    "create": "add",
}
_OPTIONS: Final = {
    "--oneline": "nothing, since an event is one line",
    "--json": "-o json",
    "--format": "-o",
    "--tail": "--limit",
    "--lines": "--limit",
}
"""An option that is none -> what to write instead."""
_REMOVING: Final = frozenset({"rm", "remove", "delete", "del", "drop", "purge"})


def explained(error: click.UsageError, program: str = "rollout") -> click.UsageError:
    """Return ``error`` with the command that was meant, where a word is none and its meaning is known."""
    if isinstance(error, click.NoSuchOption) and error.option_name in _OPTIONS:
        meant = _OPTIONS[error.option_name]
        return click.UsageError(
            f"No such option {error.option_name!r}. Did you mean: {meant}?", error.ctx
        )
    group = error.ctx.command if error.ctx is not None else None
    if error.ctx is None or not isinstance(group, click.Group):
        return error
    word = _unknown_word(error.message)
    if word is None:
        return error
    commands = group.list_commands(error.ctx)
    meant = _meant(word, commands, error.ctx.command_path or program, top=error.ctx.parent is None)
    return click.UsageError(f"No such command {word!r}. {meant}", error.ctx) if meant else error


def _unknown_word(message: str) -> str | None:
    words = message.split("'")
    return words[1] if message.startswith("No such command") and len(words) > 2 else None


def _meant(word: str, commands: Sequence[str], path: str, *, top: bool) -> str | None:
    lowered = word.lower()
    if lowered in _REMOVING:
        return (
            "Nothing that was recorded is removed; what is over is closed, lifted or quarantined."
        )
    if top and lowered in ELSEWHERE:
        return f"Did you mean: rollout {ELSEWHERE[lowered]}?"
    here = _IN_A_GROUP.get(lowered, "")
    if not top and here in commands:
        return f"Did you mean: {path} {here}?"
    near = nearest(lowered, commands)
    return f"Did you mean: {path} {near}?" if near else None
