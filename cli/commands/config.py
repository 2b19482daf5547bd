"""rollout config put, list, show, diff, blame, tag, stable, quarantine, apply, verify."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import orjson

from cli.call import Call, decision_command, system_command
from cli.commands.config_blame import blame
from cli.commands.config_marks import name_argument, quarantine_, stable_, tag_
from cli.completion import complete_fingerprint
from cli.output import Output, counted, say
from ledger.domain.configurations import decide as configurations
from ledger.domain.configurations.decide import short
from ledger.domain.configurations.events import Change
from ledger.domain.configurations.state import Configuration
from ledger.domain.decision import Decision
from ledger.domain.errors import IntegrityFailure, UnknownName
from ledger.domain.log.ids import check_tag_name
from ledger.domain.values.fingerprints import flatten
from ledger.service.configurations import apply, registration
from ledger.service.configurations.apply import ApplyResult
from ledger.service.configurations.comparison import changes_between
from ledger.service.configurations.registration import verify_kept


@click.group()
def config() -> None:
    """Keep, compare, apply and blame configurations."""


config.add_command(blame)
config.add_command(tag_)
config.add_command(stable_)
config.add_command(quarantine_)


@decision_command("put", config)
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
def put(
    call: Call,
    files: tuple[Path, ...],
    names: tuple[str, ...],
    tag: str | None,
    stable: bool,
    in_force: bool,
) -> None:
    """Keep the configuration that FILES make, each laid over those before it.

    YAML, JSON (comments and trailing commas too), JSON5, HJSON, TOML, INI, Java properties, .env.

    Prints its fingerprint. Key order and comments don't count; any value does. Secrets are replaced by
    keyed digests before anything is stored or shown.

    Example:
      rollout config put bot config.yaml profiles/live.yaml --tag v2.0-prod --reason "raise max_levels"
    """
    before = call.state().fingerprint
    result = registration.put(
        call.ledger,
        call.system,
        files,
        call.origin,
        names=names,
        tag=check_tag_name(tag) if tag else None,
        stable=stable,
        declare=in_force,
    )
    record = {
        "system": call.system,
        "fingerprint": result.fingerprint,
        "outcome": result.outcome,
        "explanation": result.explanation,
        "changed_keys": len(result.changes),
        "secrets": list(result.secrets),
    }
    call.output.record(record, result.fingerprint)
    if result.outcome == "skipped":
        say(f"skipped ({result.explanation})")
    if result.secrets:
        replaced = counted(
            len(result.secrets),
            "secret value was replaced by its digest",
            "secret values were replaced by digests",
        )
        say(f"{replaced}: {', '.join(result.secrets)}")
    if call.output.format == "table" and result.changes and before is not None:
        say(f"against the configuration in force: {_count(result.changes)}")


@system_command("list", config)
def list_(call: Call) -> None:
    """List a system's configurations: what is in force, what is stable, what is in quarantine.

    Example:
      rollout config list bot
    """
    state = call.state()
    rows = [
        {
            "fingerprint": fingerprint,
            "short": short(fingerprint),
            "in_force": fingerprint == state.fingerprint,
            "tags": ", ".join(sorted(state.tags_of(fingerprint))),
            "status": _status(kept),
            "registered_at": kept.registered_at,
            "position": kept.registered_position,
            "files": ", ".join(file.name for file in kept.files),
        }
        for fingerprint, kept in state.configs.items()
    ]
    shown = ["short", "in_force", "tags", "status", "registered_at", "position", "files"]
    call.output.rows(rows, shown)


def _status(kept: Configuration) -> str:
    if kept.quarantined:
        return "quarantined"
    return "stable" if kept.stable else "registered"


@system_command("show", config)
@name_argument
@click.option("--file", "file_name", help="Print this file's kept bytes (secrets as digests).")
def show(call: Call, fingerprint: str, file_name: str | None) -> None:
    """Show a configuration: its keys and values, or one of its files as it was kept.

    Example:
      rollout config show bot v2.0-prod
      rollout config show bot 3f9c1a --file config.yaml
    """
    state = call.state()
    full = configurations.resolve(state, fingerprint)
    if file_name is not None:
        files = {file.name: file.sha256 for file in state.configs[full].files}
        if file_name not in files:
            raise UnknownName(
                f"{short(full)} has no file {file_name!r}.", hint=f"It has: {', '.join(files)}"
            )
        click.echo(call.ledger.blob(files[file_name]), nl=False)
        return
    value = orjson.loads(call.ledger.blob(full))
    if call.output.format in {"json", "jsonl"}:
        call.output.record({"fingerprint": full, **state.configs[full].to_json(), "value": value})
        return
    call.output.rows(
        [{"key": key, "value": text} for key, text in flatten(value).items()], title=full
    )


@system_command("diff", config)
@click.argument("old", shell_complete=complete_fingerprint)
@click.argument("new", shell_complete=complete_fingerprint)
def diff(call: Call, old: str, new: str) -> None:
    """Show what differs between two configurations, key by key.

    Example:
      rollout config diff bot v1.9-prod v2.0-prod
    """
    state = call.state()
    left, right = configurations.resolve(state, old), configurations.resolve(state, new)
    show_changes(
        changes_between(call.ledger, state, left, right),
        call.output,
        f"{short(left)} → {short(right)}",
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


@decision_command("apply", config, asks=True, previews=True)
@name_argument
@click.option("--override-quarantine", is_flag=True, help="Apply it although it is in quarantine.")
def apply_(
    call: Call, fingerprint: str, override_quarantine: bool, yes: bool, dry_run: bool
) -> None:
    """Apply a kept configuration: write it in place, verify it, record it.

    Example:
      rollout config apply bot v2.0-prod --reason "go-live, phase 2" --yes
    """
    decision, full, changes = apply.plan(
        call.ledger, call.system, fingerprint, call.origin, override_quarantine=override_quarantine
    )
    if decision.skipped is not None:
        call.skip(decision.skipped)
        return
    if dry_run:
        show_plan(decision, changes, call.output, f"→ {short(full)}", ["ConfigApplied"])
        return
    call.require_yes(f"{call.system} gets {short(full)}, {_count(changes)}", yes=yes)
    result = apply.apply(
        call.ledger, call.system, full, call.origin, override_quarantine=override_quarantine
    )
    show_applied(result, call.output)


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


@system_command("verify", config)
@click.argument("fingerprint", required=False, shell_complete=complete_fingerprint)
def verify(call: Call, fingerprint: str | None) -> None:
    """Verify that a configuration's kept bytes (or those of all) give its fingerprint.

    Example:
      rollout config verify bot
    """
    state = call.state()
    names = [configurations.resolve(state, fingerprint)] if fingerprint else list(state.configs)
    rows = [
        {"fingerprint": name, "problem": verify_kept(call.ledger, state, name)} for name in names
    ]
    call.output.rows(rows, ["fingerprint", "problem"])
    if any(row["problem"] for row in rows):
        raise IntegrityFailure(
            "A kept configuration is not what was recorded.", hint="Run: rollout verify"
        )


def _count(changes: tuple[Change, ...]) -> str:
    return f"{counted(len(changes), 'key')} changed" if changes else "no key changed"
