"""rollout recover, rollout drift."""

from __future__ import annotations

import click

from cli import options
from cli.completion import complete_system
from cli.output import Output, say
from cli.wiring import Runtime, pass_runtime
from ledger.domain.decisions.configurations import short


@click.command()
@click.argument("system", required=False, shell_complete=complete_system)
@options.reason
@options.output
@pass_runtime
def recover(runtime: Runtime, system: str | None, reason: str | None, output: Output) -> None:
    """Finish or give up what a crash left, append what was journalled, compare the world with the ledger.

    Prints the state to resume from. Exit 3 when something differs or stays open.

    \b
    Example:
      rollout recover bot
    """
    from ledger.service import recovery
    from ledger.service.offline import drain

    ledger = runtime.ledger_without_draining
    spooled = drain(ledger.spool, ledger)
    names = [system] if system else runtime.store.systems()
    rows = []
    for name in names:
        result = recovery.recover(ledger, name, runtime.origin(reason), spooled=spooled)
        rows.append(
            {
                "system": name,
                "resume_mode": f"{result.mode}/{result.pause_kind}"
                if result.pause_kind
                else result.mode,
                "resume_fingerprint": result.fingerprint,
                "completed": list(result.completed),
                "abandoned": list(result.abandoned),
                "spooled": spooled,
                "drift": {subject: dict(found) for subject, found in result.drift.items()},
                "problems": list(result.problems),
            }
        )
    runtime.catch_up()
    if output.format == "table":
        for row in rows:
            _tell(row)
    else:
        output.rows(rows)
    if any(row["drift"] or row["problems"] for row in rows):
        click.get_current_context().exit(3)


def _tell(row: dict) -> None:  # type: ignore[type-arg] -- a printed record
    click.echo(f"{row['system']}: resume in mode {row['resume_mode'] or 'mock (never switched)'}, "
               f"configuration {short(row['resume_fingerprint'])}")  # fmt: skip
    for kind in ("completed", "abandoned", "problems"):
        for sentence in row[kind]:
            click.echo(f"  {kind}: {sentence}")
    if row["spooled"]:
        click.echo(f"  appended: {row['spooled']} events from the time without the ledger")
    for subject, found in row["drift"].items():
        keys = ", ".join(change["key"] for change in found["changes"])
        click.echo(f"  drift in {subject}: the ledger says {_short(found['expected'])}, "
                   f"the world says {_short(found['found'])}{' (' + keys + ')' if keys else ''}")  # fmt: skip


def _short(text: str) -> str:
    return short(text) if text.startswith("sha256:") else text


@click.command()
@click.argument("system", shell_complete=complete_system)
@options.output
@pass_runtime
def drift(runtime: Runtime, system: str, output: Output) -> None:
    """Compare the world with the ledger, key by key. Records nothing. Exit 3 when they differ.

    \b
    Example:
      rollout drift bot
    """
    from ledger.service import recovery

    state = runtime.ledger.load(system)
    found = recovery.find_drift(runtime.ledger, state)
    rows = []
    for subject, event in found.items():
        if not event.changes:
            rows.append(
                {"subject": subject, "key": "", "ledger": event.expected, "world": event.found}
            )
        rows += [
            {"subject": subject, "key": change.key, "ledger": change.old, "world": change.new}
            for change in event.changes
        ]
    if not rows:
        say(f"{system}: the world is as the ledger says")
        if output.format != "table":
            output.rows([])
        return
    output.rows(rows, ["subject", "key", "ledger", "world"])
    say(f"put it back: rollout rollback {system} --to {short(state.fingerprint)} --reason …; "
        f"or keep it: rollout config put {system} FILE… --in-force --reason …")  # fmt: skip
    click.get_current_context().exit(3)
