"""rollout config put, list, show, diff, blame, tag, stable, quarantine, apply, verify."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli import options
from cli.commands.config_blame import blame
from cli.commands.config_marks import name_argument, quarantine_, stable_, system_argument, tag_
from cli.commands.modes import insist_on_yes, skip
from cli.completion import complete_fingerprint
from cli.output import Output, counted, say
from cli.wiring import Runtime, pass_runtime
from ledger.domain.configurations import decide as configurations
from ledger.domain.configurations.decide import short
from ledger.domain.configurations.events import Change
from ledger.domain.decision import Decision
from ledger.domain.log.ids import check_tag_name

if TYPE_CHECKING:
    from ledger.service.configurations.apply import ApplyResult


@click.group()
def config() -> None:
    """Keep, compare, apply and blame configurations."""


config.add_command(blame)
config.add_command(tag_)
config.add_command(stable_)
config.add_command(quarantine_)


@config.command("put")
@system_argument
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--as",
    "names",
    multiple=True,
    metavar="NAME",
    help="The name of each file in the system; default: its own.",
)
@click.option("--tag", help="A human name for it, such as v2.0-prod. A tag never moves.")
@click.option("--stable", is_flag=True, help="Vouch for it: --last-stable may go back to it.")
@click.option(
    "--in-force", is_flag=True, help="Say that it is in force already, put there by other means."
)
@options.reason
@options.output
@pass_runtime
def put(
    runtime: Runtime,
    system: str,
    files: tuple[Path, ...],
    names: tuple[str, ...],
    tag: str | None,
    stable: bool,
    in_force: bool,
    reason: str | None,
    output: Output,
) -> None:
    """Keep the configuration that FILES make (YAML, JSON, TOML; later ones override earlier ones).

    Prints its fingerprint. Key order and comments don't count; any value does. Secrets are replaced by
    keyed digests before anything is stored or shown.

    \b
    Example:
      rollout config put bot config.yaml profiles/live.yaml --tag v2.0-prod --reason "raise max_levels"
    """
    from ledger.service.configurations import registration

    before = runtime.ledger.load(system).fingerprint
    result = registration.put(
        runtime.ledger,
        system,
        files,
        runtime.origin(reason),
        names=names,
        tag=check_tag_name(tag) if tag else None,
        stable=stable,
        declare=in_force,
    )
    record = {
        "system": system,
        "fingerprint": result.fingerprint,
        "outcome": result.outcome,
        "explanation": result.explanation,
        "changed_keys": len(result.changes),
        "secrets": list(result.secrets),
    }
    lines = [result.fingerprint]
    output.record(record, "\n".join(lines))
    if result.outcome == "skipped":
        say(f"skipped ({result.explanation})")
    if result.secrets:
        say(
            counted(
                len(result.secrets),
                "secret value was replaced by its digest",
                "secret values were replaced by digests",
            )
            + f": {', '.join(result.secrets)}"
        )
    if output.format == "table" and result.changes and before is not None:
        say(f"against the configuration in force: {_count(result.changes)}")


@config.command("list")
@system_argument
@options.output
@pass_runtime
def list_(runtime: Runtime, system: str, output: Output) -> None:
    """List a system's configurations: what is in force, what is stable, what is in quarantine.

    \b
    Example:
      rollout config list bot
    """
    state = runtime.ledger.load(system)
    tags: dict[str, list[str]] = {}
    for tag, fingerprint in state.tags.items():
        tags.setdefault(fingerprint, []).append(tag)
    table = output.format == "table"
    rows = [
        {
            "fingerprint": fingerprint,
            "short": short(fingerprint),
            "in_force": fingerprint == state.fingerprint,
            "tags": ", ".join(sorted(tags.get(fingerprint, []))),
            "status": "quarantined"
            if record["quarantined"]
            else "stable"
            if record["stable"]
            else "registered",
            "registered_at": datetime.fromisoformat(record["registered_at"])
            if table
            else record["registered_at"],
            "position": record["registered_position"],
            "files": ", ".join(
                file["name"] for file in record["snapshots"][record["last_snapshot"]]
            ),
        }
        for fingerprint, record in state.configs.items()
    ]
    shown = ["short", "in_force", "tags", "status", "registered_at", "position", "files"]
    output.rows(rows, shown)


@config.command("show")
@system_argument
@name_argument
@click.option("--file", "file_name", help="Print this file's kept bytes (secrets as digests).")
@options.output
@pass_runtime
def show(
    runtime: Runtime, system: str, fingerprint: str, file_name: str | None, output: Output
) -> None:
    """Show a configuration: its keys and values, or one of its files as it was kept.

    \b
    Example:
      rollout config show bot v2.0-prod
      rollout config show bot 3f9c1a --file config.yaml
    """
    import orjson

    from ledger.domain.errors import UnknownName
    from ledger.domain.values.fingerprints import flatten

    state = runtime.ledger.load(system)
    full = configurations.resolve(state, fingerprint)
    record = state.configs[full]
    if file_name is not None:
        files = {
            file["name"]: file["sha256"] for file in record["snapshots"][record["last_snapshot"]]
        }
        if file_name not in files:
            raise UnknownName(
                f"{short(full)} has no file {file_name!r}.", hint=f"It has: {', '.join(files)}"
            )
        click.echo(runtime.ledger.blob(files[file_name]), nl=False)
        return
    value = orjson.loads(runtime.ledger.blob(full.removeprefix("sha256:")))
    if output.format in {"json", "jsonl"}:
        output.record({"fingerprint": full, **record, "value": value})
        return
    output.rows([{"key": key, "value": text} for key, text in flatten(value).items()], title=full)


@config.command("diff")
@system_argument
@click.argument("old", shell_complete=complete_fingerprint)
@click.argument("new", shell_complete=complete_fingerprint)
@options.output
@pass_runtime
def diff(runtime: Runtime, system: str, old: str, new: str, output: Output) -> None:
    """Show what differs between two configurations, key by key.

    \b
    Example:
      rollout config diff bot v1.9-prod v2.0-prod
    """
    from ledger.service.configurations.registration import changes_between

    state = runtime.ledger.load(system)
    left, right = configurations.resolve(state, old), configurations.resolve(state, new)
    show_changes(
        changes_between(runtime.ledger, left, right), output, f"{short(left)} → {short(right)}"
    )


def show_changes(changes: tuple[Change, ...], output: Output, title: str) -> None:
    """Print a diff by key path, old → new."""
    if not changes:
        say("no key differs")
    output.rows(
        [{"key": change.key, "old": change.old, "new": change.new} for change in changes],
        ["key", "old", "new"],
        title=title,
    )


@config.command("apply")
@system_argument
@name_argument
@click.option("--override-quarantine", is_flag=True, help="Apply it although it is in quarantine.")
@options.reason
@options.yes
@options.dry_run
@options.output
@pass_runtime
def apply_(
    runtime: Runtime,
    system: str,
    fingerprint: str,
    override_quarantine: bool,
    reason: str | None,
    yes: bool,
    dry_run: bool,
    output: Output,
) -> None:
    """Write a kept configuration in place, verify it, and record that it is in force.

    \b
    Example:
      rollout config apply bot v2.0-prod --reason "go-live, phase 2" --yes
    """
    from ledger.service.configurations import apply

    decision, full, changes = apply.plan(
        runtime.ledger, system, fingerprint, override_quarantine=override_quarantine
    )
    if decision.skipped is not None:
        skip(output, system, decision.skipped)
        return
    if dry_run:
        show_plan(decision, changes, output, f"→ {short(full)}", ["ConfigApplied"])
        return
    insist_on_yes(f"{system} gets {short(full)}, {_count(changes)}", reason, yes=yes)
    result = apply.apply(
        runtime.ledger,
        system,
        full,
        runtime.origin(reason),
        override_quarantine=override_quarantine,
    )
    show_applied(result, output)


def show_plan(
    decision: Decision,
    changes: tuple[Change, ...],
    output: Output,
    title: str,
    outcome: Sequence[str],
) -> None:
    """Print what an apply or a rollback would change, write and append."""
    intent = decision.events[0].payload()
    if output.format != "table":
        would = [{"event": event.type, **event.payload()} for event in decision.events]
        changed = [change.model_dump(exclude_none=True) for change in changes]
        output.record({"would_append": would, "changes": changed})
        return
    show_changes(changes, output, title)
    say("would do, and change nothing now:")
    steps = [f"write {file['path']}, and verify it byte for byte" for file in intent["files"]]
    if (code := intent.get("code")) is not None:
        came, goes = code["from_commit"][:12], code["to_commit"][:12]
        place = code["place"]
        steps.insert(0, f"check out {code['ref']} in {place['repository']}: {came} → {goes}")
        steps += [f"run: {' '.join(place['restart'])}"] if place["restart"] else []
    for number, step in enumerate(steps, start=1):
        say(f"  {number}. {step}")
    names = [*(event.type for event in decision.events), *outcome]
    say(f"would append: {', '.join(names)}")


def show_applied(result: ApplyResult, output: Output) -> None:
    """Print what came of an apply or a rollback."""
    record = {
        "system": result.system,
        "outcome": result.outcome,
        "fingerprint": result.fingerprint,
        "previous": result.previous,
        "files": list(result.files),
        "operation": result.operation,
        "spooled": result.spooled,
        "explanation": result.explanation,
        "code": result.code,
        "restarted": result.restarted,
    }
    if result.outcome == "skipped":
        human = f"skipped ({result.explanation})"
    else:
        verb = "is back on" if result.outcome == "rolled_back" else "runs"
        files = ", ".join(result.files) or "every file was right already"
        was = f"was {short(result.previous)}; verified byte for byte: {files}"
        human = f"✔ {result.system} {verb} {short(result.fingerprint)} ({was})"
        if result.code is not None:
            then = "and was started again" if result.restarted else "and has to be restarted by you"
            human += f"; its code is at {result.code[:12]}, {then}"
    output.record(record, human)
    if result.spooled:
        say(
            "the ledger is away: this was recorded here, and the next command that reaches it appends it"
        )


@config.command("verify")
@system_argument
@click.argument("fingerprint", required=False, shell_complete=complete_fingerprint)
@options.output
@pass_runtime
def verify(runtime: Runtime, system: str, fingerprint: str | None, output: Output) -> None:
    """Check that the kept bytes of a configuration (or of all) still give its fingerprint.

    \b
    Example:
      rollout config verify bot
    """
    from ledger.domain.errors import IntegrityFailure
    from ledger.service.configurations.registration import verify_kept

    state = runtime.ledger.load(system)
    names = [configurations.resolve(state, fingerprint)] if fingerprint else list(state.configs)
    rows = [
        {"fingerprint": name, "problem": verify_kept(runtime.ledger, state, name)} for name in names
    ]
    output.rows(rows, ["fingerprint", "problem"])
    if any(row["problem"] for row in rows):
        raise IntegrityFailure(
            "A kept configuration is not what was recorded.", hint="Run: rollout verify"
        )


def _count(changes: tuple[Change, ...]) -> str:
    return f"{counted(len(changes), 'key')} changed" if changes else "no key changed"
