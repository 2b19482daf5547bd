"""rollout watch."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cli import options
from cli.completion import complete_system
from cli.output import Output, say
from cli.wiring import Runtime, pass_runtime
from ledger.domain.errors import LedgerUnreachable, OperationInProgress, UnknownName

if TYPE_CHECKING:
    from ledger.metrics.sources import Measured
    from ledger.profiles.plan import Plan
    from ledger.service.recorder import Origin
    from ledger.service.watching import Round, Watch

SILENT: Final = 3


@click.command()
@click.argument("system", shell_complete=complete_system)
@click.option("--base", type=click.Path(path_type=Path, file_okay=False), default=Path(),
              help="Folder that the plan's relative paths begin at. Default: here.")  # fmt: skip
@click.option("--once", is_flag=True, help="One round, then end.")
@click.option("--check", is_flag=True,
              help="Only look whether somebody watches; exit 3 if not.")  # fmt: skip
@options.output
@pass_runtime
def watch(
    runtime: Runtime, system: str, base: Path, once: bool, check: bool, output: Output
) -> None:
    """Watch over SYSTEM by its plan: sample, evaluate the rules, act, look for hand-made edits.

    One at a time. While Postgres is away it goes on: rules still pause, and what was done is appended
    afterwards. Ctrl-C or SIGTERM ends it.

    \b
    Example:
      rollout watch polyarb-x
      rollout watch polyarb-x --check || page-somebody
    """
    if check:
        _check(runtime, system, output)
        return
    from ledger.domain.ids import Actor, ActorKind, Channel
    from ledger.service.lifeline import lease_of
    from ledger.service.recorder import Origin

    ledger = runtime.ledger
    actor = Actor(f"watch@{socket.gethostname()}", "watch", ActorKind.SERVICE)
    origin = Origin(actor, Channel.SCHEDULER)
    if not ledger.recorder.store.try_lock(lease_of(system)):
        raise OperationInProgress(
            f"Somebody watches over {system} already.",
            hint=f"rollout log {system} --type WatchStarted says who; two would act twice",
        )
    with _here_alone(runtime, system):
        _watch(runtime, system, origin, base.absolute(), output, once=once)


@contextmanager
def _here_alone(runtime: Runtime, system: str) -> Iterator[None]:
    """Hold the lease of this machine: it counts while Postgres, and so the other one, is away."""
    from ledger import files

    path = runtime.settings.home / "locks" / f"watch-{system.replace('/', '%2F')}.lock"
    with files.exclusive_lock(path, timeout_seconds=0.2, what="watch"):
        yield


def _check(runtime: Runtime, system: str, output: Output) -> None:
    from ledger.service.heartbeat import last_beat, silent_for
    from ledger.service.planning import plan_of

    state = runtime.ledger.load(system)
    allowed = plan_of(runtime.ledger, state).profile.watch.dead_man
    last, now = last_beat(runtime.settings.home, system), runtime.clock.now()
    silent = silent_for(last, now, allowed)
    watched = last is not None and silent is None
    record = {"system": system, "watched": watched, "last": last, "silent_seconds": silent}
    told = "is watched" if watched else "is NOT watched"
    output.record(record, f"{system} {told}; the last sign of life was at {last or 'no time'}")
    click.get_current_context().exit(0 if watched else SILENT)


def _watch(
    runtime: Runtime, system: str, origin: Origin, base: Path, output: Output, *, once: bool
) -> None:
    from ledger.service import planning
    from ledger.service.watching import Watch

    ledger = runtime.ledger
    state = ledger.load(system)
    plan = planning.plan_of(ledger, state)
    last = _begin(runtime, system, plan, origin)
    watching = Watch(ledger, plan, ledger.load(system), origin, base=base, last=last, say=say)
    watching.remember(_recent(runtime, system, watching.reach))
    ended = _Ended()
    told: object = None
    while True:
        done = watching.round()
        told = _tell(done, output, told)
        if once or ended.why is not None:
            break
        interrupted = _wait(runtime, done.at + plan.profile.watch.interval, ended)
        if interrupted:
            break
        plan = _plan_again(runtime, system, plan, watching)
    watching.finish(ended.why or "one round was asked for")
    if watching.away is None:
        runtime.catch_up()


class _Ended:
    """SIGTERM and Ctrl-C end the watch between two rounds, never within one."""

    def __init__(self) -> None:
        self.why: str | None = None
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, self._end)

    def _end(self, number: int, _frame: object) -> None:
        self.why = signal.Signals(number).name


def _wait(runtime: Runtime, until: datetime, ended: _Ended) -> bool:
    """Wait for the next round; return whether the watch was ended meanwhile."""
    while runtime.clock.now() < until:
        if ended.why is not None:
            return True
        left = (until - runtime.clock.now()).total_seconds()
        runtime.clock.sleep(min(0.1, max(left, 0.001)))
    return ended.why is not None


def _begin(runtime: Runtime, system: str, plan: Plan, origin: Origin) -> datetime | None:
    """Record that the watch begins; return when somebody looked last."""
    from ledger.domain import events
    from ledger.domain.decisions import Decision
    from ledger.service.heartbeat import last_beat, silent_for
    from ledger.service.rule_sets import rules_of
    from ledger.service.watching import WATCH_WAS_SILENT

    last, now = last_beat(runtime.settings.home, system), runtime.clock.now()
    silent = silent_for(last, now, plan.profile.watch.dead_man)
    begun: list[events.Event] = [
        events.WatchStarted(
            host=socket.gethostname(),
            pid=os.getpid(),
            rules=len(rules_of(plan)),
            sources=len(plan.profile.metrics),
            silent_seconds=silent,
        )
    ]
    if silent is not None:
        message = f"nobody watched for {silent} seconds"
        begun.append(events.AlertFired(alert=WATCH_WAS_SILENT, severity="warning", message=message))
    runtime.ledger.decide(system, lambda _: Decision(tuple(begun)), origin)
    return last


def _recent(runtime: Runtime, system: str, seconds: float) -> list[Measured]:
    from ledger.service.sampling import read_samples

    now = runtime.clock.now()
    return list(read_samples(runtime.store, system, now - timedelta(seconds=seconds), now))


def _plan_again(runtime: Runtime, system: str, plan: Plan, watching: Watch) -> Plan:
    """Take up a plan that was adopted meanwhile."""
    from ledger.service.planning import plan_of

    state = watching.state
    if watching.away is not None or state.profile is None:
        return plan
    if state.profile["fingerprint"] == plan.fingerprint:
        return plan
    try:
        newer = plan_of(runtime.ledger, state)
    except (LedgerUnreachable, UnknownName):
        return plan
    say(f"{system} has another plan now: {newer.profile.profile}")
    watching.go_by(newer)
    return newer


def _tell(done: Round, output: Output, before: object) -> object:
    """Print what happened in a round; problems only when they change."""
    for sentence in done.happened:
        if output.format == "table":
            click.echo(f"{done.at:%Y-%m-%d %H:%M:%SZ}  {sentence}")
        else:
            Output("jsonl").record({"at": done.at.isoformat(), "what": sentence})
    now = (done.problems, done.away)
    if now != before:
        for problem in done.problems:
            say(f"warning: {problem}", colour="yellow")
    return now
