"""rollout watch."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from cli import collecting, options
from cli.call import Call, system_command
from cli.output import Output, say
from ledger import files, web
from ledger.domain.errors import LedgerError, LedgerUnreachable, OperationInProgress
from ledger.domain.log.ids import Actor, ActorKind, Channel
from ledger.domain.values.durations import duration_text
from ledger.notify.specs import File, Webhook
from ledger.service.core.plan_in_force import plan_of
from ledger.service.core.recorder import Origin
from ledger.service.watch import start
from ledger.service.watch.heartbeat import last_beat, silent_for
from ledger.service.watch.loop import Round, Watch
from ledger.service.watch.store_and_forward import lease_of
from runtime.wiring import Runtime

SILENT: Final = 3


@system_command("watch")
@options.base
@click.option("--once", is_flag=True, help="One round, then end.")
@click.option("--check", is_flag=True,
              help="Only look whether somebody watches; exit 3 if not.")  # fmt: skip
def watch(call: Call, base: Path, once: bool, check: bool) -> None:
    """Watch over SYSTEM by its plan: sample, evaluate the rules, act, look for hand-made edits.

    One at a time. While Postgres is away it goes on: rules still pause, and what was done is appended
    afterwards. Ctrl-C or SIGTERM ends it.

    Example:
      rollout watch polyarb-x
      rollout watch polyarb-x --check || page-somebody
    """
    if check:
        _check(call.runtime, call.system, call.output)
        return
    collecting.stay()

    actor = Actor(f"watch@{socket.gethostname()}", "watch", ActorKind.SERVICE)
    origin = Origin(actor, Channel.SCHEDULER)
    away: LedgerUnreachable | None = None
    call.runtime.wait_briefly()
    try:
        ledger = call.ledger
        alone = ledger.recorder.store.try_lock(lease_of(call.system))
    except LedgerUnreachable as problem:
        away, alone, ledger = problem, True, call.runtime.ledger_to_come
    if not alone:
        raise OperationInProgress(
            f"Somebody watches over {call.system} already.",
            hint=f"rollout log {call.system} --type WatchStarted says who; two would act twice",
        )
    with _here_alone(call.runtime, call.system):
        watching = start.begin(
            ledger, call.system, origin, base=base.absolute(), say=_say, away=away
        )
        _watch(call.runtime, watching, call.output, once=once)
    _let_go()


@contextmanager
def _here_alone(runtime: Runtime, system: str) -> Iterator[None]:
    """Hold the lease of this machine: it counts while Postgres, and so the other one, is away."""
    path = runtime.settings.home / "locks" / f"watch-{system.replace('/', '%2F')}.lock"
    with files.exclusive_lock(path, timeout_seconds=0.2, what="watch"):
        yield


def _check(runtime: Runtime, system: str, output: Output) -> None:
    state = runtime.ledger.load(system)
    allowed = plan_of(runtime.ledger, state).profile.watch.dead_man
    last, now = last_beat(runtime.settings.home, system), runtime.clock.now()
    silent = silent_for(last, now, allowed)
    watched = last is not None and silent is None
    record = {"system": system, "watched": watched, "last": last, "silent_seconds": silent}
    state_of_watch = "is watched" if watched else "is NOT watched"
    when = f"{last:%Y-%m-%d %H:%M:%SZ}" if last is not None else "no time"
    output.record(record, f"{system} {state_of_watch}; the last sign of life was at {when}")
    click.get_current_context().exit(0 if watched else SILENT)


def _watch(runtime: Runtime, watching: Watch, output: Output, *, once: bool) -> None:
    ended = _Ended()
    problems: object = None
    for lacking in _unreachable(watching):
        _say(f"warning: {lacking}: nobody is told by it")
    if not once:
        every = duration_text(watching.plan.profile.watch.interval)
        _say(f"watching over {watching.system}, a look every {every}; Ctrl-C ends it")
    while True:
        done = watching.round()
        problems = _tell(done, output, problems)
        if once or ended.why is not None:
            break
        if _wait(runtime, done.at + watching.plan.profile.watch.interval, ended):
            break
        _plan_again(runtime, watching)
    watching.finish(ended.why or "one round was asked for")
    if watching.away is None:
        runtime.catch_up()


def _unreachable(watching: Watch) -> Iterator[str]:
    """Yield why a channel of the plan can tell nobody: better known now than when an alert fires."""
    for channel in watching.plan.profile.notify:
        if isinstance(channel, File):
            continue
        try:
            for text in (
                channel.url,
                *(channel.headers.values() if isinstance(channel, Webhook) else ()),
            ):
                _ = web.with_variables(text, os.environ, f"the channel {channel.name}")
        except LedgerError as problem:
            yield problem.message.removesuffix(".")


class _Ended:
    """SIGTERM, Ctrl-C and a lost terminal end the watch between two rounds, never within one."""

    def __init__(self) -> None:
        self.why: str | None = None
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
                signal.signal(number, self._end)

    def _end(self, number: int, _frame: object) -> None:
        self.why = signal.Signals(number).name


def _wait(runtime: Runtime, until: datetime, ended: _Ended) -> bool:
    """Wait for the next round; return whether the watch was ended meanwhile."""
    seen = runtime.clock.now()
    while seen < until and ended.why is None:
        runtime.clock.sleep(min(0.1, max((until - seen).total_seconds(), 0.001)))
        now = runtime.clock.now()
        if now < seen:
            break  # set back: who waits for the old time to come again does not watch meanwhile
        seen = now
    return ended.why is not None


def _plan_again(runtime: Runtime, watching: Watch) -> None:
    """Take up a plan that was adopted meanwhile."""
    state = watching.state
    if watching.away is not None or state.profile is None:
        return
    if state.profile.fingerprint == watching.plan.fingerprint:
        return
    try:
        newer = plan_of(runtime.ledger, state)
    except LedgerError as problem:
        _say(f"warning: the plan stays as it is: {problem.message}")
        return
    _say(f"{state.system} has another plan now: {newer.profile.profile}")
    watching.go_by(newer)


def _tell(done: Round, output: Output, before: object) -> object:
    """Print what happened in a round; problems only when they change."""
    for sentence in done.happened:
        if output.format == "table":
            _whoever_listens(click.echo, f"{done.at:%Y-%m-%d %H:%M:%SZ}  {sentence}")
        else:
            line = {"at": done.at.isoformat(), "what": sentence}
            _whoever_listens(Output("jsonl").record, line)
    now = (done.problems, done.away)
    if now != before:
        for problem in done.problems:
            _say(f"warning: {problem}")
    return now


def _say(message: str) -> None:
    _whoever_listens(say, message)


def _whoever_listens(tell: Callable[[Any], None], what: Any) -> None:
    """Tell it; a full disk, a reader that died or a terminal that is gone must not end the watch."""
    with suppress(OSError):
        tell(what)


def _let_go() -> None:
    """Forget what could not be told: Python would complain of it at the end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
