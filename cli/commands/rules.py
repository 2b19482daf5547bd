"""rollout rules check, test, convert, replay."""

from __future__ import annotations

from pathlib import Path

import click

from cli import options
from cli.call import Call, system_command
from cli.output import Output, say
from ledger import files
from ledger.alerts.convert import convert as converted
from ledger.alerts.rules import load_rules
from ledger.configuration.source import read_bytes
from ledger.domain.alerts.events import AlertFired
from ledger.domain.log.event import Event
from ledger.domain.values.durations import duration_text, parse_duration
from ledger.profiles.model import Watch
from ledger.profiles.rule_sets import rules_of
from ledger.service.backtest import backtest
from ledger.service.backtest.replay import run_tests
from ledger.service.core import plan_in_force
from projections.words.sentences import sentence
from runtime.times import parse_time


@click.group()
def rules() -> None:
    """Check, test, convert and replay alert rules: Prometheus rule files, with an action each."""


@rules.command("check")
@options.files
@options.output
def check(files: tuple[Path, ...], output: Output) -> None:
    """Check rule files, and list their rules; needs no ledger.

    \b
    Example:
      rollout rules check profiles/rules/*.yaml
    """
    rows = [
        {
            "file": file.name,
            "rule": rule.name,
            "severity": rule.severity,
            "expr": rule.expression.text,
            "for": duration_text(rule.for_),
            "action": " ".join(filter(None, (rule.action.name, rule.action.argument))),
        }
        for file in files
        for rule in load_rules(read_bytes(file), file.name).rules
    ]
    output.rows(rows)


@rules.command("test")
@options.files
@options.output
def test(files: tuple[Path, ...], output: Output) -> None:
    """Run promtool's unit tests (alert_rule_test) by our own evaluator. Exit 1 if one fails.

    \b
    Example:
      rollout rules test profiles/rules/tests/slo_test.yaml
    """
    done = [(file, one) for file in files for one in run_tests(file)]
    output.rows(
        [
            {
                "file": file.name,
                "test": one.case,
                "alert": one.alert,
                "at": one.at,
                "result": "PASS" if one.passed else "FAIL",
                "expected": one.expected,
                "got": one.got,
            }
            for file, one in done
        ]
    )
    click.get_current_context().exit(0 if all(one.passed for _, one in done) else 1)


@rules.command("convert")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Default: stdout.")
def convert(file: Path, out: Path | None) -> None:
    """Convert a rule file of another kind (id, query, cooldown_seconds, actions) into one of ours.

    What can't be carried over is told.

    \b
    Example:
      rollout rules convert config/alerts.production.yaml --out profiles/rules/alerts.yaml
    """
    made = converted(read_bytes(file), file.name)
    if out is None:
        click.echo(made.text, nl=False)
    else:
        files.write_atomically(out.absolute(), made.text.encode(), create_folder=True)
    for line in made.left:
        say(f"note: {line}")
    say(f"{made.rules} rules")


@system_command("replay", rules)
@click.option(
    "--since", "--from", "since", required=True, metavar="TIME", help="A time, or: 7 days ago."
)
@click.option("--until", "--to", "until", metavar="TIME", help="Default: now.")
@click.option("--rules", "files", multiple=True, type=click.Path(path_type=Path),
              help="These rule files, instead of the plan's. Repeatable.")  # fmt: skip
@click.option(
    "--every", metavar="DURATION", help="How often to look. Default: when the watch looked."
)
def replay(
    call: Call, since: str, until: str | None, files: tuple[Path, ...], every: str | None
) -> None:
    """Replay rules over the metrics that were recorded: what would they have done? Records nothing.

    They look when the watch looked, where one did, else as often as the plan has it; and apply in the
    mode and the phase that the system was in at each moment.

    Example:
      rollout rules replay bot --since "7 days ago" --rules next.yaml
    """
    now = call.now()
    start, end = parse_time(since, now), call.moment(until) or now
    state = call.state()
    plan = plan_in_force.plan_of(call.ledger, state) if state.profile else None
    rule_files = [load_rules(read_bytes(file), file.name) for file in files] or (
        plan.rule_files if plan else ()
    )
    alert_rules = [rule for file in rule_files for rule in file.rules]
    if not files:
        alert_rules = list(rules_of(plan)) if plan else []
    rows = [
        {
            "at": step.at,
            "event": step.event.type,
            "what": sentence(step.event.type, step.event.payload()),
            "action": _action(step.event),
        }
        for step in backtest.replayed(
            call.runtime.store,
            call.system,
            alert_rules,
            [one for file in rule_files for one in file.recordings],
            start=start,
            end=end,
            watch=plan.profile.watch if plan else Watch(),
            every=parse_duration(every) if every else None,
        )
    ]
    call.output.rows(rows, ["at", "event", "what", "action"])
    fired = sum(row["event"] == "AlertFired" for row in rows)
    say(f"{fired} alerts would have fired")


def _action(event: Event) -> str:
    """Return what the rule of a firing alert does about it."""
    rule = event.rule if isinstance(event, AlertFired) else None
    return rule.action if rule is not None else ""
