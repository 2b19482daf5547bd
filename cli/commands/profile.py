"""rollout profile adopt, show, check, schema."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from cli import options
from cli.commands.modes import skip
from cli.completion import complete_system
from cli.output import Output, say
from cli.wiring import Runtime, pass_runtime

file_type = click.Path(path_type=Path)


@click.group()
def profile() -> None:
    """Rollout plans: read, adopted, shown."""


@profile.command("adopt")
@click.argument("system", shell_complete=complete_system)
@click.argument("file", type=file_type)
@click.option(
    "--register",
    is_flag=True,
    help="Reach the system as FILE says, where it is registered otherwise.",
)
@options.reason
@options.output
@pass_runtime
def adopt(
    runtime: Runtime, system: str, file: Path, register: bool, reason: str | None, output: Output
) -> None:
    """Make FILE the rollout plan of SYSTEM. What changed is recorded, key by key.

    A system that the ledger does not know yet is registered with the environment and the actuators of FILE.

    \b
    Example:
      rollout profile adopt polyarb-x profiles/polyarb-x.yaml --reason "go-live plan, as agreed"
    """
    from ledger.service.plans import adoption

    plan, decision, registered = adoption.adopt(
        runtime.ledger, system, file, runtime.origin(reason), register=register
    )
    for event in registered.events:
        done = "registered" if event.type == "SystemRegistered" else "registered anew"
        say(f"{system} is {done}: rollout system show {system}")
    if decision.skipped is not None:
        skip(output, system, decision.skipped)
        return
    record = {
        "system": system,
        "profile": plan.profile.profile,
        "fingerprint": plan.fingerprint,
        "phases": [phase.name for phase in plan.profile.phases],
        "checks": len(plan.profile.checks),
        "rules": sum(len(file.rules) for file in plan.rule_files),
    }
    output.record(record, f"{system} is rolled out by {plan.profile.profile}: {_told(record)}")
    runtime.catch_up()


def _told(record: Mapping[str, object]) -> str:
    phases = record["phases"]
    names = " → ".join(phases) if isinstance(phases, list) and phases else "no phases"
    return f"{names}; {record['checks']} checks, {record['rules']} rules"


@profile.command("show")
@click.argument("system", shell_complete=complete_system)
@options.output
@pass_runtime
def show(runtime: Runtime, system: str, output: Output) -> None:
    """Show the plan of SYSTEM, as it was adopted.

    \b
    Example:
      rollout profile show polyarb-x
    """
    import orjson

    from ledger.service.plans import adoption

    state = runtime.ledger.load(system)
    plan = adoption.plan_of(runtime.ledger, state)
    document = orjson.loads(plan.content)
    text = orjson.dumps(document["profile"], option=orjson.OPT_INDENT_2).decode()
    output.record({"fingerprint": plan.fingerprint, **document}, text)


@profile.command("check")
@click.argument("files", nargs=-1, required=True, type=file_type, metavar="FILE...")
@options.output
def check(files: tuple[Path, ...], output: Output) -> None:
    """Read profiles and the rule files beside them; needs no ledger.

    \b
    Example:
      rollout profile check profiles/*.yaml
    """
    from ledger.profiles.plan import load

    rows = []
    for file in files:
        plan = load(file)
        rows.append(
            {
                "file": str(file),
                "profile": plan.profile.profile,
                "environment": plan.profile.environment,
                "phases": len(plan.profile.phases),
                "checks": len(plan.profile.checks),
                "rules": sum(len(one.rules) for one in plan.rule_files),
                "fingerprint": plan.fingerprint,
            }
        )
    output.rows(rows)


@profile.command("schema")
def schema() -> None:
    """Print the JSON Schema of a profile, for editors.

    \b
    Example:
      rollout profile schema > profile.schema.json
    """
    import json

    from ledger.profiles.model import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
    say("point your editor at it: # yaml-language-server: $schema=profile.schema.json")
