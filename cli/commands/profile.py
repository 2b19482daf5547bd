"""rollout profile list, copy, adopt, show, check, schema."""

from __future__ import annotations

import json
from pathlib import Path

import click
import orjson

from cli import options
from cli.call import Call, decision_command, system_command
from cli.completion import complete_shipped_plan
from cli.output import Output, counted, say
from ledger.profiles import shipped
from ledger.profiles.model import json_schema
from ledger.profiles.plan import Plan, load
from ledger.service.core import plan_in_force
from ledger.service.plans import adoption

file_type = click.Path(path_type=Path)


@click.group()
def profile() -> None:
    """List, copy, check, adopt and show rollout plans."""


@profile.command("list")
@options.output
def list_(output: Output) -> None:
    """List the plans that are shipped, to begin one's own with; needs no ledger.

    \b
    Example:
      rollout profile list
    """
    rows = [
        {
            "plan": name,
            "description": plan.profile.description,
            "environment": plan.profile.environment,
            "phases": [phase.name for phase in plan.profile.phases],
            "checks": len(plan.profile.checks),
            "rules": _rule_count(plan),
        }
        for name, plan in ((name, shipped.plan(name)) for name in shipped.names())
    ]
    output.rows(rows, ["plan", "phases", "checks", "rules", "description"])


@profile.command("copy")
@click.argument("name", shell_complete=complete_shipped_plan)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
@options.output
def copy(name: str, folder: Path, output: Output) -> None:
    """Copy the shipped plan NAME into FOLDER (default: here), with its rule files, for you to change.

    Nothing is overwritten. Needs no ledger.

    \b
    Example:
      rollout profile copy polyarb-x profiles
    """
    written = shipped.copy(name, folder)
    record = {"plan": name, "files": [str(path) for path in written]}
    output.record(record, "\n".join(record["files"]))
    say(f"next: make it yours, then: rollout profile adopt SYSTEM {written[0]} --reason …")


@decision_command("adopt", profile)
@click.argument("file", type=file_type)
@click.option(
    "--register",
    is_flag=True,
    help="Reach the system as FILE says, where it is registered otherwise.",
)
def adopt(call: Call, file: Path, register: bool) -> None:
    """Adopt FILE as the rollout plan of SYSTEM. What changed is recorded, key by key.

    A system that the ledger does not know yet is registered with the environment and the actuators of FILE.

    Example:
      rollout profile adopt polyarb-x profiles/polyarb-x.yaml --reason "go-live plan, as agreed"
    """
    call.runtime.makes_ledger = True
    plan, decision, registered = adoption.adopt(
        call.ledger, call.system, file, call.origin, register=register
    )
    for event in registered.events:
        done = "registered" if event.type == "SystemRegistered" else "registered anew"
        say(f"{call.system} is {done}: rollout system show {call.system}")
    if decision.skipped is not None:
        call.skip(decision.skipped)
        return
    name, phases = plan.profile.profile, [phase.name for phase in plan.profile.phases]
    checks, rules = len(plan.profile.checks), _rule_count(plan)
    record = {
        "system": call.system, "profile": name, "fingerprint": plan.fingerprint, "phases": phases,
        "checks": checks, "rules": rules,
    }  # fmt: skip
    steps = " → ".join(phases) or "no phases"
    size = f"{counted(checks, 'check')}, {counted(rules, 'rule')}"
    call.output.record(record, f"{call.system} is rolled out by {name}: {steps}; {size}")
    call.runtime.catch_up()


def _rule_count(plan: Plan) -> int:
    return sum(len(file.rules) for file in plan.rule_files)


@system_command("show", profile)
def show(call: Call) -> None:
    """Show the plan of SYSTEM, as it was adopted.

    Example:
      rollout profile show polyarb-x
    """
    state = call.state()
    plan = plan_in_force.plan_of(call.ledger, state)
    document = orjson.loads(plan.content)
    text = orjson.dumps(document["profile"], option=orjson.OPT_INDENT_2).decode()
    call.output.record({"fingerprint": plan.fingerprint, **document}, text)


@profile.command("check")
@options.files
@options.output
def check(files: tuple[Path, ...], output: Output) -> None:
    """Check profiles and the rule files beside them; needs no ledger.

    \b
    Example:
      rollout profile check profiles/*.yaml
    """
    rows = [
        {
            "file": str(file),
            "profile": plan.profile.profile,
            "environment": plan.profile.environment,
            "phases": len(plan.profile.phases),
            "checks": len(plan.profile.checks),
            "rules": _rule_count(plan),
            "fingerprint": plan.fingerprint,
        }
        for file, plan in ((file, load(file)) for file in files)
    ]
    output.rows(rows)


@profile.command("schema")
def schema() -> None:
    """Print the JSON Schema of a profile, for editors.

    \b
    Example:
      rollout profile schema > profile.schema.json
    """
    click.echo(json.dumps(json_schema(), indent=2))
    say("point your editor at it: # yaml-language-server: $schema=profile.schema.json")
